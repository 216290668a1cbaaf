"""A hosted session: a whole pytest session in a greenlet of the process's main thread, resumed by each call.

So fixtures live from one call to the next and hooks that wrap the session (coverage, logging) see one session. Greenlets are
switched only between trials: a switch inside one would lose coverage, raise from other threads and hide context variables.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pytest
from greenlet import getcurrent, greenlet

from pytest_sweep.errors import ExecutorError
from pytest_sweep.items.allure import AllureParameters
from pytest_sweep.model.commands import ReturnTrials, WithinCall
from pytest_sweep.model.events import ExitKind, OutputWritten
from pytest_sweep.model.shared import FailedFixture, SharedFixture
from pytest_sweep.wire.captured import CapturedFiles
from pytest_sweep.wire.lastwords import LastWords, make_last_words_folder
from pytest_sweep.wire.outbox import Outbox
from pytest_sweep.wire.parcel import Parcel
from pytest_sweep.wire.spec import SessionSpec, enter
from pytest_sweep.wire.spool import Spool
from pytest_sweep.wire.task import PackedTask
from pytest_sweep.worker.guests import Guests
from pytest_sweep.worker.hosted import HostedPlugin, Order
from pytest_sweep.worker.kept import KeptOutput
from pytest_sweep.worker.lending import Lender
from pytest_sweep.worker.logs import LogForwarder
from pytest_sweep.worker.output import OutputPipe
from pytest_sweep.worker.setupshow import SetupShow

_STATUS: Mapping[ExitKind, int] = MappingProxyType(
    {"stop": int(pytest.ExitCode.INTERRUPTED), "fail": int(pytest.ExitCode.TESTS_FAILED)}
)
"""The exit status of plain pytest; after ``pytest.exit`` it is the session's own."""


class HostedSession:
    """A pytest session that runs trials when it is told to. All calls come from one thread, the process's main one.

    Args:
        spec: what the session is to be like.
        worker: the worker's id.
        outbox: takes events, from any thread.
        location: ``ip:pid`` of this process.
        lender: lends what the executor has for trials.
    """

    def __init__(self, spec: SessionSpec, worker: str, outbox: Outbox, location: str, lender: Lender) -> None:
        self._spec = spec = spec.localized()
        self._worker = worker
        self._outbox = outbox
        self._emit = outbox.put
        self._location = location
        self._output = OutputPipe(self._show)
        self._plugin = HostedPlugin(spec, worker, outbox, self._receive, location, self._output.sync, lender)
        self._greenlet = greenlet(self._main)
        self._status = 0

    def start(self) -> None:
        """Start the session, up to the point where it waits for trials.

        Raises:
            ExecutorError: it ended before, or could not collect the files.
        """
        try:
            enter(self._spec)
        except FileNotFoundError as error:
            raise ExecutorError(
                f"the folder {error.filename}, where the run was started, is not there any more"
            ) from error
        self._greenlet.switch()
        if self._greenlet.dead or self._plugin.problems:
            raise ExecutorError(self._problem())

    def run(self, batch: Sequence[PackedTask]) -> None:
        """Run a batch of trials, one after the other."""
        self._greenlet.switch(batch)

    def build(self, fixture: SharedFixture) -> Parcel | FailedFixture | None:
        """Build a shared fixture, which lives on until the session ends; None if that has ended it."""
        self._greenlet.switch(fixture)
        built, self._plugin.built = self._plugin.built, None
        return built

    def finish(self) -> None:
        """Tear down all fixtures and end the session."""
        if not self._greenlet.dead:
            self._greenlet.switch(None)

    def sync_output(self) -> None:
        """Wait until what the process has written is emitted."""
        self._output.sync()

    def return_waiting(self) -> None:
        """Give back what waits behind a trial that takes long; may be called by another thread while `run` runs."""
        self._plugin.return_waiting()

    def tell(self, order: WithinCall) -> None:
        """Pass a verdict on to the trial that runs, or give back what has not begun; may be called by another thread while `run` runs."""
        if isinstance(order, ReturnTrials):
            self._plugin.return_call(order.lease)
        else:
            self._plugin.tell(order)

    @property
    def ended(self) -> bool:
        """Whether the session has ended, by itself or by `finish`."""
        return bool(self._greenlet.dead)

    @property
    def exit(self) -> tuple[str, int, ExitKind] | None:
        """What a trial has ended the session with: reason, plain pytest's exit status, kind; None if none has."""
        if self._plugin.exit is None:
            return None
        reason, kind = self._plugin.exit
        return reason, _STATUS.get(kind, self._status), kind

    def _problem(self) -> str:
        problems = self._plugin.problems or [f"the worker's pytest session ended with status {self._status}"]
        return "\n".join(problems)

    @property
    def cause(self) -> str:
        """Why the session ended without being told to."""
        return self._problem()

    def _show(self, text: str) -> None:
        """Have a text written to the driver's terminal, as of the trial that runs."""
        self._emit(OutputWritten(self._plugin.current_key, text))

    def _main(self) -> None:
        try:
            guests = Guests(self._spec, self._worker, self._location, self._emit, self._output.sync)
            logs, setup_show = LogForwarder(self._emit, self._show), SetupShow(self._show)
            folder = make_last_words_folder(self._spec.basetemp)
            self._outbox.keep_in(Spool(folder))
            last_words, output = LastWords(folder), KeptOutput(CapturedFiles(folder))
            plugins = [self._plugin, guests, logs, setup_show, AllureParameters(), last_words, output]
            self._status = int(pytest.main(list(self._spec.args), plugins=plugins))
        except Exception:  # A plugin that fails before the session can report it; the driver says what it was.
            self._plugin.problems.append(f"the worker's pytest session failed:\n{traceback.format_exc()}")

    def _receive(self) -> Order:
        order: Order = getcurrent().parent.switch()
        return order
