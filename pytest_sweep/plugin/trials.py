"""The trials of a session, from the store that is made for them to the summary of what came out."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence

import pytest

from pytest_sweep.engine.fleet import Policy
from pytest_sweep.engine.loop import Loop, SessionExit
from pytest_sweep.engine.pool import check_feasible
from pytest_sweep.errors import ExecutorError, StoreError, SweepError
from pytest_sweep.executors.base import Executor
from pytest_sweep.model.events import Accepted
from pytest_sweep.model.trials import Task
from pytest_sweep.plugin.collection import TRIAL
from pytest_sweep.plugin.debugging import Debugger
from pytest_sweep.plugin.hooks import HookCaller
from pytest_sweep.plugin.neighbours import Neighbours
from pytest_sweep.plugin.options import SweepOptions
from pytest_sweep.plugin.recording import Recorder
from pytest_sweep.plugin.replay import Replayer
from pytest_sweep.plugin.signals import interrupted_by_signals
from pytest_sweep.plugin.terminal import StatusPrinter, write_below, write_summary
from pytest_sweep.plugin.verdict import exit_status
from pytest_sweep.reporting import Progress
from pytest_sweep.results import load_results
from pytest_sweep.store import RunStore, git_state, package_versions
from pytest_sweep.worker.keeper import FixtureKeeper
from pytest_sweep.worker.spec import session_spec


class TrialPhase:
    """Runs the selected trials of a session once.

    Args:
        config: the session's configuration.
        options: the plugin's options.
        executor: where the trials run; it is up.
        policy: the engine's settings.
        items: the items of the trials.
        keeper: keeps the fixtures of this session between items.

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
    ) -> None:
        self._trials = [item.stash[TRIAL] for item in items]
        sizes = [*(node.resources for node in executor.nodes()), *executor.future_nodes()]
        check_feasible(self._trials, sizes, executor.advice)
        self._executor = executor
        self._items: Mapping[str, pytest.Item] = {item.stash[TRIAL].key: item for item in items}
        self._store = RunStore.create(
            options.results_dir,
            seed=options.seed,
            command=shlex.join(["pytest", *map(str, config.invocation_params.args)]),
            executor=executor.name,
            rootdir=config.rootpath,
            versions=package_versions(),
            git=git_state(config.rootpath),
        )
        self._hooks = HookCaller(config)
        self._progress = Progress(self._trials)
        self._tasks: dict[str, Task] = {}
        # Inline, pytest opens the debugger where the trial runs.
        self._debugs = config.getoption("usepdb", False) and executor.name != "inline"
        debugger = Debugger(config, keeper, self._tasks.__getitem__) if self._debugs else None
        self._reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
        self._recorder = Recorder(self._store, self._tell)
        self._replayer = Replayer(
            config, self._items, self._recorder, self._store.run, self._hooks, self._progress, debugger
        )
        self._status = StatusPrinter(config, options, executor, self._progress, self._hooks, str(self._store.path))
        # Not there where trials run in this session.
        neighbours: Neighbours | None = config.pluginmanager.get_plugin("sweep-neighbours")
        self._loop = Loop(executor, _Audience(self._replayer, self._status, neighbours), policy, self._task)
        files, workerinput = sorted({item.path for item in items}), neighbours.workerinput() if neighbours else {}
        spec = session_spec(config, files, self._store.run.name, _environment(options), workerinput)
        executor.open(spec, self._items)

    def run(self, session: pytest.Session) -> None:
        """Run the trials to their ends.

        Raises:
            pytest.Session.Interrupted, pytest.Session.Failed, pytest.exit.Exception, KeyboardInterrupt: as pytest's own loop.
        """
        run = self._store.run
        try:
            self._store.add_trials(self._trials)
        except StoreError as error:
            raise pytest.UsageError(str(error)) from error
        self._hooks.call("pytest_sweep_run_start", run=run)
        self._status.start(self._loop)
        ending = "the session was ended"
        try:
            with interrupted_by_signals():
                self._loop.run(self._trials)
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
                self._loop.abort(ending)
            self._executor.shutdown(force=bool(ending))
            self._status.finish()
            self._recorder.flush()
            self._tell_of_results()

    def write_summary(self, reporter: pytest.TerminalReporter) -> None:
        """Write the final table, the best trials, the failures and what went wrong beside the trials."""
        troubles = [self._replayer.fatal, self._recorder.summary()]
        write_summary(reporter, self._progress, self._status, self._hooks, troubles)

    def exit_status(self, status: int, failures: int) -> int:
        """Return the session's exit status, where pytest would say `status` after so many `failures`."""
        failed, unstored = self._replayer.failed_reports, self._recorder.is_behind
        return exit_status(
            status, failures, failed, self._progress, cut_short=self._loop.out_of_time, unstored=unstored
        )

    def close(self, status: int) -> None:
        """Store how the run ended, and close the store."""
        self._recorder.finish(status)

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
        task = Task(trial, attempt, str(self._store.path / trial.path_name), checkpoint, iteration)
        if self._debugs:
            self._tasks[key] = task
        return task


class _Audience:
    """The store, pytest and the other plugins, and the status block at times."""

    def __init__(self, replayer: Replayer, status: StatusPrinter, neighbours: Neighbours | None) -> None:
        self._replayer = replayer
        self._neighbours = neighbours
        self.show = replayer.show
        self.tick = status.tick

    def persist(self, batch: Sequence[Accepted]) -> None:
        self._replayer.persist(batch)
        if self._neighbours is not None:
            self._neighbours.note(batch)


def _environment(options: SweepOptions) -> dict[str, str]:
    """Return the environment variables that workers are to have: all, in a Ray of our own; of a cluster's only pytest's."""
    names = os.environ if options.address is None else [name for name in os.environ if name.startswith("PYTEST_")]
    # Ray's own tell its processes who they are; the one of the running test is the driver's.
    return {name: os.environ[name] for name in names if not name.startswith("RAY_") and name != "PYTEST_CURRENT_TEST"}
