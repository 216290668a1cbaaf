"""The trials of a session: run by the engine, once, from the folder that is made for them to how the run ended."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_sweep.engine.loop import Loop, SessionExit
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.port import Executor
from pytest_sweep.engine.study import Study
from pytest_sweep.errors import ExecutorError, StoreError
from pytest_sweep.items.lifetimes import FixtureKeeper
from pytest_sweep.model.events import TrialNotRun
from pytest_sweep.plugin.collect.sweeps import TRIAL
from pytest_sweep.plugin.guests.others import Guests
from pytest_sweep.plugin.options import SweepOptions
from pytest_sweep.plugin.record.hooks import HookCaller
from pytest_sweep.plugin.session.audience import OnceNeeded
from pytest_sweep.plugin.session.checks import check_executor
from pytest_sweep.plugin.session.plan import Plan
from pytest_sweep.plugin.session.signals import Interrupts
from pytest_sweep.plugin.session.specs import session_spec
from pytest_sweep.plugin.session.tasks import TaskMaker
from pytest_sweep.store import RunLock, begin_run
from pytest_sweep.wire.spec import SessionSpec

if TYPE_CHECKING:  # Imports the database, for which the first trial need not wait.
    from pytest_sweep.plugin.record.recorder import Recorder


QUIET_SECONDS = 1.0
"""How long there is nothing to say of trials that have not begun, where the database would keep them from it."""


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
        interrupts: holds signals while something could be lost.
        studies: who chooses configurations and stops trials.

    Raises:
        InfeasibleError: a trial asks for more than any node has.
        StoreError: the results cannot be written.
    """

    def __init__(  # noqa: PLR0913 - all that a run consists of
        self,
        config: pytest.Config,
        options: SweepOptions,
        executor: Executor,
        policy: Policy,
        items: Sequence[pytest.Item],
        *,
        keeper: FixtureKeeper,
        plan: Plan,
        interrupts: Interrupts,
        studies: Sequence[Study] = (),
    ) -> None:
        trials = [item.stash[TRIAL] for item in items]
        self._to_run = [trial for trial in trials if trial.key not in plan.taken]
        if self._to_run:
            check_executor(executor, config, options, policy, self._to_run)
        self._config, self._options, self._executor = config, options, executor
        self._items = {item.stash[TRIAL].key: item for item in items}
        self._keeper, self._plan, self._interrupts = keeper, plan, interrupts
        self._run = begin_run(
            options.results_dir,
            seed=options.seed,
            command=shlex.join(["pytest", *map(str, config.invocation_params.args)]),
            executor=executor.name,
        )
        self._lock = RunLock(self.folder)
        self._hooks = HookCaller(config, interrupts.allowed)
        self._tasks = TaskMaker(
            self._run,
            trials,
            storage=options.storage,
            keep_checkpoints=options.keep_checkpoints,
            # Inline, pytest opens the debugger where the trial runs.
            remembers=config.getoption("usepdb", False) and executor.name != "inline",
        )
        self._recorder: Recorder | None = None
        self._is_unheard = False
        self._is_interrupted = False
        self._has_begun = False
        self._loop: Loop | None = None
        # Where trials are judged none is to wait for the database: it is opened while the first workers start.
        quiet = 0.0 if executor.starts_slowly or studies else QUIET_SECONDS
        self._audience = OnceNeeded(self._open, quiet, interrupts)
        if self._to_run:
            self._loop = Loop(executor, self._audience, policy, self._tasks.make, studies)
            self._executor.open(self._spec(), self._items)

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return Path(self._run.path)

    @property
    def keys(self) -> Collection[str]:
        """The keys of its trials."""
        return self._items.keys()

    def readable_folder(self) -> Path:
        """Return the folder of the run, whose database was verified, so that tests may judge what it holds.

        Raises:
            StoreError: the database is damaged, and cannot be repaired.
        """
        if self._recorder is not None:
            self._recorder.verify()
        return self.folder

    def run(self, session: pytest.Session) -> None:
        """Run the trials to their ends.

        Raises:
            pytest.Session.Interrupted, pytest.Session.Failed, pytest.exit.Exception, KeyboardInterrupt: as pytest's own loop.
            pytest.UsageError: the results cannot be written.
        """
        ending = "the session was ended"
        with self._interrupts.held():
            try:
                self._run_all()
                ending = ""
            except StoreError as error:
                self._is_unheard = True
                raise pytest.UsageError(str(error)) from error
            except SessionExit as wanted:
                ending = wanted.reason if wanted.kind != "exit" else f"pytest.exit: {wanted.reason}"
                _end_as_wanted(session, wanted)
            except ExecutorError as error:
                self._open().go_wrong(str(error))
                ending = str(error).splitlines()[0]
                raise session.Interrupted(f"the sweep cannot go on: {ending}") from error
            except (session.Failed, session.Interrupted) as stop:
                ending = str(stop)
                raise
            except pytest.exit.Exception as wanted:
                ending = f"pytest.exit: {wanted.msg}"
                raise
            except KeyboardInterrupt as interrupt:
                self._is_interrupted = True
                ending = f"interrupted by {interrupt}" if str(interrupt) else "interrupted"
                raise
            finally:
                self._end(ending)

    def write_summary(self, reporter: pytest.TerminalReporter) -> None:
        """Write the final table, the best trials, the failures and what went wrong beside the trials."""
        if self._recorder is not None:
            self._recorder.write_summary(reporter)

    def add_suite_properties(self) -> None:
        """Add the best of each sweep to the junit file, if one is written."""
        if self._recorder is not None:
            self._recorder.add_suite_properties()

    def store_waiting(self) -> None:
        """Try once more to store what could not be stored."""
        if self._recorder is not None:
            self._recorder.store_waiting()

    def exit_status(self, status: int, failures: int) -> int:
        """Return the session's exit status, where pytest would say `status` after so many `failures`."""
        cut_short = self._loop is not None and self._loop.out_of_time
        return status if self._recorder is None else self._recorder.exit_status(status, failures, cut_short=cut_short)

    def close(self, status: Callable[[], int]) -> None:
        """Store how the run ended, with the exit status that is returned then, and close the store."""
        if self._recorder is not None:
            self._recorder.close(status)
        self._lock.release()
        if self._recorder is not None:
            self._recorder.finish_tracking(self._interrupts)

    def _run_all(self) -> None:
        attempts: Mapping[str, int] = {}
        metrics: Mapping[str, dict[str, Any]] = {}
        if self._loop is None or self._plan.continued or self._plan.taken:
            recorder = self._open()
            attempts, metrics = recorder.attempts, recorder.metrics
        self._hooks.call("pytest_sweep_run_start", run=self._run)
        if self._executor.name == "inline":
            self._open()  # Nothing runs meanwhile, and a run that is killed in its first trial is to be there.
        if self._recorder is not None:
            with self._interrupts.allowed():
                self._recorder.show_taken()
        if self._loop is not None:
            self._has_begun = True
            self._loop.run(self._to_run, attempts, self._plan.decisions, metrics)

    def _open(self) -> Recorder:
        """Return what remembers and tells. It is made when there is something to tell: then the first trials have been handed out.

        Raises:
            StoreError: the database cannot be made, or the one of an earlier run not be read.
        """
        if self._recorder is None:
            from pytest_sweep.plugin.record.recorder import Recorder

            self._recorder = Recorder(
                self._config,
                self._options,
                self._executor,
                self._items,
                plan=self._plan,
                hooks=self._hooks,
                tasks=self._tasks,
                keeper=self._keeper,
                engine=self._loop,
                lock=self._lock,
            )
        return self._recorder

    def _end(self, ending: str) -> None:
        """Do what is left to do; `ending` is why the run was cut off, or ""."""
        if self._recorder is not None:
            self._recorder.close_live()
        if ending:
            self._interrupts.end()
        forced: tuple[type[BaseException], ...] = (
            (KeyboardInterrupt,) if ending else ()
        )  # It cuts one step short, and the next is done all the same.
        try:
            with suppress(*forced):
                if ending and not self._is_unheard:
                    self._abort(ending)
        finally:
            try:
                with suppress(*forced):
                    self._executor.shutdown(force=bool(ending))
            finally:
                with suppress(*forced):
                    if self._recorder is not None:
                        self._recorder.end_run()

    def _abort(self, ending: str) -> None:
        """Note what has not run; where a taken failure ends the session, the loop has not heard of anything yet."""
        if self._loop is not None and self._has_begun:
            self._loop.abort(ending)
        else:
            self._open().persist([TrialNotRun(trial.key, ending) for trial in self._to_run])
        if self._is_interrupted:
            self._audience.show_rest()
        self._audience.show_interrupted()

    def _spec(self) -> SessionSpec:
        # Not there where trials run in this session.
        guests: Guests | None = self._config.pluginmanager.get_plugin("sweep-guests")
        files = sorted({item.path for item in self._items.values()})
        workerinput = guests.workerinput() if guests else {}
        return session_spec(
            self._config,
            files,
            self._run.name,
            Path(self._run.path),
            _environment(self._options),
            workerinput,
            self._plan.known,
        )


def _end_as_wanted(session: pytest.Session, wanted: SessionExit) -> NoReturn:
    """End the session as plain pytest does where a test asks for it."""
    if wanted.kind == "stop":
        session.shouldstop = wanted.reason
        raise session.Interrupted(wanted.reason) from wanted
    if wanted.kind == "fail":
        session.shouldfail = wanted.reason
        raise session.Failed(wanted.reason) from wanted
    pytest.exit(wanted.reason, wanted.status)


def _environment(options: SweepOptions) -> dict[str, str]:
    """Return the environment variables that workers are to have: all, on this machine; on a cluster pytest's and those that are named."""
    wanted = ("PYTEST_*", *options.env)
    names = [name for name in os.environ if options.address is None or any(fnmatchcase(name, it) for it in wanted)]
    # Ray's own tell its processes who they are; the one of the running test is the driver's.
    return {name: os.environ[name] for name in names if not name.startswith("RAY_") and name != "PYTEST_CURRENT_TEST"}
