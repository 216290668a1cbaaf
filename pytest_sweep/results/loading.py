"""From runs on the disk to results. Says what there is where nothing is found."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_sweep.errors import NoResultsError, StoreError
from pytest_sweep.model import Trial
from pytest_sweep.results.grid import ResultGrid
from pytest_sweep.results.result import Result
from pytest_sweep.results.sweeps import SessionResults, SweepResults
from pytest_sweep.store import RunReader, find_results_dir, run_folder, run_folders


def load_results(
    run: str | os.PathLike[str] | None = None,
    *,
    dir: str | os.PathLike[str] | None = None,  # noqa: A002 - as in Tune
) -> SweepResults:
    """Return the results of a run: of the last one, or of `run`. A run that is still going on can be read too.

    Args:
        run: the name of a run (``2026-11-23_19-01-19_k3f9``), or the path of its folder; default the last run.
        dir: the folder in which runs are; default the nearest ``sweep_results``, here or in a folder above.

    Returns:
        A mapping from sweep to `ResultGrid` with all trials of the run, whatever became of them.

    Raises:
        NoResultsError: there is no such folder, no run in it, or none of that name; the text says what there is.
        SchemaError: the run was written by a newer or an older pytest-sweep.
        StoreError: the run's database cannot be read.
    """
    folder = _run_folder(run, None if dir is None else Path(dir).absolute())
    reader = RunReader(folder)
    results: dict[str, list[Result]] = {}
    sweeps = reader.sweeps()
    for trial in reader.trials():
        results.setdefault(trial.sweep_id, []).append(Result.from_store(trial, reader))
    grids = {
        sweep.id: ResultGrid(
            results[sweep.id], sweep=sweep.id, metric=sweep.metric, mode=sweep.mode, average_over=sweep.average_over
        )
        for sweep in sweeps
    }
    return SweepResults(grids, run=folder.name, path=folder)


def newest_results(results_dir: Path, sweeps: Mapping[str, Sequence[Trial]]) -> SessionResults:
    """Return, for each trial, its newest result in any run: that of a trial which finished, whatever its outcome.

    Args:
        results_dir: the folder in which runs are; it need not exist.
        sweeps: the trials of each sweep, by its node id. The results have their order.

    Returns:
        A mapping that knows which results are `missing`, and has `notes` on runs that cannot be read, which are passed over.
    """
    wanted = {trial.key for trials in sweeps.values() for trial in trials}
    found: dict[str, Result] = {}
    notes: list[str] = []
    for folder in run_folders(results_dir):
        if not wanted:
            break
        reader = RunReader(folder)
        try:
            stored = reader.trials(keys=wanted)
        except StoreError as error:
            notes.append(f"passed over: {error}")
            continue
        found.update({trial.key: Result.from_store(trial, reader) for trial in stored if trial.state.is_finished})
        wanted -= found.keys()
    grids = {sweep: _grid(sweep, trials, found) for sweep, trials in sweeps.items()}
    missing = {sweep: [trial.name for trial in trials if trial.key not in found] for sweep, trials in sweeps.items()}
    return SessionResults(grids, path=results_dir, missing=missing, notes=notes)


def _grid(sweep: str, trials: Sequence[Trial], found: Mapping[str, Result]) -> ResultGrid:
    # As the sweep is written now: metric, mode and what is averaged over are questions to the results, not a part of them.
    results = [_as_written(found[trial.key], trial) for trial in trials if trial.key in found]
    if not trials:
        return ResultGrid(results, sweep=sweep)
    its = trials[0].sweep
    return ResultGrid(results, sweep=sweep, metric=its.metric, mode=its.mode, average_over=its.average_over)


def _as_written(result: Result, trial: Trial) -> Result:
    params = result.params or dict(trial.params)
    now = (trial.group_key, trial.configuration_name, params)
    if (result.group, result.configuration, result.params) == now:
        return result
    return replace(result, group=now[0], configuration=now[1], params=params)


def _run_folder(run: str | os.PathLike[str] | None, results_dir: Path | None) -> Path:
    if run is not None and (Path(run) / "run.db").is_file():
        return Path(run).resolve()
    if results_dir is None:
        results_dir = find_results_dir(Path.cwd())
    if run is not None:
        return run_folder(results_dir, os.fspath(run))
    folders = run_folders(results_dir)
    if not folders:
        raise NoResultsError(f"there is no run in {results_dir}: make one with pytest --sweep")
    return folders[0]
