"""The trials of a session, from the store that is made for them to the summary of what came out."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import pytest

from pytest_sweep.checkpoints import local_path
from pytest_sweep.engine.loop import Loop, SessionExit
from pytest_sweep.engine.policy import Policy
from pytest_sweep.errors import ExecutorError, StoreError, SweepError
from pytest_sweep.executors.base import Executor
from pytest_sweep.model.events import Accepted, TrialNotRun
from pytest_sweep.model.trials import Task, Trial
from pytest_sweep.plugin.backup import Backup
from pytest_sweep.plugin.checks import check_executor
from pytest_sweep.plugin.collection import TRIAL
from pytest_sweep.plugin.debugging import Debugger
from pytest_sweep.plugin.hooks import HookCaller
from pytest_sweep.plugin.neighbours import Neighbours
from pytest_sweep.plugin.options import SweepOptions
from pytest_sweep.plugin.recording import Recorder
from pytest_sweep.plugin.replay import Replayer
from pytest_sweep.plugin.resuming import Plan
from pytest_sweep.plugin.terminal import StatusPrinter, write_below, write_summary
from pytest_sweep.plugin.verdict import exit_status
from pytest_sweep.reporting import Progress
from pytest_sweep.results import load_results
from pytest_sweep.store import RunStore, ends, git_state, package_versions, starts
from pytest_sweep.worker.keeper import FixtureKeeper
from pytest_sweep.worker.spec import session_spec


class TrialPhase:
    """Runs the selected trials of a session once.

    Args:
        config: the session's configuration.
        options: the plugin's options.
        executor: where the trials run; it is up, unless there are none to run.
        policy: the engine's settings.
        items: the items of the trials.
        keeper: keeps the fixtures of this session between items.
        plan: what is taken of earlier runs, and what goes on from them.

    Raises:
        InfeasibleError: a trial asks for more than any node has.
        StoreError: the results cannot be written.
    """

    def __init__(
        self,
        config: pytest.Config,
        options: SweepOptions,
        executor: Executor,
        policy: Policy,
        items: Sequence[pytest.Item],
        keeper: FixtureKeeper,
        plan: Plan,
    ) -> None:
        self._trials = [item.stash[TRIAL] for item in items]
        self._to_run = [trial for trial in self._trials if trial.key not in plan.taken]
        self._plan = plan
        if self._to_run:
            check_executor(executor, config, options, policy, self._to_run)
        self._executor = executor
        self._storage, self._keep_checkpoints = options.storage, options.keep_checkpoints
        self._items: Mapping[str, pytest.Item] = {item.stash[TRIAL].key: item for item in items}
        self._store = RunStore.create(
            options.results_dir,
            seed=options.seed,
            command=shlex.join(["pytest", *map(str, config.invocation_params.args)]),
            executor=executor.name,
            rootdir=config.rootpath,
            versions=package_versions(),
            git=git_state(config.rootpath),
            resumed_from=plan.resumed_from,
        )
        self._hooks = HookCaller(config)
        self._progress = Progress(self._trials)
        self._tasks: dict[str, Task] = {}
        self._has_begun = False
        # Inline, pytest opens the debugger where the trial runs.
        self._debugs = config.getoption("usepdb", False) and executor.name != "inline"
        debugger = Debugger(config, keeper, self._tasks.__getitem__) if self._debugs else None
        self._reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
        self._recorder = Recorder(self._store, self._tell)
        self._backup = self._backup_to(options)
        self._replayer = Replayer(
            config, self._items, self._recorder, self._store.run, self._hooks, self._progress, debugger
        )
        self._status = StatusPrinter(config, options, executor, self._progress, self._hooks, str(self._store.path))
        # Not there where trials run in this session.
        neighbours: Neighbours | None = config.pluginmanager.get_plugin("sweep-neighbours")
        self._loop: Loop | None = None
        if not self._to_run:
            return
        self._loop = Loop(
            executor, _Audience(self._replayer, self._status, neighbours, self._backup), policy, self._task
        )
        files, workerinput = sorted({item.path for item in items}), neighbours.workerinput() if neighbours else {}
        spec = session_spec(config, files, self._store.run.name, self._store.path, _environment(options), workerinput)
        executor.open(spec, self._items)

    def run(self, session: pytest.Session) -> None:
        """Run the trials to their ends.

        Raises:
            pytest.Session.Interrupted, pytest.Session.Failed, pytest.exit.Exception, KeyboardInterrupt: as pytest's own loop.
        """
        run = self._store.run
        try:
            self._store.add_trials(self._trials, self._plan.sources)
            self._plan.copy_into(self._store)
            taken = ends(self._store.path, self._plan.taken)
            begun = starts(self._store.path, self._plan.continued)
        except StoreError as error:
            raise pytest.UsageError(str(error)) from error
        self._replayer.go_on(begun)
        self._hooks.call("pytest_sweep_run_start", run=run)
        self._status.start(self._loop)
        ending = "the session was ended"
        try:
            self._replayer.show_taken(taken, {key: its.folder.name for key, its in self._plan.taken.items()})
            self._run_loop({key: start.attempt for key, start in begun.items()})
            ending = ""
        except SessionExit as wanted:
            ending = f"pytest.exit: {wanted.reason}"
            pytest.exit(wanted.reason, wanted.status)
        except ExecutorError as error:
            self._replayer.fatal = str(error)
            ending = str(error).splitlines()[0]
            raise session.Interrupted(f"the sweep cannot go on: {ending}") from error
        except (session.Failed, session.Interrupted) as stop:
            ending = str(stop)
            raise
        except KeyboardInterrupt as interrupt:
            ending = f"interrupted by {interrupt}" if str(interrupt) else "interrupted"
            raise
        finally:
            if ending:
                self._abort(ending)
            self._executor.shutdown(force=bool(ending))
            self._status.finish()
            self._recorder.flush()
            self._tell_of_results()

    def write_summary(self, reporter: pytest.TerminalReporter) -> None:
        """Write the final table, the best trials, the failures and what went wrong beside the trials."""
        copying = None if self._backup is None else self._backup.trouble
        troubles = [self._replayer.fatal, self._recorder.summary(), copying]
        write_summary(reporter, self._progress, self._status, self._hooks, troubles)

    def store_waiting(self) -> None:
        """Try once more to store what could not be stored."""
        self._recorder.flush()

    def exit_status(self, status: int, failures: int) -> int:
        """Return the session's exit status, where pytest would say `status` after so many `failures`."""
        failed, unstored = self._replayer.failed_reports, self._recorder.is_behind
        cut_short = self._loop is not None and self._loop.out_of_time
        return exit_status(status, failures, failed, self._progress, cut_short=cut_short, unstored=unstored)

    def close(self, status: int) -> None:
        """Store how the run ended, and close the store."""
        self._recorder.finish(status)
        if self._backup is not None:
            self._backup.finish()

    def _run_loop(self, attempts: Mapping[str, int]) -> None:
        if self._loop is not None:
            self._has_begun = True
            self._loop.run(self._to_run, attempts)

    def _abort(self, ending: str) -> None:
        """Note what has not run; where a taken failure ends the session, the loop has not heard of anything yet."""
        if self._loop is not None and self._has_begun:
            self._loop.abort(ending)
        else:
            self._replayer.persist([TrialNotRun(trial.key, ending) for trial in self._to_run])

    def _backup_to(self, options: SweepOptions) -> Backup | None:
        path = None if options.storage is None else local_path(options.storage)
        # Where the storage is the folder for results, the database is there already: a copy would replace it.
        if options.storage is None or (path is not None and path.resolve() == options.results_dir.resolve()):
            return None
        return Backup(self._store.path, options.storage, self._tell)

    def _tell(self, text: str) -> None:
        if self._reporter is not None:
            write_below(self._reporter, text)

    def _tell_of_results(self) -> None:
        run = self._store.run
        try:
            results = load_results(run.path)
        except SweepError as error:
            self._hooks.note_failure("pytest_sweep_run_finish", "pytest-sweep", f"not called: {error}")
        else:
            self._hooks.call("pytest_sweep_run_finish", run=run, results=results)

    def _task(self, key: str, attempt: int) -> Task:
        trial = self._items[key].stash[TRIAL]
        checkpoint, iteration = self._replayer.checkpoints.get(key, (None, 0))
        folder = self._store.path / trial.path_name
        task = Task(
            trial,
            attempt,
            str(folder),
            checkpoint,
            iteration,
            checkpoints=self._location(trial) or str(folder / "checkpoints"),
            keep_checkpoints=trial.sweep.keep_checkpoints or self._keep_checkpoints,
            reported=self._replayer.reported.get(key, (0, 0)),
        )
        if self._debugs:
            self._tasks[key] = task
        return task

    def _location(self, trial: Trial) -> str:
        """Return where the trial's checkpoints go, if not into its own folder."""
        if self._storage is None:
            return ""
        return f"{self._storage.rstrip('/')}/{self._store.run.name}/{trial.path_name}/checkpoints"


class _Audience:
    """The store, pytest and the other plugins; the status block and the copy of the database at times."""

    def __init__(
        self, replayer: Replayer, status: StatusPrinter, neighbours: Neighbours | None, backup: Backup | None
    ) -> None:
        self._replayer = replayer
        self._status = status
        self._neighbours = neighbours
        self._backup = backup
        self.show = replayer.show

    def tick(self) -> None:
        self._status.tick()
        if self._backup is not None:
            self._backup.tick()

    def persist(self, batch: Sequence[Accepted]) -> None:
        self._replayer.persist(batch)
        if self._neighbours is not None:
            self._neighbours.note(batch)


def _environment(options: SweepOptions) -> dict[str, str]:
    """Return the environment variables that workers are to have: all, on this machine; on a cluster pytest's and those that are named."""
    wanted = ("PYTEST_*", *options.env)
    names = [name for name in os.environ if options.address is None or any(fnmatchcase(name, it) for it in wanted)]
    # Ray's own tell its processes who they are; the one of the running test is the driver's.
    return {name: os.environ[name] for name in names if not name.startswith("RAY_") and name != "PYTEST_CURRENT_TEST"}
