"""Which runs there are in a folder for results, and in which order they began. Their databases say it, not their names."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pytest_sweep.errors import NoResultsError
from pytest_sweep.store.database import peek
from pytest_sweep.store.folders import DATABASE

_SLACK_SECONDS = 60.0
"""How much the clock of a file server may be behind."""


def run_folders(results_dir: Path) -> list[Path]:
    """Return the folders of all runs in `results_dir`, the one that began last first; none where it does not exist."""
    return list(newest_runs(results_dir))


def found_runs(results_dir: Path) -> list[Path]:
    """Return the folders of all runs in `results_dir`, in no order: no database is opened."""
    return list(_folders(results_dir))


def newest_runs(results_dir: Path) -> Iterator[Path]:
    """Iterate over `run_folders`, and open no more databases than it takes to know the next one.

    Names do not say it: those of 0.1.0 are in local time, and anybody can rename a folder. But a database is written after its
    run began, so the time of its file is a limit. A database is opened only when it may be the next: of 10,000 runs that
    followed each other, the newest is found by opening two.

    A run whose start cannot be read counts as begun when its database was written last.
    """
    written = {folder: _written(folder) for folder in _folders(results_dir)}
    folders = sorted(written, key=lambda folder: folder.name, reverse=True)
    # Of what began at the same time, what has to be opened comes first, and then the names decide.
    heap = [(-written[folder] - _SLACK_SECONDS, False, place) for place, folder in enumerate(folders)]
    heapq.heapify(heap)
    while heap:
        _, is_exact, place = heap[0]
        if is_exact:
            heapq.heappop(heap)
            yield folders[place]
        else:
            heapq.heapreplace(heap, (-started(folders[place]), True, place))


def started(folder: Path) -> float:
    """Return when the run in `folder` began, in seconds since the epoch; where that cannot be read, when it was written last."""
    found = peek(folder / DATABASE).get("started")
    return found if isinstance(found, float) else _written(folder)


def run_folder(results_dir: Path, run: str) -> Path:
    """Return the folder of a run, by its name in `results_dir` or by its path.

    Raises:
        NoResultsError: there is no such run; the text says what there is.
    """
    if (Path(run) / DATABASE).is_file():
        return Path(run).resolve()
    if Path(run).name == run and (results_dir / run / DATABASE).is_file():
        return results_dir / run
    names = [folder.name for folder in islice(newest_runs(results_dir), 6)]
    if not names:
        raise no_runs(results_dir)
    newest = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    raise NoResultsError(f"there is no run {run!r} in {results_dir}: the newest are {newest}")


def no_runs(results_dir: Path) -> NoResultsError:
    """Return the error for a folder without runs."""
    return NoResultsError(f"there is no run in {results_dir}: make one with pytest --sweep")


def _folders(results_dir: Path) -> Iterator[Path]:
    try:
        yield from (folder for folder in results_dir.iterdir() if (folder / DATABASE).is_file())
    except (FileNotFoundError, NotADirectoryError):
        return


def _written(folder: Path) -> float:
    try:
        return (folder / DATABASE).stat().st_mtime
    except OSError:  # It was deleted a moment ago.
        return 0.0
