"""What a run remembers and tells: the store, pytest and the other plugins, our hooks, the status and the summary."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_sweep.checkpoints import local_path
from pytest_sweep.engine.port import Executor
from pytest_sweep.errors import SweepError
from pytest_sweep.items.lifetimes import FixtureKeeper
from pytest_sweep.items.private import add_suite_property
from pytest_sweep.model import Run, TrialState
from pytest_sweep.model.events import Accepted
from pytest_sweep.plugin.collect.sweeps import TRIAL
from pytest_sweep.plugin.guests.others import Guests
from pytest_sweep.plugin.options import SweepOptions
from pytest_sweep.plugin.record.backup import Backup
from pytest_sweep.plugin.record.hooks import HookCaller
from pytest_sweep.plugin.record.replay import Replayer
from pytest_sweep.plugin.record.retrying import RetryingStore
from pytest_sweep.plugin.record.salvage import known_events, salvage
from pytest_sweep.plugin.session.continuing import continuing_command
from pytest_sweep.plugin.session.plan import Plan, out_of_reach
from pytest_sweep.plugin.session.signals import Interrupts
from pytest_sweep.plugin.session.tasks import TaskMaker
from pytest_sweep.plugin.session.verdict import exit_status
from pytest_sweep.plugin.show.interrupted import write_interrupted
from pytest_sweep.plugin.show.live import LiveDisplay, can_draw, shows_state
from pytest_sweep.plugin.show.stalls import Engine
from pytest_sweep.plugin.show.terminal import StatusPrinter, write_below, write_summary
from pytest_sweep.plugin.show.warned import warn
from pytest_sweep.reporting import Progress, excluded_line, junit_suite_properties
from pytest_sweep.results import SweepResults, load_results
from pytest_sweep.store import RunLock, RunStore, ends, git_state, package_versions, starts

if TYPE_CHECKING:
    from pytest_sweep.plugin.record.tracking import Tracking
    from pytest_sweep.plugin.show.debugging import Debugger


class Recorder:
    """The audience of one run. It makes the run's database, with all trials in it.

    Args:
        config: the session's configuration.
        options: the plugin's options.
        executor: where the trials run.
        items: the items of the trials, by key.
        plan: what is taken of earlier runs, and what goes on from them.
        hooks: calls our hooks.
        tasks: makes the tasks of the run, which has a folder; it is told of checkpoints.
        keeper: keeps the fixtures of this session between items.
        engine: knows what there is and what waits; None where nothing is to be run.
        lock: says that the run goes on; released when the database is closed.

    Attributes:
        attempts: with which attempt those trials go on that an earlier run has begun, by key.
        metrics: what these have last reported, by key.

    Raises:
        StoreError: the database cannot be made, or the one of an earlier run not be read.
    """

    def __init__(  # noqa: PLR0913 - all that a run consists of
        self,
        config: pytest.Config,
        options: SweepOptions,
        executor: Executor,
        items: Mapping[str, pytest.Item],
        *,
        plan: Plan,
        hooks: HookCaller,
        tasks: TaskMaker,
        keeper: FixtureKeeper,
        engine: Engine | None,
        lock: RunLock,
    ) -> None:
        trials = [item.stash[TRIAL] for item in items.values()]
        self._run = run = tasks.run
        self._config, self._plan, self._hooks = config, plan, hooks
        self._reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
        self._make_store = partial(_made_store, config, run, items, plan)
        store = self._make_store(lock)
        plan.tidy(trial for trial in trials if trial.key not in plan.taken)
        self._taken, stored = ends(store.path, plan.taken), starts(store.path, plan.continued)
        begun = plan.within_reach(stored, options.storage)
        if text := out_of_reach(stored, begun, {trial.key: trial.name for trial in trials}):
            warn(config, text)
        self.attempts = {key: start.attempt for key, start in begun.items()}
        self.metrics = {key: start.metrics for key, start in begun.items() if start.metrics is not None}
        self._retrying = RetryingStore(store, self._tell)
        self._salvaged = ""
        self._tasks = tasks
        self._backup = self._backup_to(options)
        self._tracking = self._tracking_to(options)
        self._progress = Progress(trials)
        self._replayer = Replayer(
            config, items, self._retrying, hooks, self._progress, tasks, _debugger(config, keeper, tasks)
        )
        self._replayer.points = plan.known_from
        self._replayer.go_on(begun)
        is_live = shows_state(config, options, executor.name)
        self._status = StatusPrinter(config, options, executor, self._progress, hooks, run, engine, is_live=is_live)
        self._live: LiveDisplay | None = None
        if self._reporter is not None and can_draw(config, options):
            behind = tuple if self._tracking is None else self._tracking.behind
            self._live = LiveDisplay(
                self._reporter,
                run,
                self._progress,
                engine,
                has_state=is_live,
                bars=self._replayer.beside.progress_bars,
                trackers=behind,
            )
        # Not there where trials run in this session.
        self._guests: Guests | None = config.pluginmanager.get_plugin("sweep-guests")
        self.show = self._replayer.show

    # What the engine's loop tells

    def persist(self, batch: Sequence[Accepted]) -> None:
        """Store the events; when this returns they survive a power cut."""
        self._replayer.persist(batch)
        if self._guests is not None:
            self._guests.note(batch)

    def tick(self) -> None:
        """Write the status, copy the database, draw the live view, and look after what sends the run to trackers, if it is time."""
        self._status.tick()
        if self._backup is not None:
            self._backup.tick()
        if self._tracking is not None:
            self._tracking.tick()
        if self._live is not None:
            self._live.tick()

    # The beginning and the end

    def show_taken(self) -> None:
        """Show what was taken from earlier runs.

        Raises:
            pytest.Session.Failed, pytest.Session.Interrupted: a failure that was taken ends the session.
        """
        self._replayer.show_taken(self._taken, self._plan.taken)

    def close_live(self) -> None:
        """Draw no live view any more, and show what is left of rewritten lines. A second call does nothing."""
        self._replayer.beside.end_outputs()
        if self._live is not None:
            self._live.close()

    def end_run(self) -> None:
        """Store what waits, and tell of the results."""
        self._status.finish()
        self._retrying.flush()
        results: SweepResults | None = None
        # A million results need not be loaded for nobody: our own implementation takes none.
        if self._hooks.is_asked_for("pytest_sweep_run_finish", "results"):
            try:
                self._retrying.verify()
                results = load_results(self._run.path)
            except SweepError as error:
                self._hooks.note_failure("pytest_sweep_run_finish", "pytest-sweep", f"not called: {error}")
                return
        self._hooks.call("pytest_sweep_run_finish", run=self._run, results=results)

    def go_wrong(self, cause: str) -> None:
        """Take note of why the run cannot go on."""
        self._replayer.fatal = cause

    def write_summary(self, reporter: pytest.TerminalReporter) -> None:
        """Write the final table, the best trials, the failures and what went wrong beside the trials."""
        copying = None if self._backup is None else self._backup.trouble
        excluded = [excluded_line(address, cause) for address, cause in self._replayer.beside.excluded.items()]
        stored = [self._retrying.summary(), self._salvaged]
        untracked = () if self._tracking is None else self._tracking.lines()
        troubles = [*excluded, self._replayer.fatal, *stored, copying, *untracked, self._continuing()]
        write_interrupted(reporter, self._replayer.interrupted)
        write_summary(reporter, self._progress, self._status, self._hooks, troubles)

    def add_suite_properties(self) -> None:
        """Add the best of each sweep to the junit file, if one is written."""
        for name, value in junit_suite_properties(self._progress):
            add_suite_property(self._config, name, value)

    def _continuing(self) -> str | None:
        """Return how to go on with what is not done; None where everything is."""
        if self._progress.counts().keys().isdisjoint((TrialState.INTERRUPTED, TrialState.NOT_RUN)):
            return None
        given = [str(argument) for argument in self._config.invocation_params.args]
        command = continuing_command(given, self._run.name, sys.argv[0], self._config.getoption("maxfail"))
        return f"To continue: {command}"

    def store_waiting(self) -> None:
        """Try once more to store what could not be stored."""
        self._retrying.flush()

    def exit_status(self, status: int, failures: int, *, cut_short: bool) -> int:
        """Return the session's exit status, as `pytest_sweep.plugin.session.verdict.exit_status` does."""
        failed, unstored = self._replayer.failed_reports, self._retrying.is_behind
        return exit_status(status, failures, failed, self._progress, cut_short=cut_short, unstored=unstored)

    def verify(self) -> None:
        """See whether the database holds what was stored, so that it may be read; repair it if not.

        Raises:
            StoreError: it cannot be repaired.
        """
        self._retrying.verify()

    def close(self, status: Callable[[], int]) -> None:
        """Store how the run ended, with the exit status that is returned then, and close the store."""
        self._retrying.finish(status)
        if self._retrying.is_damaged:
            self._salvaged = salvage(
                Path(self._run.path),
                self._make_store,
                known_events(self._progress, self._tasks, self._plan.taken),
                status(),
            )
        if self._backup is not None:
            self._backup.finish()

    def finish_tracking(self, interrupts: Interrupts) -> None:
        """Wait a while until all is sent to the trackers. A Ctrl-C that ended the run does not end the wait; the next one does."""
        if self._tracking is not None:
            interrupts.forget_held()
            self._tracking.finish(lambda: interrupts.is_waiting)

    def _tracking_to(self, options: SweepOptions) -> Tracking | None:
        if not options.track:
            return None
        from pytest_sweep.plugin.record.tracking import Tracking
        from pytest_sweep.trackers.registry import parse_trackers

        trackers = parse_trackers(options.track)
        tracking = Tracking(
            Path(self._run.path), trackers, options.track_wait, self._config.invocation_params.dir, self._tell
        )
        self._config.add_cleanup(tracking.end)  # However the session ends.
        return tracking

    def _backup_to(self, options: SweepOptions) -> Backup | None:
        path = None if options.storage is None else local_path(options.storage)
        # Where the storage is the folder for results, the database is there already: a copy would replace it.
        if options.storage is None or (path is not None and path.resolve() == options.results_dir.resolve()):
            return None
        return Backup(Path(self._run.path), options.storage, self._tell)

    def _tell(self, text: str) -> None:
        if self._reporter is not None:
            write_below(self._reporter, text)


def _made_store(
    config: pytest.Config, run: Run, items: Mapping[str, pytest.Item], plan: Plan, lock: RunLock | None = None
) -> RunStore:
    """Return the store of the run, with its trials and what is taken of earlier runs."""
    store = RunStore.of(
        run,
        rootdir=config.rootpath,
        versions=package_versions(),
        git=git_state(config.rootpath),
        resumed_from=plan.resumed_from,
        lock=lock,
    )
    store.add_trials([item.stash[TRIAL] for item in items.values()], plan.sources)  # Slots as they are now.
    store.points = plan.known_from
    plan.copy_into(store)
    return store


def _debugger(config: pytest.Config, keeper: FixtureKeeper, tasks: TaskMaker) -> Debugger | None:
    if not tasks.remembers:
        return None
    from pytest_sweep.plugin.show.debugging import Debugger

    return Debugger(config, keeper, tasks.remembered.__getitem__)
