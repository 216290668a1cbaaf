"""With ``--pdb``: runs a trial that failed in another process again in this one, where the debugger can be opened."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sweep.executors.inline import InlineRunner
from pytest_sweep.items.lifetimes import FixtureKeeper
from pytest_sweep.model.events import TrialFinished
from pytest_sweep.model.trials import Task, TrialState
from pytest_sweep.plugin.show.terminal import write_below
from pytest_sweep.wire.location import own_location

_HOOK = "PYTHONBREAKPOINT"


class Debugger:
    """Runs failed trials again, as they ran: with the configuration, the seed and the checkpoint of the attempt that failed.

    pytest opens the debugger at the failure by itself. What the trial reports this time is for nobody, and its outcome changes nothing:
    it has failed.

    Args:
        config: the session's configuration.
        keeper: keeps the fixtures of this session between items.
        task_of: returns what a trial's last attempt was handed, by its key.
    """

    def __init__(self, config: pytest.Config, keeper: FixtureKeeper, task_of: Callable[[str], Task]) -> None:
        self._config = config
        self._keeper = keeper
        self._task_of = task_of

    def run_again(self, item: pytest.Item, key: str) -> None:
        """Run the trial again, in this process.

        Raises:
            pytest.exit.Exception: the debugger was left with ``quit``.
        """
        ends: list[TrialFinished] = []
        runner = InlineRunner(
            lambda event: ends.append(event) if isinstance(event, TrialFinished) else None,
            own_location(),
            self._keeper,
        )
        self._say(f"{item.name} failed: running it again in this process, for the debugger")
        self._config.pluginmanager.register(runner, "sweep-debugger")
        try:
            with _pytests_breakpoints(), tempfile.TemporaryDirectory(prefix="pytest-sweep-debug-") as scratch:
                # What it writes is nobody's: the next attempt, or the next run, goes on from what the trial itself has left.
                task = replace(self._task_of(key), directory=scratch, checkpoints=str(Path(scratch, "checkpoints")))
                runner.run(item, task)
        finally:
            self._config.pluginmanager.unregister(runner)
        if ends and ends[-1].state is not TrialState.ERROR:
            self._say(f"{item.name} did not fail again in this process: its first failure is shown at the end")

    def _say(self, text: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            write_below(reporter, text)


@contextlib.contextmanager
def _pytests_breakpoints() -> Iterator[None]:
    """Have ``breakpoint()`` open pytest's debugger again: a process that imports Ray has Ray's, which waits for ``ray debug``."""
    chosen = os.environ.get(_HOOK, "")
    if not chosen.startswith("ray."):  # What a user has chosen stays.
        yield
        return
    del os.environ[_HOOK]
    try:
        yield
    finally:
        os.environ[_HOOK] = chosen
