"""Which runs there are in a folder for results, and in which order they began. Their databases say it, not their names."""

from __future__ import annotations

import calendar
import contextlib
import heapq
import re
import time
from collections.abc import Iterator
from pathlib import Path

from pytest_sweep.errors import NoResultsError, StoreError
from pytest_sweep.store.files import has_database
from pytest_sweep.store.folders import DATABASE
from pytest_sweep.store.opening import peek

RUN_NAME = re.compile(r"\d{4}-[01]\d-[0-3]\d_[0-2]\d-[0-5]\d-[0-5]\d_[0-9a-z]{4}")
"""What the folders of runs are called, unless somebody renames them."""

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
    return found if isinstance(found, float) and abs(found) < 1e11 else _written(folder)


def without_database(results_dir: Path, newest: Path | None) -> Iterator[Path]:
    """Yield the folders of runs that have no database, and that were made after the run in `newest` began; None is before all.

    A link that leads nowhere is one, too.
    """
    since = (0.0, "") if newest is None else (float(int(started(newest))), newest.name)
    for folder in _entries(results_dir):
        if (
            RUN_NAME.fullmatch(folder.name)
            and not has_database(folder, DATABASE)
            and (folder.is_dir() or folder.is_symlink())
        ):
            with contextlib.suppress(ValueError):  # There is no 31st of February.
                if (named_start(folder), folder.name) > since:
                    yield folder


def no_runs(results_dir: Path) -> NoResultsError:
    """Return the error for a folder without runs."""
    return NoResultsError(f"there is no run in {results_dir}: make one with pytest --sweep")


def _folders(results_dir: Path) -> Iterator[Path]:
    return (folder for folder in _entries(results_dir) if has_database(folder, DATABASE))


def _entries(results_dir: Path) -> Iterator[Path]:
    try:
        yield from results_dir.iterdir()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise StoreError(f"the folder for results {results_dir} cannot be read: {error.strerror or error}") from error


def named_start(folder: Path) -> float:
    """Return when the run in a folder with a name of ours began, in whole seconds since the epoch, as the name says it.

    Raises:
        ValueError: it is no such name, or no such time.
    """
    return float(calendar.timegm(time.strptime(folder.name[:19], "%Y-%m-%d_%H-%M-%S")))


def _written(folder: Path) -> float:
    try:
        return (folder / DATABASE).lstat().st_mtime
    except OSError:  # It was deleted a moment ago.
        return 0.0
