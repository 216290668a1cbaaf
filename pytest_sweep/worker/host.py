"""Hosts a session in a worker process, whatever the way to the driver is: starts it, runs batches, and says how each call ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_sweep.errors import ExecutorError
from pytest_sweep.model.commands import WithinCall
from pytest_sweep.model.shared import SharedFixture
from pytest_sweep.wire.calls import Built, CallResult, LostFixture
from pytest_sweep.wire.outbox import Numbered, Outbox
from pytest_sweep.wire.spec import SessionSpec
from pytest_sweep.wire.task import PackedTask
from pytest_sweep.wire.threads import apply_threads, thread_variables
from pytest_sweep.wire.versions import difference
from pytest_sweep.worker.lending import Lender
from pytest_sweep.worker.session import HostedSession


class SessionHost:
    """Hosts a pytest session. All calls but `tell` come from the main thread of the process.

    Args:
        worker: the worker's id.
        spec: what the session is to be like.
        location: ``ip:pid`` of this process.
        threads: how many threads numerical libraries may use.
        send: delivers events while a call runs; may take its time, may raise.
        on_beat: called by another thread at least every tenth of a second while a call runs.
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
        apply_threads(thread_variables(spec.environ, threads))
        self._location = location
        self._versions = spec.versions
        self._also_on_beat = on_beat
        self._outbox = Outbox(send, self._on_beat)
        self._lender = lender or Lender()
        self._session = HostedSession(spec, worker, self._outbox, location, self._lender)

    def start(self) -> CallResult:
        """Start the session, up to the point where it waits for trials."""
        self._outbox.begin_call()
        failure = difference(self._versions, self._location.rpartition(":")[0])
        if failure is None:
            try:
                self._session.start()
            except ExecutorError as error:
                failure = str(error)
        return self._result(failure)

    def run(self, batch: Sequence[PackedTask], offers: Mapping[str, Any]) -> CallResult:
        """Run a batch of trials, one after the other; `offers` are the shared fixtures that they use."""
        self._outbox.begin_call()
        self._lender.offer(offers)
        self._session.run(batch)
        return self._result(self._session.cause if self._session.ended else None)

    def tell(self, order: WithinCall) -> None:
        """Take an order while a call runs, from any thread; one for another trial or call is ignored."""
        self._session.tell(order)

    def build(self, fixture: SharedFixture, offers: Mapping[str, Any]) -> tuple[CallResult, Built]:
        """Build a shared fixture, which lives on until `finish`; `offers` are those that it uses."""
        self._outbox.begin_call()
        self._lender.offer(offers)
        lost = self._lender.prepare(fixture.needs)
        built = LostFixture(lost) if lost else self._session.build(fixture)
        return self._result(self._session.cause if self._session.ended else None), built

    def finish(self) -> CallResult:
        """Tear down all fixtures and end the session."""
        self._outbox.begin_call()  # What is torn down, and what that writes, is told while it is done.
        self._session.finish()
        return self._result(None)

    def leave(self, handlers: Callable[[], None]) -> CallResult:
        """Run the exit handlers of the process; what they write is told, too."""
        self._outbox.begin_call()
        handlers()
        self._session.sync_output()
        return self._result(None)

    def _result(self, failure: str | None) -> CallResult:
        last, rest = self._outbox.take()
        return CallResult(last, rest, self._location, failure, self._session.exit)

    def _on_beat(self) -> None:
        self._session.return_waiting()
        self._also_on_beat()
