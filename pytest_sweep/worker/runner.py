"""Runs one item as a trial and says what happened. The same in a hosted session and, for the executor inline, in the driver's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pluggy
import pytest

from pytest_sweep import clock
from pytest_sweep.errors import SweepError
from pytest_sweep.hookcalls import call_each
from pytest_sweep.items import private
from pytest_sweep.items.lifetimes import FixtureKeeper
from pytest_sweep.items.parametrization import given_config
from pytest_sweep.items.reports import LOCATION, alike, error_text, forget_xpass, serialized, trial_state, warning_of
from pytest_sweep.items.shared import is_of_shared
from pytest_sweep.model.code import Used
from pytest_sweep.model.commands import Tell
from pytest_sweep.model.events import HookFailed, TrialFinished, TrialLeft, TrialStarted
from pytest_sweep.model.retry import type_names
from pytest_sweep.model.trials import Task, TrialState
from pytest_sweep.space import own_containers, own_copy
from pytest_sweep.worker.body import wrap_body
from pytest_sweep.worker.current import activated
from pytest_sweep.worker.judgement import PATIENCE_SECONDS, Judgement, TrialStopped
from pytest_sweep.worker.lending import Lender
from pytest_sweep.worker.remarks import remarks
from pytest_sweep.worker.trial import ActiveTrial
from pytest_sweep.worker.usage import Usage
from pytest_sweep.worker.wide_fixtures import WideFixtures

Emit = Callable[[object], None]


class TrialRunner:
    """A pytest plugin that runs items as trials, one at a time.

    Args:
        emit: takes the events of `pytest_sweep.model.events`, from any thread.
        location: ``ip:pid`` of this process.
        keeper: keeps the fixtures of the session between items.
        sync_output: waits until what the trial has written is emitted, so that nothing of it comes after its end.
        lender: lends what the executor has for trials.
        behind: says for how many seconds what was emitted has not arrived.
        wide: watches the fixtures that outlive trials; None is one that tells nobody.
        usage: watches what trials use of the project; None where nobody wants to know.
        hurry: has what was emitted sent at once.
        patience: for how many seconds a report at a milestone waits for its verdict at the most.

    Attributes:
        wide: that plugin, which is registered beside this one.
    """

    def __init__(  # noqa: PLR0913 - what its session has for trials
        self,
        emit: Emit,
        location: str,
        keeper: FixtureKeeper,
        sync_output: Callable[[], None] = lambda: None,
        lender: Lender | None = None,
        behind: Callable[[], float] = lambda: 0.0,
        wide: WideFixtures | None = None,
        *,
        usage: Usage | None = None,
        hurry: Callable[[], None] = lambda: None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._usage = usage
        self._used: Used | None = None
        self._behind = behind
        self._hurry = hurry
        self._patience = patience
        self._judgement: Judgement | None = None
        self._lender = lender
        self._emit = emit
        self._sync_output = sync_output
        self._keeper = keeper
        self._location = location
        self._task: Task | None = None
        self._trial: ActiveTrial | None = None
        self._reports: list[pytest.TestReport] = []
        self._unshown: list[pytest.TestReport] = []
        self._may_retry = True
        self._scratch: Path | None = None
        self._unrestored: SweepError | None = None
        self.wide = wide or WideFixtures()

    def run(self, item: pytest.Item, task: Task) -> None:
        """Run `item` through ``pytest_runtest_protocol``; what became of it is emitted, unless it ends the session."""
        self._keeper.enter(item)
        began = clock.monotonic()
        self._emit(_started(task, self._location))
        self.wide.building.reset()
        self._reports, self._unshown, self._may_retry, self._used = [], [], True, None
        self.wide.state.begin(keeps_filters=not item.config.pluginmanager.hasplugin("warnings"))
        judgement = Judgement(task, self._hurry, self._patience)
        with activated(ActiveTrial(task, self._emit, self._lender, self._behind, judgement)) as trial:
            self._task, self._trial, self._judgement = task, trial, judgement
            try:
                # What the body does to its configuration leaves `trial.config` as it was.
                with given_config(item, own_containers(task.trial.config)):
                    # Its parent as the next item keeps the fixtures of wider scopes; the keeper tears them down in time.
                    self.run_protocol(item, item.parent)
            except BaseException as error:
                sections = tuple(private.captured_sections(item))
                self._emit(TrialLeft(task.trial.key, task.attempt, sections, task.lease))
                if isinstance(error, KeyboardInterrupt):
                    self._emit(
                        self._end(task, trial, began, TrialState.ERROR, "KeyboardInterrupt: raised in the trial")
                    )
                raise
            finally:
                trial.end_forked()  # By a fixture or a hook; the body sees to its own.
                self.wide.state.end()
                self._sync_output()
                self._task = self._trial = self._judgement = self._unrestored = None
                if self._scratch is not None:
                    shutil.rmtree(self._scratch, ignore_errors=True)
                    self._scratch = None
        state = trial_state(self._reports, judgement.state)
        for text in remarks(trial, task.trial.sweep.name, state, self._location):
            self._warn(item, text)
        reports = alike([serialized(item, report) for report in self._unshown])
        self._emit(self._end(task, trial, began, state, error_text(self._reports), reports))

    def tell(self, order: Tell) -> None:
        """Take a verdict, in any thread; one that is not for the trial that runs now is ignored."""
        judgement = self._judgement
        if judgement is not None:
            judgement.take(order)

    # Wrappers of the old style, because those of the new one stand in the traceback of whatever raises within them.

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, pluggy.Result[None], None]:
        """Find the trial's checkpoint and call its setup hook, before its fixtures are built."""
        if self._trial is not None:
            self._restore(item, self._trial)
        self._call_hook(item, "pytest_sweep_trial_setup")
        yield

    @pytest.hookimpl(tryfirst=True, specname="pytest_runtest_setup")
    def pytest_runtest_setup_restored(self) -> None:
        """Fail the set-up of a trial whose checkpoints cannot be read; pytest's own wrappers are ready for it only now."""
        __tracebackhide__ = True
        if self._unrestored is not None:
            raise self._unrestored

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, pluggy.Result[None], None]:
        """Call the trial's teardown hook after its fixtures are torn down, and take note of what it has used."""
        outcome = yield
        if self._usage is not None and self._task is not None and isinstance(item, pytest.Function):
            self._used = self._usage.of(item, self._task.trial.sweep.id)
        try:
            self._call_hook(item, "pytest_sweep_trial_teardown")
        except BaseException as error:  # It ends the session.
            outcome.force_exception(error)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Function) -> Generator[None, pluggy.Result[None], None]:
        """Take what the body returns or yields, and let a met stop rule or a verdict end it."""
        if self._trial is None or self._task is None:
            yield
            return
        original = item.obj
        item.obj = wrap_body(self.body_of(item), self._trial, self._task.trial.sweep.metric)
        outcome = yield
        item.obj = original
        if isinstance(outcome.exception, TrialStopped):
            outcome.force_result(None)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Judge the first failure: whether the sweep wants to try again after it."""
        report = yield
        if self._task is not None and report.failed and not any(earlier.failed for earlier in self._reports):
            raised = call.excinfo
            # Not by `str`, which a user's exception may fail at.
            types, text = ((), report.longreprtext) if raised is None else (type_names(raised.type), raised.exconly())
            may_help = raised is None or not is_of_shared(raised.value)
            self._may_retry = may_help and self._task.trial.sweep.retry_on.covers(types, text)
        return report

    def run_protocol(self, item: pytest.Item, nextitem: Any) -> None:
        """Run an item through pytest's hook, so that other plugins may run it in ways of their own."""
        item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)

    def body_of(self, item: pytest.Function) -> Callable[..., Any]:
        """Return what is called as the body of the trial: the item's function."""
        body: Callable[..., Any] = item.obj
        return body

    @property
    def current_key(self) -> str | None:
        """The key of the trial that runs right now, or None."""
        task = self._task
        return None if task is None else task.trial.key

    @property
    def is_running(self) -> bool:
        """Whether a trial runs right now."""
        return self._trial is not None

    def take(self, report: pytest.TestReport, *, is_shown: bool = False) -> None:
        """Take a report of the running trial; one that is shown already counts for its state only."""
        setattr(report, LOCATION, self._location)
        if self._judgement is not None and self._judgement.state is TrialState.PAUSED:
            forget_xpass(report)
        self._reports.append(report)
        if not is_shown:
            self._unshown.append(report)

    def _end(
        self,
        task: Task,
        trial: ActiveTrial,
        began: float,
        state: TrialState,
        error: str | None,
        reports: tuple[dict[str, Any], ...] = (),
    ) -> TrialFinished:
        return TrialFinished(
            task.trial.key,
            task.attempt,
            state,
            trial.final_metrics,
            error,
            clock.monotonic() - began,
            clock.wall(),
            reports,
            may_retry=self._may_retry,
            building=self.wide.building.seconds,
            lease=task.lease,
            used=self._used,
        )

    def _call_hook(self, item: pytest.Item, name: str) -> None:
        if self._trial is None:
            return
        for plugin, error in call_each(item.ihook, name, trial=self._trial):
            self._emit(HookFailed(name, plugin, error))

    def _restore(self, item: pytest.Item, trial: ActiveTrial) -> None:
        if self._task is None or not self._task.is_continued:
            return  # Nothing can be there: most trials neither look for it nor need a folder.
        # In the folder that pytest clears away, in case this process is killed.
        above = private.temporary_root(item.config)
        self._scratch = above / f"checkpoint-{trial.key}-{trial.attempt}"
        self._unrestored = None
        try:
            for text in trial.restore(self._scratch):
                self._warn(item, text)
        except SweepError as error:
            self._unrestored = SweepError(str(error))  # Without what it was raised from, which is ours.

    def _warn(self, item: pytest.Item, text: str) -> None:
        self._emit(warning_of(item, text))


def with_own_config(task: Task) -> Task:
    """Return the task with a copy of its configuration; unpickling a task has made one already."""
    return replace(task, trial=replace(task.trial, config=own_copy(task.trial.config)))


def _started(task: Task, location: str) -> TrialStarted:
    """Return the event that begins an attempt, with what this process was granted."""
    gpus, threads = (os.environ.get(name, "") for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"))
    return TrialStarted(task.trial.key, task.attempt, clock.wall(), location, gpus, threads, task.lease)
