"""What of a run that was killed has been lost since: its newest transactions, or its database. Reads only, by sqlite3 alone."""

from __future__ import annotations

from pathlib import Path

from pytest_sweep.errors import StoreError
from pytest_sweep.store.folders import DATABASE
from pytest_sweep.store.opening import commits_in
from pytest_sweep.store.running import commits


def lost_commits(folder: Path) -> int:
    """Return how many of the transactions of a run, whose driver was killed, are not in its database any more; 0 where that is not known.

    Its write-ahead log was damaged or deleted, or another state of the database was put in its place. Not to be asked by the run's driver.
    """
    return max((commits(folder) or 0) - commits_in(folder / DATABASE), 0)


def lost_database(folder: Path) -> StoreError:
    """Return the error for a run that had a database which is gone."""
    if folder.is_symlink() and not folder.exists():
        return StoreError(
            f"the run {folder.name} is a link to {folder.readlink()}, which is not there. Put the folder back, delete the link {folder}, "
            "or name the run that is meant"
        )
    return StoreError(
        f"the run {folder.name} has no database any more: {folder / DATABASE} was deleted. Put it back, delete {folder}, or name the run "
        "that is meant"
    )


def said_of_losses(folder: Path) -> str | None:
    """Return what is to be said of a run that was killed, and of which a part was lost afterwards; None if nothing was."""
    lost = lost_commits(folder)
    if not lost:
        return None
    return (
        f"the results database {folder / DATABASE} is damaged: the last {lost} of its transactions are lost, since its write-ahead log was "
        "damaged or deleted"
    )
