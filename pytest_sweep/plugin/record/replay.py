"""Stores what happens to trials, then shows it to pytest, as if it had happened here, and to our hooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sweep.errors import StoreError
from pytest_sweep.items.private import keeping_failures
from pytest_sweep.items.reports import CAME_OUT, CONFIGURATION, LOCATION, warning_of
from pytest_sweep.model import Trial, TrialState, events
from pytest_sweep.model.search_events import Proposed
from pytest_sweep.model.study import VerdictKind
from pytest_sweep.plugin.collect.slots import configure
from pytest_sweep.plugin.collect.sweeps import TRIAL
from pytest_sweep.plugin.record.beside import Beside
from pytest_sweep.plugin.record.hooks import HookCaller
from pytest_sweep.plugin.record.output import OutputFile
from pytest_sweep.plugin.record.reports import (
    made_report,
    note_stop,
    rebuilt,
    reports_of_cached,
    reports_of_interrupted,
    reports_without_worker,
)
from pytest_sweep.plugin.record.retrying import RetryingStore
from pytest_sweep.plugin.record.turns import Turns
from pytest_sweep.plugin.session.ending import raise_if_ended
from pytest_sweep.plugin.session.tasks import TaskMaker
from pytest_sweep.plugin.show.rebuilding import RebuildingWatch
from pytest_sweep.reporting import Progress, came_out, junit_properties, short_reason
from pytest_sweep.results import Result, path_or_url
from pytest_sweep.store import Outcome, RunReader, Start

if TYPE_CHECKING:
    from pytest_sweep.plugin.show.debugging import Debugger


class Replayer:
    """The driver's memory and mouth.

    Attributes:
        beside: shows what is no end of a trial.
        failed_attempts: the errors of the attempts of each trial that were tried again, by key.
        failed_reports: how many failures of each sweep's trials pytest has counted, by the sweep's id.
        fatal: why the run could not go on, or None.
        points: the runs that have tried configurations of searched sweeps before, by the keys of their points.
        interrupted: the names of trials that were cut off, each with what was captured by then.
    """

    def __init__(
        self,
        config: pytest.Config,
        items: Mapping[str, pytest.Item],
        retrying: RetryingStore,
        hooks: HookCaller,
        progress: Progress,
        tasks: TaskMaker,
        debugger: Debugger | None = None,
    ) -> None:
        self.failed_attempts: dict[str, list[str]] = {}
        self.failed_reports: Counter[str] = Counter()
        self.fatal: str | None = None
        self.points: Mapping[str, str] = {}
        self.interrupted: list[tuple[str, tuple[tuple[str, str], ...]]] = []
        self._config = config
        self._items = items
        self._retrying = retrying
        self._run_name, self._run_folder = tasks.run.name, Path(tasks.run.path)
        self._output = OutputFile(self._run_folder)
        self._hooks = hooks
        self._progress = progress
        self._tasks = tasks
        self._debugger = debugger
        self._taken: Mapping[str, str] = {}
        self._stopped: set[str] = set()
        self._is_verbose = config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) > 0
        self._rebuilding = RebuildingWatch(item.stash[TRIAL] for item in items.values())
        self._turns = Turns(list(items)) if config.getoption("stepwise", False) else None
        self.beside = Beside(config, items, hooks)
        self._show: dict[type, Callable[[Any], None]] = {
            events.TrialStarted: self._show_start,
            events.TrialReported: self._show_report,
            events.TrialRetried: self._show_retry,
            events.TrialFinished: self._show_finish if self._turns is None else self._show_in_turn,
            events.TrialInterrupted: self._show_interrupted,
            events.TrialJudged: self._show_judged,
            events.StudyNoted: self.beside.note,
            events.LateReport: self.beside.late_report,
            events.TeardownTimedOut: self.beside.teardown,
            events.NodeExcluded: self.beside.excluded_node,
            events.WarningRecorded: self.beside.warning,
            events.HookFailed: self.beside.hook_failure,
            events.OutputWritten: self.beside.output,
            events.LogWritten: self.beside.log,
        }

    def persist(self, batch: Sequence[events.Accepted]) -> None:
        """Store the events, all in one transaction, or keep them until that is possible, and count them."""
        self._retrying.record(batch)
        for event in batch:
            self._progress.update(event)
            if isinstance(event, events.TrialReported):
                self._tasks.reported[event.key] = event.attempt, event.metrics["training_iteration"]
                if event.checkpoint is not None:
                    self._tasks.checkpoints[event.key] = event.checkpoint, event.metrics["training_iteration"]
            elif isinstance(event, events.CheckpointDamaged):
                self._tasks.checkpoints[event.key] = event.restored, event.iteration
            elif isinstance(event, events.TrialConfigured):
                configure(self._items[event.key], event.proposed)
                self._tasks.configure(event.proposed)
            elif isinstance(event, events.TrialResumed) and event.resumption.config is not None:
                trial = self._items[event.key].stash[TRIAL]
                explored = Proposed(event.key, event.resumption.config, trial.label, trial.point_key)
                configure(self._items[event.key], explored)
                self._tasks.configure(explored)

    def go_on(self, starts: Mapping[str, Start]) -> None:
        """Take note of where trials go on that an earlier run has begun, by their keys."""
        self._progress.go_on({key: start.attempt for key, start in starts.items()})
        self._recall([key for key, start in starts.items() if start.checkpoint is not None], starts)
        for key, start in starts.items():
            self._tasks.checkpoints[key] = start.checkpoint, start.iteration
            self._tasks.reported[key] = start.reported
            self.failed_attempts[key] = list(start.errors)

    def show_taken(self, ends: Sequence[events.TrialFinished], taken: Mapping[str, Outcome]) -> None:
        """Show what is `taken` from earlier runs, by key. It is stored already, and no hook is called.

        Raises:
            pytest.Session.Failed, pytest.Session.Interrupted: as `show`.
        """
        self._taken = {key: outcome.folder.name for key, outcome in taken.items()}
        for end in ends:
            if taken[end.key].was_skipped:
                self._progress.note_skipped(end.key, self._taken[end.key])
            self._progress.update(end)
        self._recall([end.key for end in ends])
        for end in ends:
            self._show[events.TrialFinished](end)

    def show(self, event: events.Accepted) -> None:
        """Show one event.

        Raises:
            pytest.Session.Failed, pytest.Session.Interrupted: ``-x`` or ``--maxfail`` is reached, or a plugin wants to stop.
        """
        show = self._show.get(type(event))
        if show is not None:
            show(event)

    def _recall(self, keys: Sequence[str], starts: Mapping[str, Start] | None = None) -> None:
        """Read from the store what trials of an earlier run are judged by, unless their final metrics tell it."""
        entries = [self._progress.of(key) for key in keys]
        unknown = [entry.trial.key for entry in entries if entry.trial.sweep.metric and not entry.is_judged]
        if unknown:
            reading = partial(RunReader(self._run_folder).histories, unknown)
            for key, reports in self._retrying.read(reading).items():
                self._progress.recall(key, reports, starts[key].iteration if starts else None)

    def _show_start(self, event: events.TrialStarted) -> None:
        item = self._items[event.key]
        self._hooks.call("pytest_sweep_trial_start", item, trial=item.stash[TRIAL], attempt=event.attempt)

    def _show_report(self, event: events.TrialReported) -> None:
        item = self._items[event.key]
        self._hooks.call("pytest_sweep_trial_report", item, trial=item.stash[TRIAL], metrics=event.metrics)
        if event.checkpoint is not None:
            checkpoint = path_or_url(event.checkpoint)
            self._hooks.call("pytest_sweep_trial_checkpoint", item, trial=item.stash[TRIAL], checkpoint=checkpoint)

    def _show_retry(self, event: events.TrialRetried) -> None:
        item, failed = self._items[event.failed.key], event.failed
        self.beside.end_output(failed.key)
        error = failed.error or "the attempt failed"
        self.failed_attempts.setdefault(failed.key, []).append(error)
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        report = made_report(item, "rerun", error, failed.duration)
        if self._is_verbose:
            setattr(report, CAME_OUT, short_reason(error))
        report.sections.extend(failed.sections)
        item.ihook.pytest_runtest_logreport(report=report)
        self._output.take([report])
        self._hooks.call("pytest_sweep_trial_retry", item, trial=item.stash[TRIAL], error=error)

    def _show_judged(self, event: events.TrialJudged) -> None:
        verdict = event.verdict
        if verdict is None or verdict.kind is not VerdictKind.STOP or event.key in self._stopped:
            return
        self._stopped.add(event.key)  # Its end has the same verdict.
        item, iteration = self._items[event.key], event.observation.iteration
        self._hooks.call(
            "pytest_sweep_trial_stopped", item, trial=item.stash[TRIAL], iteration=iteration, reason=verdict.reason
        )

    def _show_in_turn(self, event: events.TrialFinished) -> None:
        if event.state is TrialState.PAUSED:
            return
        assert self._turns is not None
        for ended in self._turns.take(event):
            self._show_finish(ended)

    def _show_finish(self, event: events.TrialFinished) -> None:
        if event.state is TrialState.PAUSED:
            return
        self.beside.end_output(event.key)
        item = self._items[event.key]
        nodeid, hook = item.nodeid, item.ihook  # Asked for once: each is found out anew.
        # The worker has found it out already, which takes a look at the disk.
        location = event.reports[0]["location"] if event.reports else item.location
        hook.pytest_runtest_logstart(nodeid=nodeid, location=location)
        trial, failed = item.stash[TRIAL], self.failed_attempts.get(event.key, ())
        taken_from = self._taken.get(event.key)
        if event.state is TrialState.CACHED and taken_from is None:
            taken_from = self.points.get(trial.point_key)
        origin = [] if taken_from is None else [("sweep.taken_from", taken_from)]
        stopped_by = self._progress.of(event.key).stopped_by

        def properties(own: Sequence[tuple[str, object]]) -> list[tuple[str, object]]:
            names = [str(name) for name, _ in own]
            its = junit_properties(trial, event.state, event.metrics, self._run_name, failed, names, stopped_by)
            return [*own, *its, *origin]

        usual: list[tuple[str, object]] = []
        reports = self._reports(item, event)
        for report in reports:
            self.failed_reports[trial.sweep.id] += report.failed
            self._complete(report, item, trial, stopped_by)
            if report.when != "setup":  # The metrics are known when the body has ended.
                if report.user_properties:
                    report.user_properties = properties(report.user_properties)
                else:
                    usual = report.user_properties = usual or properties(())  # pytest keeps them: one list for both.
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=nodeid, location=location)
        self._output.take(reports)
        if (advice := self._rebuilding.note(trial, event)) is not None:
            self.beside.warning(warning_of(item, advice))
        if taken_from is None:
            self._tell_of_end(item, event)
        raise_if_ended(item.session)

    def _complete(self, report: pytest.TestReport, item: pytest.Item, trial: Trial, stopped_by: str) -> None:
        """Add to a report what only the driver knows of its trial."""
        if self._is_verbose:
            setattr(report, CAME_OUT, came_out(self._progress, trial.key))
            if trial.point_key:
                setattr(report, CONFIGURATION, f"{{{trial.label}}} ")
        if stopped_by:
            note_stop(report, item, stopped_by)
            if not hasattr(report, LOCATION):  # It was paused, and did not go on.
                setattr(report, LOCATION, self._progress.of(trial.key).location)

    def _tell_of_end(self, item: pytest.Item, event: events.TrialFinished) -> None:
        if self._hooks.is_implemented("pytest_sweep_trial_finish"):
            self._tell_of_result(item, event.key)
        if self._debugger is not None and event.state is TrialState.ERROR:
            self._debugger.run_again(item, event.key)

    def _tell_of_result(self, item: pytest.Item, key: str) -> None:
        if self._retrying.is_behind:
            cause = f"not called while results cannot be stored: {self._retrying.trouble}"
            self._hooks.note_failure("pytest_sweep_trial_finish", "pytest-sweep", cause)
            return
        reader = RunReader(self._run_folder)
        try:
            (stored,) = self._retrying.read(partial(reader.trials, keys=[key]))
        except (StoreError, ValueError) as error:
            self._hooks.note_failure("pytest_sweep_trial_finish", "pytest-sweep", f"not called: {error}")
            return
        result = Result.from_store(stored, reader)
        self._hooks.call("pytest_sweep_trial_finish", item, trial=item.stash[TRIAL], result=result)

    def _show_interrupted(self, event: events.TrialInterrupted) -> None:
        """Show a trial that was cut off: to junit and others as one that was skipped, since nobody knows how it would have ended."""
        self.beside.end_output(event.key)
        item = self._items[event.key]
        self.interrupted.append((item.name, event.sections))
        trial, failed = item.stash[TRIAL], self.failed_attempts.get(event.key, ())
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        properties = junit_properties(trial, TrialState.INTERRUPTED, event.metrics, self._run_name, failed)
        with keeping_failures(self._config):  # pytest takes what is skipped for mended.
            for report in reports_of_interrupted(item, event, properties):
                item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _reports(self, item: pytest.Item, event: events.TrialFinished) -> list[pytest.TestReport]:
        if event.reports:
            return [rebuilt(self._config, data) for data in event.reports]
        if event.state is TrialState.CACHED:
            return reports_of_cached(item)
        return reports_without_worker(item, event, self._taken.get(event.key))
