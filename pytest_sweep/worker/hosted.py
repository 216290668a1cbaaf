"""The plugin of a hosted session: it undoes what the driver has decided already, collects, and runs the trials it is handed."""

from __future__ import annotations

import atexit
import gc
import warnings
from collections import deque
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep import clock
from pytest_sweep.items.building import ItemBuilder
from pytest_sweep.items.lifetimes import FixtureKeeper
from pytest_sweep.items.matching import ValuesDifferError
from pytest_sweep.items.reports import plain_warning, serialized
from pytest_sweep.items.tracing import refuse_debuggers
from pytest_sweep.model.events import ExitKind, LateReport, TeardownStarted, TrialFinished, TrialReturned
from pytest_sweep.model.shared import FailedFixture, SharedFixture
from pytest_sweep.model.trials import TrialState
from pytest_sweep.wire.outbox import Outbox
from pytest_sweep.wire.parcel import Parcel
from pytest_sweep.wire.spec import SessionSpec
from pytest_sweep.wire.task import PackedTask
from pytest_sweep.worker.borrowing import BorrowedFixtures
from pytest_sweep.worker.exiting import flush_open_files
from pytest_sweep.worker.fixture_builder import FixtureBuilder
from pytest_sweep.worker.lending import Lender
from pytest_sweep.worker.runner import TrialRunner
from pytest_sweep.worker.usage import Usage
from pytest_sweep.worker.wide_fixtures import WideFixtures

PATIENCE_SECONDS = 1.0
"""How long a trial may run before those behind it in its batch are given back."""

Order = Sequence[PackedTask] | SharedFixture | None
"""What a session is told: trials to run, a shared fixture to build, or None, to end."""

_DECIDED_BY_DRIVER: dict[str, Any] = {
    "collectonly": False, "deselect": None, "dist": "no", "failedfirst": False, "keyword": "", "lf": False,
    "markexpr": "", "maxfail": 0, "newfirst": False, "numprocesses": None, "pastebin": None, "stepwise": False,
    "stepwise_skip": False, "stepwise_reset": False, "trace": False, "tx": [], "usepdb": False, "xmlpath": None,
}  # fmt: skip


class HostedPlugin:
    """Hosts one session; lives as long as it.

    Args:
        spec: what the session is to be like.
        worker: the worker's id.
        outbox: takes events, from any thread.
        receive: waits for the next batch of trials, or for a shared fixture to build; None ends the session.
        location: ``ip:pid`` of this process.
        sync_output: waits until what the process has written is emitted.
        lender: lends what the executor has for trials.
    """

    def __init__(
        self,
        spec: SessionSpec,
        worker: str,
        outbox: Outbox,
        receive: Callable[[], Order],
        location: str,
        sync_output: Callable[[], None],
        lender: Lender,
    ) -> None:
        self._spec = spec
        self._worker = worker
        self._emit = emit = outbox.put
        self._receive = receive
        self._keeper = FixtureKeeper(lambda item, report: emit(LateReport(serialized(item, report))))
        self._last_key = ""
        wide = WideFixtures(self._tell_teardown)
        self._usage = usage = Usage(spec.code.root)
        self._runner = TrialRunner(
            emit,
            location,
            self._keeper,
            sync_output,
            lender,
            lambda: outbox.behind,
            wide,
            usage=usage,
            hurry=outbox.hurry,
        )
        self.tell = self._runner.tell
        self._lender = lender
        self._borrowed = BorrowedFixtures(lender)
        self._builder = FixtureBuilder(self._borrowed, self._keeper, emit)
        self._items = ItemBuilder(spec.files, spec.placed)
        self._batch: deque[PackedTask] = deque()
        self._returned: int | None = None
        self._trial_began: float | None = None
        self.built: Parcel | FailedFixture | None = None
        self.problems: list[str] = []
        self.exit: tuple[str, ExitKind] | None = None

    @property
    def current_key(self) -> str | None:
        """The key of the trial that runs; None between two, when the fixtures of the last one are torn down."""
        return self._runner.current_key

    def return_waiting(self) -> None:
        """Give back what waits behind a trial that takes long; called by another thread, from time to time."""
        began = self._trial_began
        if began is None or clock.monotonic() - began < PATIENCE_SECONDS:
            return
        self._return_all()

    def return_call(self, lease: int) -> None:
        """Give back what has not begun of a call, if it is the one that runs; called by another thread, even before that has begun."""
        self._returned = lease
        if any(packed.lease == lease for packed in self._batch.copy()):
            self._return_all()

    def _return_all(self) -> None:
        while self._batch:
            try:
                packed = self._batch.pop()
            except IndexError:
                return
            self._emit(TrialReturned(packed.key, packed.attempt, lease=packed.lease))

    # The session

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Make the session a worker's: nothing selected, stopped or written here that the driver sees to."""
        for name, value in _DECIDED_BY_DRIVER.items():
            if hasattr(config.option, name):
                setattr(config.option, name, value)
        config.option.basetemp = str(_unused(Path(self._spec.basetemp), self._worker))

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Register the runner; after pytest has put its debugger in, take it out."""
        refuse_debuggers()
        config.pluginmanager.register(self._items, "sweep-items")
        config.pluginmanager.register(self._runner, "sweep-runner")
        config.pluginmanager.register(self._runner.wide, "sweep-wide-fixtures")
        config.pluginmanager.register(self._usage, "sweep-usage")
        config.pluginmanager.register(self._borrowed, "sweep-borrowed")
        config.pluginmanager.register(self._builder, "sweep-builder")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> bool:
        """Collect nothing at the start."""
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Collect the files, then run what arrives, until nothing does."""
        session.perform_collect(self._spec.files)
        self._borrowed.borrow(session)
        self._usage.begin(self._spec.known)
        gc.freeze()  # What lives as long as the process is not to be walked through with every batch.
        # It stays so at the exit, which is 0.2 s shorter for that where Ray is imported: files are flushed, in cycles of it, too.
        atexit.register(flush_open_files)
        while (order := self._receive()) is not None:
            if isinstance(order, SharedFixture):
                self.built = self._builder.build(order, self._items.collector(order.sweep))
                continue
            self._items.expect(order)
            self._batch.extend(order)
            while (packed := self._next()) is not None:
                self._run(session, packed)
                if self._is_ended(session):
                    self._keeper.enter(None)
                    return True
        self._keeper.enter(None)
        return True

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Take note of ``pytest.exit``, which ends the whole run, on every worker."""
        if isinstance(excinfo.value, pytest.exit.Exception):
            self.exit = str(excinfo.value.msg), "exit"
        else:
            self.problems.append("KeyboardInterrupt")

    def pytest_internalerror(self, excrepr: object) -> bool:
        """Keep the text of pytest's internal error, which is shown by the driver."""
        self.problems.append(f"pytest's internal error:\n{excrepr}")
        return True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what went wrong; the driver has collected the same without an error."""
        if report.failed:
            self.problems.append(f"{report.nodeid} cannot be collected in the worker:\n{report.longreprtext}")

    # Running

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Take the reports of the running trial, after other plugins had their say."""
        yield
        self._runner.take(report)

    def pytest_warning_recorded(
        self,
        warning_message: warnings.WarningMessage,
        when: str,
        nodeid: str,
        location: tuple[str, int, str] | None,
    ) -> None:
        """Pass warnings on, but those of collection: the driver has collected the same files."""
        if when == "runtest":
            self._emit(plain_warning(warning_message, when, nodeid, location))

    def _is_ended(self, session: pytest.Session) -> bool:
        """Say whether the last trial has ended the session, as pytest's own loop judges it."""
        if session.shouldfail:
            self.exit = str(session.shouldfail), "fail"
        elif session.shouldstop:
            self.exit = str(session.shouldstop), "stop"
        return self.exit is not None

    def _next(self) -> PackedTask | None:
        while self._batch:
            try:
                packed = self._batch.popleft()
            except IndexError:  # Another thread has given it back.
                break
            if packed.lease != self._returned:
                return packed
            self._emit(TrialReturned(packed.key, packed.attempt, lease=packed.lease))
        return None

    def _run(self, session: pytest.Session, packed: PackedTask) -> None:
        self._trial_began = clock.monotonic()
        try:
            task = self._items.unpack(packed)
            lost = self._lender.prepare(fixture.id for fixture in task.trial.shared)
            item = self._items.build(session, task.trial)
        except ValuesDifferError as error:  # As pytest-xdist, where the workers have collected different tests.
            self._fail(packed, str(error))
            self.exit = error.summary, "stop"
        except Exception as error:
            self._fail(packed, f"the worker cannot build this trial: {type(error).__name__}: {error}")
        else:
            if lost:
                self._emit(TrialReturned(packed.key, packed.attempt, lost, packed.lease))
            else:
                self._runner.run(item, task)
                self._last_key = packed.key
        finally:
            self._trial_began = None

    def _tell_teardown(self, fixture: str) -> None:
        """Say that a fixture is torn down which outlives trials; one that a trial has torn down itself is part of the trial."""
        if self._last_key and not self._runner.is_running:
            self._emit(TeardownStarted(self._worker, self._last_key, fixture))

    def _fail(self, packed: PackedTask, text: str) -> None:
        now, state = clock.wall(), TrialState.ERROR
        self._emit(TrialFinished(packed.key, packed.attempt, state, None, text, 0.0, now, lease=packed.lease))


def _unused(parent: Path, name: str) -> Path:
    """Return a folder for the temporary folders of one process.

    Not the one of an earlier process of the worker: pytest would empty it, and the folders of failed trials are in it.
    """
    folder = parent / name
    if not folder.exists():
        return folder
    numbers = [path.name.removeprefix(f"{name}-") for path in parent.glob(f"{name}-*")]
    return parent / f"{name}-{max((int(number) for number in numbers if number.isdigit()), default=1) + 1}"
