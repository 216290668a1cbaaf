"""What the conductor's thread knows of a worker's process on Ray. Imports no Ray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pytest_sweep.wire.inbox import Inbox


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
