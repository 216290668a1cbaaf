"""The runs that there are, and what is known of each. Reads no results."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_sweep.errors import SchemaError, StoreError
from pytest_sweep.model import Run
from pytest_sweep.results.project import results_folder
from pytest_sweep.store import (
    DATABASE,
    is_running,
    peek,
    run_folders,
    said_of_losses,
    started,
    stored_run,
    this_driver,
    who_runs,
)


def list_runs(dir: str | os.PathLike[str] | None = None) -> list[Run]:  # noqa: A002 - as in Tune
    """Return the runs in a folder for results, the one that began last first.

    One that cannot be read, because a newer version wrote it or its database is damaged, is listed too: its `Run.note` says why.

    Args:
        dir: the folder in which runs are; default that of the project, as for `load_results`.

    Returns:
        A list of `Run`; an empty one where `dir` has none.

    Raises:
        NoResultsError: `dir` is not given, and there is no folder for results here or in a folder above.

    Example:
        >>> failed = [run for run in list_runs() if run.exit_status]
        >>> load_results(failed[0].name)
    """
    return [read_run(folder) for folder in run_folders(results_folder(dir))]


def read_run(folder: Path) -> Run:
    """Return what is known of the run in `folder`; where it cannot be read, its `note` says so."""
    try:
        found = stored_run(folder / DATABASE)
        goes_on = found.finished is None and is_running(folder, found.driver)
    except StoreError as error:
        return _unreadable(folder, error)
    was_killed = found.finished is None and not goes_on and found.driver != this_driver()
    return Run(
        name=folder.name,
        path=str(folder),
        seed=found.seed,
        command=found.command,
        started=found.started,
        executor=found.executor,
        finished=found.finished,
        exit_status=found.exit_status,
        is_running=goes_on,
        commit=found.git_commit,
        dirty=found.git_dirty,
        versions=found.versions,
        resumed_from=found.resumed_from,
        note=said_of_losses(folder) if was_killed else None,
    )


def _unreadable(folder: Path, error: StoreError) -> Run:
    found = peek(folder / DATABASE)
    seed, finished, status = found.get("seed"), found.get("finished"), found.get("exit_status")
    return Run(
        name=folder.name,
        path=str(folder),
        seed=seed if isinstance(seed, int) else None,
        command=str(found.get("command", "")),
        started=started(folder),
        executor=str(found.get("executor", "")),
        finished=finished if isinstance(finished, float) else None,
        exit_status=status if isinstance(status, int) else None,
        # No process drives a run that it cannot read; so this one loses no lock by asking.
        is_running=isinstance(error, SchemaError) and finished is None and _is_driven(folder),
        note=str(error),
    )


def _is_driven(folder: Path) -> bool:
    try:
        return who_runs(folder) is not None
    except StoreError:
        return False
