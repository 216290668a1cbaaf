"""The order of a session with ``--sweep``: ordinary tests while the workers start, then trials, then the tests that judge them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import pluggy
import pytest

from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.port import Executor
from pytest_sweep.errors import StoreError, SweepError
from pytest_sweep.items.lifetimes import FixtureKeeper
from pytest_sweep.model.integers import digits
from pytest_sweep.plugin.collect.sources import SourceReader
from pytest_sweep.plugin.collect.sweeps import TRIAL, SweepCollector
from pytest_sweep.plugin.guests.xdist import OrdinaryTests
from pytest_sweep.plugin.options import SweepOptions
from pytest_sweep.plugin.session.ending import raise_if_ended
from pytest_sweep.plugin.session.freezing import Freezer
from pytest_sweep.plugin.session.page import ReportPage
from pytest_sweep.plugin.session.partly import partly_selected_lines
from pytest_sweep.plugin.session.parts import is_skipped_no_more, partition
from pytest_sweep.plugin.session.plan import Plan
from pytest_sweep.plugin.session.recalling import recall_slots
from pytest_sweep.plugin.session.signals import Interrupts
from pytest_sweep.plugin.session.studies import make_studies, new_search_lines
from pytest_sweep.plugin.session.trials import TrialPhase

if TYPE_CHECKING:  # Imports the database, a third of a second that a session without trials need not spend.
    from pytest_sweep.plugin.session.judging import JudgedResults
    from pytest_sweep.plugin.session.resuming import Resumption
    from pytest_sweep.results import SessionResults


class SweepRun:
    """A plugin that runs the session's items.

    pytest's own loop cannot be used: it refuses to start after a failure, and so could not run tests after failed trials.

    Attributes:
        collector: knows the collected trials.
        keeper: keeps the fixtures of this session between items.
        spread: has pytest-xdist run the ordinary tests, where it was asked to.
    """

    def __init__(  # noqa: PLR0913 - all that a session consists of
        self,
        config: pytest.Config,
        options: SweepOptions,
        executor: Executor,
        policy: Policy,
        *,
        collector: SweepCollector,
        keeper: FixtureKeeper,
        resumption: Resumption | None,
        interrupts: Interrupts,
    ) -> None:
        self.collector = collector
        self.keeper = keeper
        self.spread = OrdinaryTests()
        self._freezer = Freezer(config)
        self._config = config
        self._options = options
        self._executor = executor
        self._policy = policy
        self._resumption = resumption
        self._interrupts = interrupts
        self._phase: TrialPhase | None = None
        self._judging = False
        self._judged: JudgedResults | None = None
        self._page = ReportPage(options.report)

    def session_results(self) -> SessionResults:
        """Return the newest stored results of all collected trials, for the fixture ``sweep_results``: this session's, where it has any."""
        from pytest_sweep.plugin.session.judging import judged_results

        if not self._judging:
            pytest.fail(
                "sweep_results was asked for before the trials have run: name it as an argument of the test, or of a fixture that "
                "the test names, so that the test runs after them",
                pytrace=False,
            )
        try:
            own = None if self._phase is None else self._phase.readable_folder()
            self._judged = judged_results(self._config, self._options, self.collector, own, self._reader)
        except StoreError as error:
            pytest.fail(f"sweep_results: {error}", pytrace=False)
        return self._judged.results

    # A wrapper of the old style, because one of the new stands in the traceback of every fixture that fails.
    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: Any
    ) -> Generator[None, pluggy.Result[object], None]:
        """Forget that ``sweep_results`` was asked for too early, so that the tests after the trials do not fail with the same."""
        outcome = yield
        if outcome.exception is not None and fixturedef.argname == "sweep_results":
            fixturedef.finish(request)

    def pytest_report_header(self) -> str:
        """Say where trials run, with which seed, and where results go."""
        options = self._options
        seed = f"seed {digits(options.seed)}" + (self._resumption.origin if self._resumption is not None else "")
        return f"sweep: executor {self._executor.name}, {seed}, results in {options.results_dir}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """With ``--stepwise``, put items into the order in which they will run: it goes by their places."""
        if config.getoption("stepwise", False):
            items[:] = [item for part in partition(items) for item in part]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run all items."""
        # With -n, what was collected runs all the same, and the session fails: so it is with pytest-xdist, whose workers collect.
        goes_on = session.config.option.continue_on_collection_errors or self.spread.is_active
        if session.testsfailed and not goes_on:
            errors = "error" if session.testsfailed == 1 else "errors"
            raise session.Interrupted(f"{session.testsfailed} {errors} during collection")
        if session.config.option.collectonly:
            return True
        ordinary, trials, judges = partition(session.items)
        rehearses = bool(session.config.getoption("setuponly", False))  # pytest sets it with --setup-plan, too.
        plan = self._decide(trials) if trials and not rehearses else None
        self._freezer.freeze()  # Now: what the tests leave behind is garbage of their own.
        to_run = [item for item in trials if plan is None or item.stash[TRIAL].key not in plan.taken]
        if to_run and not rehearses:
            self._tell_of_start()
        if to_run and self._options.address is not None and not rehearses:
            self._check_executor()  # A wrong address is told now, not after the tests.
        # The item that follows says which fixtures stay alive; a trial in another process shares none with the tests.
        following = [*judges, *(to_run if self._executor.name == "inline" or rehearses else []), None]
        with self._interrupts.left_alone():
            if ordinary and self.spread.is_active:
                self.spread.run(session)
                raise_if_ended(session)
            else:
                self._run_items(session, ordinary, following[0])
        if rehearses:
            from pytest_sweep.plugin.session.rehearsal import rehearse

            rehearse(session, trials, following[0], self.keeper)
        elif plan is not None:
            self._run_trials(session, trials, plan)
        self._judging = True
        self._run_items(session, judges, None)
        self.keeper.enter(None)
        return True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show what came out of the trials, unless ``--no-summary`` is given, with which older versions of pytest do not ask."""
        if self._config.getoption("no_summary", False):
            return
        if self._phase is not None:
            self._phase.write_summary(terminalreporter)
            for line in partly_selected_lines(self.collector.collected, self._phase.keys):
                terminalreporter.write_line(line, yellow=True)
        if self._judged is not None:
            self._judged.write(terminalreporter, has_title=self._phase is not None)
        self._page.tell(terminalreporter)

    @pytest.hookimpl(tryfirst=True, specname="pytest_sessionfinish")
    def pytest_sessionfinish_first(self) -> None:
        """Add the best results before the junit file is written."""
        if self._phase is not None:
            self._phase.add_suite_properties()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Decide the exit status, after other plugins had their say, and store how the run ended; write the table if pytest will not."""
        if self._phase is not None:
            reporter: pytest.TerminalReporter | None = self._config.pluginmanager.get_plugin("terminalreporter")
            if has_told := reporter is not None and exitstatus not in _WITH_SUMMARY:
                reporter.ensure_newline()
                self.pytest_terminal_summary(reporter)
            self._phase.store_waiting()
            ended = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
            if self._interrupts.is_waiting and session.exitstatus in ended:
                session.exitstatus = pytest.ExitCode.INTERRUPTED
            # Not decided once and for all: what could not be stored by now may be stored at last, and what is stored last may fail.
            decide = partial(self._phase.exit_status, int(session.exitstatus), session.testsfailed)
            self._phase.close(decide)
            session.exitstatus = decide()
            self._page.write(
                self._phase.folder
            )  # Last: the run is stored, with how it ended, and nothing is lost by it.
            if reporter is not None and (has_told or self._config.getoption("no_summary", False)):
                self._page.tell(reporter)

    def pytest_unconfigure(self) -> None:
        """Leave no process behind, however the session ended."""
        self._executor.shutdown(force=True)
        try:
            self._executor.join()
        except KeyboardInterrupt:  # Pressed again and again: nothing is waited for any more.
            self._executor.shutdown(force=True)

    def _tell_of_start(self) -> None:
        """Write what is waited for, if the executor takes long to start, so that nobody wonders why nothing happens."""
        starting = self._executor.starting()
        if starting and self._config.get_verbosity() >= 0:
            self._tell(starting)

    def _check_executor(self) -> None:
        try:
            self._executor.nodes()
        except SweepError as error:
            raise pytest.UsageError(str(error)) from error

    def _run_items(self, session: pytest.Session, items: Sequence[pytest.Item], following: pytest.Item | None) -> None:
        """Run ordinary items as pytest's own loop does."""
        for item, nextitem in zip(items, [*items, following][1:], strict=True):
            self.keeper.enter(item)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            raise_if_ended(session)

    @cached_property
    def _reader(self) -> SourceReader:
        """Reads the code of sweeps, each file once; made when the files are collected."""
        return SourceReader(self._config)

    def _decide(self, items: Sequence[pytest.Item]) -> Plan:
        """Decide what is taken from earlier runs, say so, and begin to start the executor if something is left to run."""
        reader = self._reader
        sources = reader.sources(items)
        plan = Plan(sources)
        if self._resumption is not None:
            by_key = {item.stash[TRIAL].key: item for item in items}
            plan = self._resumption.plan(
                [item.stash[TRIAL] for item in items], sources, lambda key: is_skipped_no_more(by_key[key])
            )
        plan.known = reader.known()
        if self._options.resume is None:
            plan.notes += new_search_lines(self._config, self.collector, items)
        for line in plan.notes:
            self._tell(line)
        for line in plan.warnings:
            self._tell(line, yellow=True)
        if self._resumption is not None and len(plan.taken) < len(items):
            self._executor.prepare()
        return plan

    def _tell(self, line: str, **markup: bool) -> None:
        reporter: pytest.TerminalReporter | None = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            from pytest_sweep.plugin.show.terminal import write_lines

            write_lines(reporter, line, **markup)
            reporter.flush()

    def _run_trials(self, session: pytest.Session, items: Sequence[pytest.Item], plan: Plan) -> None:
        try:
            if len(plan.taken) < len(items):
                self._check_executor()
            studies = make_studies(self.collector, items, self._options, self._tell, plan.known_metrics)
            for line in recall_slots(plan.decisions, studies, items):
                self._tell(line, yellow=True)
            self._phase = TrialPhase(
                self._config,
                self._options,
                self._executor,
                self._policy,
                items,
                keeper=self.keeper,
                plan=plan,
                interrupts=self._interrupts,
                studies=studies,
            )
        except SweepError as error:
            raise pytest.UsageError(str(error)) from error
        self._phase.run(session)


_WITH_SUMMARY = frozenset(pytest.ExitCode) - {pytest.ExitCode.INTERNAL_ERROR}
"""The exit statuses with which pytest asks for a summary; not with those of ``pytest.exit``."""
