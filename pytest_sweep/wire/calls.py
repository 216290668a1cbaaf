"""How a call to a worker ended, and what that means to the engine. Imports no pytest: the driver reads it while it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_sweep import clock
from pytest_sweep.model.events import (
    BatchDone,
    ExitKind,
    SessionExited,
    WorkerDied,
    WorkerEvent,
    WorkerFailed,
    WorkerStarted,
)
from pytest_sweep.model.shared import FailedFixture
from pytest_sweep.wire.outbox import Numbered
from pytest_sweep.wire.parcel import Parcel


@dataclass(frozen=True, slots=True)
class LostFixture:
    """A shared fixture could not be built, because another one, of this id, is lost that it uses."""

    id: str


Built = Parcel | FailedFixture | LostFixture | None
"""What came of the building of a shared fixture; None where the session has ended with it."""


@dataclass(frozen=True)
class CallResult:
    """How a call to a worker ended.

    Attributes:
        last: the number of the last event; the call is complete when everything up to it has arrived.
        rest: the events that have not been sent before.
        location: ``ip:pid`` of the worker.
        failure: why the session cannot go on, or None.
        exit: reason, status and kind of what a trial has ended the session with, or None; see `SessionExited`.
    """

    last: int
    rest: Sequence[Numbered]
    location: str
    failure: str | None = None
    exit: tuple[str, int, ExitKind] | None = None

    def of_start(self, worker: str, nodes: tuple[str, ...]) -> WorkerEvent:
        """Return what the start of a worker's session, with bundles on these nodes, means to the engine."""
        if self.exit is not None:
            return SessionExited(worker, *self.exit)
        if self.failure is not None:
            return WorkerFailed(worker, self.failure)
        return WorkerStarted(worker, self.location, nodes)

    def of_run(self, worker: str, lease: int = 0) -> WorkerEvent:
        """Return what the end of a worker's batch, handed out under `lease`, means to the engine."""
        if self.exit is not None:
            return SessionExited(worker, *self.exit)
        if self.failure is not None:
            return WorkerDied(worker, self.failure, clock.wall())
        return BatchDone(worker, lease)
