"""A worker of Ray as the conductor holds it, and Ray's errors in our words. Imports no Ray."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pytest_sweep import clock
from pytest_sweep.executors.ray.workers.reservations import Reservation
from pytest_sweep.model.placement import Placement
from pytest_sweep.model.resources import Resources
from pytest_sweep.wire.inbox import Inbox
from pytest_sweep.wire.lastwords import Ending


@dataclass
class WorkerHandle:
    """A worker and the process that it has at the time.

    Attributes:
        id: the worker's id.
        resources: what it holds, on each of its bundles.
        placement: how many bundles it has.
        asked: when it was asked for, or its process was to be replaced, in seconds of the monotonic clock.
        births: how many processes it has had; what is said of an older one is passed over.
        reservation: its placement group, or None.
        actor: the actor that hosts its session, or None.
        has_started: whether that session has started.
        failed_starts: how many of its processes in a row have died before that.
        home: the id of the node that the actor is on, since its session has started.
        pid: its process there.
        inbox: puts the events of the process in order.
        then: what becomes of it when its session has finished, which it has been told to do; else None.
        lease: of the trials that it runs.
        unfinished: what is to be done when everything up to number `last` has arrived, or None.
        last: see `unfinished`.
        death: how the process has died, until the engine is told, or None.
        takes_to_wait: how many takes of mail the engine is told after.
    """

    id: str
    resources: Resources
    placement: Placement
    asked: float = field(default_factory=clock.monotonic)
    births: int = 0
    reservation: Reservation | None = None
    actor: Any = None
    has_started: bool = False
    failed_starts: int = 0
    home: str = ""
    pid: int = 0
    inbox: Inbox = field(default_factory=Inbox)
    then: Callable[[WorkerHandle], None] | None = None
    lease: int = 0
    unfinished: Callable[[], None] | None = None
    last: int = 0
    death: Ending | None = None
    takes_to_wait: int = 0

    @property
    def name(self) -> str:
        """The name under which the process sends its messages."""
        return f"{self.id}#{self.births}"

    @property
    def request(self) -> str:
        """What was asked for, and since when: ``2 CPU, asked for 12 s ago``."""
        return f"{self.resources}, asked for {clock.monotonic() - self.asked:.0f} s ago"


_ADDRESS = re.compile(r"\bip=([^,)]+)")


def could_not_begin(error: Exception | None) -> bool:
    """Say whether an actor has died of what its own start raised, as where its node has not what it imports: that will not change."""
    return type(error).__name__ == "ActorDiedError" and "raised in its creation task" in str(error)


def is_unavailable(error: Exception | None) -> bool:
    """Say whether Ray does not reach an actor, which may live: the connection to it has broken."""
    return type(error).__name__ == "ActorUnavailableError"


def brief(error: Exception | None) -> str:
    """Return what Ray knows of a death, in a line: its error goes on with identifiers and advice.

    Ray tells neither exit code nor signal: SIGKILL, a segmentation fault and ``os._exit`` are one and the same ActorDiedError.
    """
    name = type(error).__name__
    if could_not_begin(error):
        where = _ADDRESS.search(str(error))
        said = str(error).strip().splitlines()[-1]
        missing = "; every node needs what the driver has installed" if "No module named" in said else ""
        return f"{said} (at {where[1]}){missing}" if where else said
    if name == "ActorDiedError":
        if "node has died" in str(error):
            return "its node was lost"
        return "killed or crashed, signal unknown"
    if is_unavailable(error):
        return "the connection to it broke, and it was ended"
    if name == "OutOfMemoryError":
        return "Ray's memory monitor killed it, because its node ran out of memory"
    cause = getattr(error, "cause", None) or error  # What an actor's method raised is wrapped in a RayTaskError.
    text = str(cause).strip()
    return f"{type(cause).__name__}: {text.splitlines()[0]}" if text else type(cause).__name__
