"""Hosts a session in a worker process, whatever the way to the driver is: starts it, runs batches, and says how each call ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_sweep.errors import ExecutorError
from pytest_sweep.model.events import (
    BatchDone,
    SessionExited,
    WorkerDied,
    WorkerEvent,
    WorkerFailed,
    WorkerStarted,
)
from pytest_sweep.worker.lending import Lender
from pytest_sweep.worker.outbox import Numbered, Outbox
from pytest_sweep.worker.session import HostedSession
from pytest_sweep.worker.spec import SessionSpec
from pytest_sweep.worker.versions import difference
from pytest_sweep.worker.wire import PackedTask


@dataclass(frozen=True)
class CallResult:
    """How a call to a worker ended.

    Attributes:
        last: the number of the last event; the call is complete when everything up to it has arrived.
        rest: the events that have not been sent before.
        location: ``ip:pid`` of the worker.
        failure: why the session cannot go on, or None.
        exit: reason and status of a ``pytest.exit``, or None.
    """

    last: int
    rest: Sequence[Numbered]
    location: str
    failure: str | None = None
    exit: tuple[str, int] | None = None

    def of_start(self, worker: str, nodes: tuple[str, ...]) -> WorkerEvent:
        """Return what the start of a worker's session, with bundles on these nodes, means to the engine."""
        if self.exit is not None:
            return SessionExited(worker, *self.exit)
        if self.failure is not None:
            return WorkerFailed(worker, self.failure)
        return WorkerStarted(worker, self.location, nodes)

    def of_run(self, worker: str) -> WorkerEvent:
        """Return what the end of a worker's batch means to the engine."""
        if self.exit is not None:
            return SessionExited(worker, *self.exit)
        if self.failure is not None:
            return WorkerDied(worker, self.failure, time.time())
        return BatchDone(worker)


class SessionHost:
    """Hosts a pytest session. All calls come from the main thread of the process.

    Args:
        worker: the worker's id.
        spec: what the session is to be like.
        location: ``ip:pid`` of this process.
        threads: how many threads numerical libraries may use.
        send: delivers events while a call runs; may take its time, may raise.
        on_beat: called by another thread every tenth of a second while a call runs.
        lender: lends what the executor has for trials.
    """

    def __init__(
        self,
        worker: str,
        spec: SessionSpec,
        location: str,
        threads: int,
        send: Callable[[Sequence[Numbered]], None],
        on_beat: Callable[[], None] = lambda: None,
        lender: Lender | None = None,
    ) -> None:
        os.environ["OMP_NUM_THREADS"] = spec.environ.get("OMP_NUM_THREADS", str(threads))
        self._location = location
        self._versions = spec.versions
        self._also_on_beat = on_beat
        self._outbox = Outbox(send, self._on_beat)
        self._session = HostedSession(spec, worker, self._outbox.put, location, lender or Lender())

    def start(self) -> CallResult:
        """Start the session, up to the point where it waits for trials."""
        failure = difference(self._versions, self._location.rpartition(":")[0])
        if failure is None:
            try:
                self._session.start()
            except ExecutorError as error:
                failure = str(error)
        return self._result(failure)

    def run(self, batch: Sequence[PackedTask]) -> CallResult:
        """Run a batch of trials, one after the other."""
        self._outbox.begin_call()
        self._session.run(batch)
        return self._result(self._session.cause if self._session.ended else None)

    def finish(self) -> CallResult:
        """Tear down all fixtures and end the session."""
        self._session.finish()
        return self._result(None)

    def _result(self, failure: str | None) -> CallResult:
        last, rest = self._outbox.take()
        return CallResult(last, rest, self._location, failure, self._session.exit)

    def _on_beat(self) -> None:
        self._session.return_waiting()
        self._also_on_beat()
