"""The words of a worker process's life: its phases, their limits, what a slot for a process can do, and who is told what came of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_sweep.model.commands import WithinCall
from pytest_sweep.wire.calls import CallResult
from pytest_sweep.wire.lastwords import Ending

START_SECONDS = 300.0
"""How long a session may take to start and collect, once its process is up. Importing a large library over a network takes a minute or
two; what takes longer than this waits for something that does not come."""

EXIT_SECONDS = 10.0
"""How long a process may take to end after its session has: exit handlers upload results and end pools of processes."""

KILL_SECONDS = 60.0
"""After how long a killed process is taken to be gone though nobody has said so: one that waits for a dead disk cannot be killed."""

CUT_OFF_SECONDS = 4.0
"""How long the end of a run that is cut off waits for what the trials have said that ran then."""

MOST_STARTS = 5
"""How many processes in a row may die before their session has started: some may have been killed, so many have a cause of their own."""


class Phase(enum.Enum):
    """What a slot's process does, or what becomes of it."""

    RESERVING = "before it started"
    STARTING = "while it started"
    IDLE = "while it waited"
    BUSY = "while it ran the trial"
    FINISHING = "while it tore down fixtures"
    EXITING = "while it exited"
    KILLED = "after it was killed"
    DOWN = "after it had died"
    GONE = "after it had ended"


class Then(enum.Enum):
    """What follows when the process is gone that finishes, exits or was killed."""

    NOTHING = enum.auto()
    """The owner has its answer already, and decides."""
    DIED = enum.auto()
    """The owner is told that it died, and decides."""
    FAIL = enum.auto()
    """The slot ends, because its session does not start."""
    RESTART = enum.auto()
    STOP = enum.auto()


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each phase may take, in seconds, and how often a start is tried."""

    start: float = START_SECONDS
    exit: float = EXIT_SECONDS
    kill: float = KILL_SECONDS
    starts: int = MOST_STARTS


class Port(Protocol):
    """What a slot can do. Nothing here waits; what comes of it is told to the slot later."""

    def reserve(self) -> None:
        """Ask for what the slot holds; answered by `Slot.on_reserved` or `on_not_reserved`."""

    def release(self) -> None:
        """Give back what the slot holds, or ask for it no more."""

    def prepare(self) -> None:
        """Take note that a process will be started when this one has ended: what can be done ahead may be."""

    def spawn(self, birth: int) -> None:
        """Start a process; answered by `Slot.on_up` or `on_gone`."""

    def start(self) -> None:
        """Have the process start its session; answered by `Slot.on_started` or `on_gone`."""

    def send(self, order: Any) -> None:
        """Give the session an order; answered by `Slot.on_answer` or `on_gone`."""

    def tell(self, order: WithinCall) -> None:
        """Pass an order on to the session while it runs trials; not answered, and lost where the process is."""

    def finish(self) -> None:
        """Have the session end and tear down its fixtures; answered by `Slot.on_finished` or `on_gone`."""

    def exit(self) -> None:
        """Have the process end by itself; answered by `Slot.on_gone`."""

    def kill(self, *, shows_stacks: bool = True) -> None:
        """Have the process show its stacks, if wanted, then kill it, and all that it has started; answered by `Slot.on_gone`."""

    def drop(self) -> None:
        """Kill the process at once, if there is one. Nothing more is told of it."""


class Owner(Protocol):
    """Who is told what has become of a slot's process."""

    def on_started(self, result: CallResult) -> None:
        """The session waits for orders."""

    def on_not_started(self, failure: CallResult | None, cause: str) -> None:
        """The slot is gone: its session did not start. `failure` is what it said itself, if it could; `cause` is why, in words."""

    def on_answer(self, answer: Any) -> None:
        """An order was carried out."""

    def on_died(self, phase: Phase, ending: Ending) -> None:
        """The process died in `phase` or was killed by order; the slot is DOWN until it is restarted or stopped."""

    def on_overrun(self, phase: Phase, fixture: str, ending: Ending) -> None:
        """The process was killed because `phase` took too long; `fixture` was being torn down, if it is known."""

    def on_lost(self, ending: Ending) -> None:
        """The process died while its session ended: what was not torn down by then stays. The slot goes on as it was told."""

    def on_stopped(self) -> None:
        """The slot is gone, as it was told."""
