"""A worker of Ray as the conductor holds it, its request in Ray's words, and Ray's errors in ours. Imports no Ray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pytest_sweep.model.resources import Resources
from pytest_sweep.worker.blackbox import Ending
from pytest_sweep.worker.outbox import Inbox


@dataclass
class WorkerHandle:
    """A worker and the process that it has at the time.

    Attributes:
        id: the worker's id.
        resources: what its placement group holds.
        node: the node that it is pinned to; None where the cluster chooses.
        births: how many processes it has had; what is said of an older one is passed over.
        group: its placement group, or None.
        actor: the actor that hosts its session, or None.
        has_started: whether that session has started.
        failed_starts: how many of its processes in a row have died before that.
        home: the id of the node that the actor is on, since its session has started.
        pid: its process there.
        inbox: puts the events of the process in order.
        unfinished: what is to be done when everything up to number `last` has arrived, or None.
        last: see `unfinished`.
        death: how the process has died, until the engine is told, or None.
        takes_to_wait: how many takes of mail the engine is told after.
    """

    id: str
    resources: Resources
    node: str | None
    births: int = 0
    group: Any = None
    actor: Any = None
    has_started: bool = False
    failed_starts: int = 0
    home: str = ""
    pid: int = 0
    inbox: Inbox = field(default_factory=Inbox)
    unfinished: Callable[[], None] | None = None
    last: int = 0
    death: Ending | None = None
    takes_to_wait: int = 0

    @property
    def name(self) -> str:
        """The name under which the process sends its letters."""
        return f"{self.id}#{self.births}"


def bundle(resources: Resources) -> dict[str, float]:
    """Return `resources` as the bundle of a placement group."""
    amounts = {"CPU": resources.cpu, "GPU": resources.gpu, "memory": float(resources.memory), **dict(resources.custom)}
    # Ray refuses an empty bundle: a trial that asks for nothing gets a crumb of a CPU.
    return {name: amount for name, amount in amounts.items() if amount} or {"CPU": 0.001}


def brief(error: Exception | None) -> str:
    """Return what Ray knows of a death, in a line: its error goes on with identifiers and advice.

    Ray tells neither exit code nor signal: SIGKILL, a segmentation fault and ``os._exit`` are one and the same ActorDiedError.
    """
    name = type(error).__name__
    if name == "ActorDiedError":
        return "killed or crashed, signal unknown"
    if name == "OutOfMemoryError":
        return "Ray's memory monitor killed it, because its node ran out of memory"
    cause = getattr(error, "cause", None) or error  # What an actor's method raised is wrapped in a RayTaskError.
    text = str(cause).strip()
    return f"{type(cause).__name__}: {text.splitlines()[0]}" if text else type(cause).__name__
