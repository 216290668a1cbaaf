"""Which run is the last one, or the one before it. A run that has lost its database is an error: no older one is taken for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pytest_sweep.errors import StoreError
from pytest_sweep.store.folders import DATABASE
from pytest_sweep.store.losses import lost_database
from pytest_sweep.store.opening import NotBegunError, row_of_run
from pytest_sweep.store.order import newest_runs, without_database
from pytest_sweep.store.running import has_stored_nothing, who_runs


class LastRun(NamedTuple):
    """The run that began last.

    Attributes:
        folder: its folder; None if there is none.
        passed_over: the folders of newer ones, which were killed before they had stored anything.
        begun: the folder of a newer one that goes on and has no database yet; None if there is none.
    """

    folder: Path | None
    passed_over: tuple[Path, ...] = ()
    begun: Path | None = None


def last_run(results_dir: Path, back: int = 0, *, may_drive: bool = False) -> LastRun:
    """Return the newest run in `results_dir`; one that was killed before it had anything to lose is passed over.

    One that has just begun is not: its driver lives, and has not written anything yet.

    Args:
        results_dir: the folder for results.
        back: 0 for the newest run, 1 for the one before it, and so on.
        may_drive: whether this process may drive one of the runs. It would lose its lock by asking who does, so that a run without results
            counts as one that was killed.

    Raises:
        StoreError: a run that began after the one that is returned has lost its database.
    """
    passed_over: list[Path] = []
    found = None
    for folder in newest_runs(results_dir):
        if _never_began(folder, may_drive):
            passed_over.append(folder)
            continue
        if not back:
            found = folder
            break
        back -= 1
    begun = None
    for folder in without_database(results_dir, found):
        if not may_drive and who_runs(folder) is not None:
            begun = folder
        elif has_stored_nothing(folder):
            passed_over.append(folder)
        else:
            raise lost_database(folder)
    return LastRun(found, tuple(passed_over), begun)


def lost_runs(results_dir: Path) -> Iterator[Path]:
    """Yield the folders of all runs that have lost their databases."""
    for folder in without_database(results_dir, None):
        if _is_lost(folder):
            yield folder


def _is_lost(folder: Path) -> bool:
    try:
        return not has_stored_nothing(folder) and who_runs(folder) is None
    except StoreError:  # The folder cannot be read.
        return True


def _never_began(folder: Path, may_drive: bool) -> bool:
    """Return whether a run was killed before it had stored anything; whoever reads one that cannot be read is told why."""
    try:
        row_of_run(folder / DATABASE)
    except NotBegunError:
        return may_drive or who_runs(folder) is None  # Its lock is there before its database.
    except StoreError:
        return False
    return False
