"""The hooks of pytest-sweep. Implement any of them in a ``conftest.py`` or a plugin, with the arguments that you need.

They are called one implementation after the other. One that raises does not stop the others nor the run: it is shown as a
warning that names the plugin and the hook. Hook wrappers are not supported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # The plugin loads these specs at every start of pytest: they must cost nothing.
    from pytest_sweep.engine.port import Executor
    from pytest_sweep.model.trials import Run, Sweep, Trial
    from pytest_sweep.reporting import Column
    from pytest_sweep.results import Result, SweepResults
    from pytest_sweep.search.protocols import Scheduler, Searcher
    from pytest_sweep.search.space import SearchSpace
    from pytest_sweep.worker.trial import ActiveTrial


def pytest_sweep_run_start(run: Run) -> None:
    """Called on the driver, once, before the first trial starts.

    Args:
        run: name, folder, seed, command line and executor of the run.
    """


def pytest_sweep_trial_start(trial: Trial, attempt: int) -> None:
    """Called on the driver when a worker has begun an attempt of a trial, after that was stored.

    Args:
        trial: the trial.
        attempt: from 1; more where it is tried again, or was begun by the run that is resumed.
    """


def pytest_sweep_trial_report(trial: Trial, metrics: Mapping[str, Any]) -> None:
    """Called on the driver for each report of a trial, after it was stored and while the trial runs on.

    Args:
        trial: the trial.
        metrics: the reported metrics with ``training_iteration``, ``time_total_s``, ``time_this_iter_s`` and ``timestamp``.
    """


def pytest_sweep_trial_checkpoint(trial: Trial, checkpoint: Path | str) -> None:
    """Called on the driver for each checkpoint that a trial has reported, after ``pytest_sweep_trial_report``.

    Args:
        trial: the trial.
        checkpoint: the complete checkpoint, a folder: its path, or with ``--sweep-storage`` elsewhere than on a disk its URL.
    """


def pytest_sweep_trial_retry(trial: Trial, error: str) -> None:
    """Called on the driver when an attempt has failed and the trial will be tried again.

    Args:
        trial: the trial.
        error: the text of the failure.
    """


def pytest_sweep_trial_stopped(trial: Trial, iteration: int, reason: str) -> None:
    """Called on the driver when a scheduler has decided to stop a trial early, after the decision was stored.

    Also when a paused trial is not to go on any more. ``pytest_sweep_trial_finish`` follows when the trial has ended.

    Args:
        trial: the trial.
        iteration: the ``training_iteration`` of the report on which it was decided.
        reason: the decision, for people: ``asha: 0.51 at iteration 3, needed 0.42 of 9``.
    """


def pytest_sweep_trial_finish(trial: Trial, result: Result) -> None:
    """Called on the driver when a trial is finished, after its result was stored and its reports were shown.

    Not called for a trial whose result was taken from an earlier run: it was when that trial ran.

    Args:
        trial: the trial.
        result: what is stored of it.
    """


def pytest_sweep_run_finish(run: Run, results: SweepResults) -> None:
    """Called on the driver, once, after the last trial and before the tests that use ``sweep_results``.

    Also called when the run is ended early.

    Args:
        run: the run.
        results: its results, from sweep to ResultGrid.
    """


def pytest_sweep_status_columns(columns: list[Column]) -> None:
    """Called on the driver when a table of trials is built, once for each table: change `columns` in place.

    Args:
        columns: the columns as they would be shown, each with a name and a function from a trial's progress to a cell.
    """


@pytest.hookspec(firstresult=True)
def pytest_sweep_make_executor(options: Any) -> Executor | None:
    """Called on the driver to make the executor of the run. The first implementation that returns one wins.

    An exception in it ends the run as a usage error. A wrapper (``@pytest.hookimpl(wrapper=True)``) sees the package's own executors, too,
    and may return another one in their place.

    Args:
        options: the options of the run; ``options.executor`` is what ``--sweep-executor`` says.
    """


@pytest.hookspec(firstresult=True)
def pytest_sweep_make_searcher(sweep: Sweep, space: SearchSpace, seed: int) -> Searcher | None:
    """Called on the driver to make the searcher of a study, of a sweep whose ``search=`` learns. The first one that is returned wins.

    With None from all, the searcher is what ``search=`` says. A name in ``search=`` that only a plugin knows is allowed where the hook is
    implemented. An exception in it ends the run as a usage error.

    Args:
        sweep: the sweep; ``sweep.search`` is the name of what ``search=`` says.
        space: what there is to choose: ``space.dimensions``.
        seed: the only randomness that the searcher may use.
    """


@pytest.hookspec(firstresult=True)
def pytest_sweep_make_scheduler(sweep: Sweep) -> Scheduler | None:
    """Called on the driver to make the scheduler of a study, of a sweep with ``scheduler=``. The first one that is returned wins.

    With None from all, the scheduler is what ``scheduler=`` says, as for `pytest_sweep_make_searcher`.

    Args:
        sweep: the sweep; ``sweep.scheduler`` is the name of what ``scheduler=`` says, ``sweep.max_t`` how long a trial is.
    """


def pytest_sweep_trial_setup(trial: ActiveTrial) -> None:
    """Called in the worker before a trial's fixtures are built.

    Args:
        trial: the running trial, as the fixture ``trial`` gives it.
    """


def pytest_sweep_trial_teardown(trial: ActiveTrial) -> None:
    """Called in the worker after a trial's fixtures were torn down.

    Args:
        trial: the running trial; it takes no more reports when this returns.
    """
