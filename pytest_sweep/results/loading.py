"""From runs on the disk to results. Says what there is where nothing is found."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from pytest_sweep.errors import StoreError
from pytest_sweep.model import Run, Trial
from pytest_sweep.results.finding import LAST, find_run
from pytest_sweep.results.grid import ResultGrid
from pytest_sweep.results.project import results_folder
from pytest_sweep.results.result import Result
from pytest_sweep.results.runs import read_run
from pytest_sweep.results.sweeps import SessionResults, SweepResults
from pytest_sweep.store import (
    DATABASE,
    RunReader,
    StoredSweep,
    StoredTrial,
    UnsoundError,
    has_database,
    newest_runs,
    started,
    who_runs,
)

RunName: TypeAlias = str | os.PathLike[str] | Run


def load_results(
    run: RunName | Sequence[RunName] | None = None,
    *,
    dir: str | os.PathLike[str] | None = None,  # noqa: A002 - as in Tune
) -> SweepResults:
    """Return the results of a run, or of several as one.

    A run that still goes on can be read too: its trials are what they are at this moment, ``RUNNING`` and ``PENDING`` among them.

    Args:
        run: the name of a run (``2026-11-23_19-01-19_k3f9``) or a part of it, ``"last"`` or ``"last~2"``, ``"running"``, a tag, the path of
            its folder, or a `Run`; default the run that began last. A sequence of them is merged: of each trial, by its key, there is the
            newest result, which is that of the run that began last among those in which the trial ended; where it ended in none, what the
            last run has of it. `list_runs` returns all runs.
        dir: the folder in which runs are; default that of the project: what the nearest pytest.ini, pyproject.toml, tox.ini or
            setup.cfg, here or in a folder above, has as ``sweep_dir``, or else the nearest folder ``sweep_results``.

    Returns:
        A mapping from sweep to `ResultGrid` with all trials, whatever became of them. Of several runs, metric and mode of a sweep are
        those of the newest.

    Raises:
        NoResultsError: there is no such folder, no run in it, or none of that name; the text says what there is.
        QueryError: several runs have this part in their names.
        SchemaError: a version of pytest-sweep wrote the run that this one cannot read.
        StoreError: the run's database cannot be read.

    Example:
        >>> load_results()["train_model"].get_best_result().config
        >>> load_results(["2026-11-23_19-01-19_k3f9", "2026-11-24_08-30-00_1x2y"])
        >>> load_results(list_runs())
    """
    if run is not None and not isinstance(run, (str, os.PathLike, Run)):
        return _merged([_run_folder(each, dir) for each in run], dir)
    folder = _run_folder(run, dir)
    return SweepResults(_grids([folder]), run=folder.name, path=folder)


def newest_results(results_dir: Path, sweeps: Mapping[str, Sequence[Trial]], own: Path | None = None) -> SessionResults:
    """Return, for each trial, its result in this session, or else its newest in any run.

    A result is that of a trial which finished, whatever its outcome.

    Runs of other sessions that still go on, or that cannot be read, are passed over.

    Args:
        results_dir: the folder in which runs are; it need not exist.
        sweeps: the trials of each sweep, by its node id. The results have their order.
        own: the folder of the session's own run, or None.

    Returns:
        A mapping that knows which results are `missing`, and has `notes` on runs that were passed over.

    Raises:
        StoreError: the session's own run cannot be read.
    """
    wanted = {trial.key for trials in sweeps.values() for trial in trials}
    found: dict[str, Result] = {}
    notes: list[str] = []
    for folder in _own_first(results_dir.absolute(), own):
        if not wanted:
            break
        try:
            driver = None if folder == own else who_runs(folder)
            if driver is not None:
                notes.append(f"passed over: the run {folder.name} still goes on ({driver})")
                continue
            reader = RunReader(folder)
            stored = reader.trials(keys=wanted)
        except StoreError as error:
            if folder == own:  # An older result is none of this session.
                raise
            notes.append(f"passed over: {error}")
            continue
        found.update({trial.key: Result.from_store(trial, reader) for trial in stored if trial.state.is_finished})
        wanted -= found.keys()
    grids = {sweep: _grid(sweep, trials, found) for sweep, trials in sweeps.items()}
    missing = {sweep: [trial.name for trial in trials if trial.key not in found] for sweep, trials in sweeps.items()}
    return SessionResults(grids, path=results_dir, missing=missing, notes=notes)


def _own_first(results_dir: Path, own: Path | None) -> Iterator[Path]:
    if own is not None and has_database(own, DATABASE):
        yield own
    yield from (folder for folder in newest_runs(results_dir) if folder != own)


def _grid(sweep: str, trials: Sequence[Trial], found: Mapping[str, Result]) -> ResultGrid:
    # As the sweep is written now: metric, mode and what is averaged over are questions to the results, not a part of them.
    results = [_as_written(found[trial.key], trial) for trial in trials if trial.key in found]
    if not trials:
        return ResultGrid(results, sweep=sweep)
    its = trials[0].sweep
    return ResultGrid(
        results,
        sweep=sweep,
        metric=its.metric,
        mode=its.mode,
        average_over=its.average_over,
        objectives=[(goal.metric, goal.mode) for goal in its.goals],
        feasible=its.feasible,
    )


def _as_written(result: Result, trial: Trial) -> Result:
    params = result.stored_params or dict(trial.params)
    now = (trial.group_key, trial.configuration_name, params)
    if (result.group, result.configuration, result.stored_params) == now:
        return result
    return result.changed(group=now[0], configuration=now[1], params=params)


def _merged(folders: Sequence[Path], given: str | os.PathLike[str] | None) -> SweepResults:
    newest_first = sorted(dict.fromkeys(folders), key=lambda folder: (started(folder), folder.name), reverse=True)
    parents = {folder.parent for folder in newest_first}
    path = parents.pop() if len(parents) == 1 else results_folder(given)
    return SweepResults(_grids(newest_first), run=None, path=path)


def _grids(newest_first: Sequence[Path]) -> dict[str, ResultGrid]:
    sweeps: dict[str, StoredSweep] = {}
    found: dict[str, tuple[StoredTrial, RunReader]] = {}
    for folder in newest_first:
        reader = RunReader(folder)
        trials = reader.trials()  # First: a run that has just begun may be written between the two.
        if (note := read_run(folder).note) is not None:
            warnings.warn(note, stacklevel=3)
        for sweep in reader.sweeps():
            sweeps.setdefault(sweep.id, sweep)
        for trial in trials:
            newer = found.get(trial.key)
            if newer is None or (trial.state.is_finished and not newer[0].state.is_finished):
                found[trial.key] = trial, reader  # In the place of the newer one, if there is one.
    results: dict[str, list[Result]] = {sweep: [] for sweep in sweeps}
    for trial, reader in found.values():
        if trial.sweep_id not in results:
            raise UnsoundError(
                f"the results database {reader.path / DATABASE} holds what pytest-sweep never stores: trial {trial.name!r} ({trial.key}): "
                f"its sweep {trial.sweep_id!r} is not there"
            )
        results[trial.sweep_id].append(Result.from_store(trial, reader))
    return {
        sweep.id: ResultGrid(
            results[sweep.id],
            sweep=sweep.id,
            metric=sweep.metric,
            mode=sweep.mode,
            average_over=sweep.average_over,
            objectives=sweep.objectives,
            feasible=sweep.feasible,
        )
        for sweep in sweeps.values()
    }


def _run_folder(run: RunName | None, given: str | os.PathLike[str] | None) -> Path:
    if isinstance(run, Run):
        return Path(run.path)
    if run is not None and has_database(Path(run), DATABASE):
        return Path(run).resolve()
    # This process may be a session that drives a run.
    return find_run(LAST if run is None else os.fspath(run), results_folder(given), may_drive=True)
