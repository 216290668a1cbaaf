"""What the conductor's thread knows of a worker's process on Ray. Imports no Ray."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil

from pytest_sweep import clock
from pytest_sweep.wire.inbox import Inbox

END_SECONDS = 60.0
"""How long the number of a process of this machine is looked at that is to end: far longer than it may take."""


@dataclass(eq=False)
class RayProcess:
    """A process of Ray's that hosts a session, or is to.

    Attributes:
        name: under which it sends its messages.
        note: takes each of its events, before the engine does.
        actor: the actor that hosts its session.
        home: the id of its node; "" before that is known.
        pid: its number there; 0 before that is known.
        inbox: puts its events in order.
        unfinished: what is to be done when everything up to number `last` has arrived, or None.
        last: see `unfinished`.
        after_death: what is to be done when what it had said before its death has arrived, or None.
        takes_to_wait: how many takes of mail that needs.
        is_dying: whether it is being found out how it died.
    """

    name: str
    note: Callable[[object], None]
    actor: Any = None
    home: str = ""
    pid: int = 0
    inbox: Inbox = field(default_factory=Inbox)
    unfinished: Callable[[], None] | None = None
    last: int = 0
    after_death: Callable[[], None] | None = None
    takes_to_wait: int = 0
    is_dying: bool = False


def wait_for_end(pid: int, seconds: float) -> None:
    """Wait until a process of this machine has ended, or cannot be looked at; Ray, its parent, may not have noticed yet."""
    deadline = clock.monotonic() + seconds
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        while process.status() != psutil.STATUS_ZOMBIE and clock.monotonic() < deadline:
            clock.pause(0.01)


def when_ended(pid: int, then: Callable[[], None]) -> None:
    """Call `then` when a process of this machine has ended."""
    wait_for_end(pid, END_SECONDS)
    then()
