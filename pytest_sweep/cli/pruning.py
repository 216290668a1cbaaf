"""Which runs, or which of their checkpoints, may be deleted, and why others stay. Deletes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from pytest_sweep.checkpoints import Name, is_real
from pytest_sweep.cli.run_rows import RunRow
from pytest_sweep.errors import StoreError
from pytest_sweep.store import DATABASE, NotBegunError, references
from pytest_sweep.store.files import reporting_errors
from pytest_sweep.store.network import on_network
from pytest_sweep.store.opening import any_connection

_LONG_AGO = 24 * 3600.0
"""For how many seconds after its last write a run that has no end may go on, where a file system has no locks to tell it by."""


@dataclass(frozen=True)
class Criteria:
    """What runs are to be deleted: those for which all of it holds.

    Attributes:
        keep: how many of the newest runs stay, or None.
        older_than: how many seconds ago they began at least, or None.
        failed: whether only those that did not end with exit status 0 are meant.
    """

    keep: int | None = None
    older_than: float | None = None
    failed: bool = False

    def means(self, row: RunRow, place: int, now: float) -> bool:
        """Return whether a run is meant; `place` is how many are newer."""
        if self.keep is not None and place < self.keep:
            return False
        if self.older_than is not None and now - row.started < self.older_than:
            return False
        return not self.failed or row.row.get("exit_status") != 0


@dataclass
class Plan:
    """What becomes of the runs.

    Attributes:
        removed: those to be deleted, the newest first: a run is deleted before the one that it refers to.
        kept: those that are meant, and stay: why, a clause for each.
    """

    removed: list[RunRow] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)


def plan(rows: Sequence[RunRow], criteria: Criteria, now: float) -> Plan:
    """Return which runs are deleted.

    Args:
        rows: all runs in the folder, the newest first.
        criteria: which are meant.
        now: the time, in seconds since the epoch.
    """
    meant = [row for place, row in enumerate(rows) if criteria.means(row, place, now)]
    made = Plan()
    for row in meant:
        if (why := why_kept(row, now)) is not None:
            made.kept[row.folder.name] = why
    wanted = {row.folder.name for row in meant} - made.kept.keys()
    runs = {os.path.realpath(row.folder): row.folder.name for row in rows}
    needs = {row.folder.name: _needs(row, rows[place + 1 :], runs) for place, row in enumerate(rows)}
    # What stays for the sake of another one may itself refer to others.
    staying = [row.folder.name for row in rows if row.folder.name not in wanted]
    while staying:
        other = staying.pop()
        for name, how in needs[other].items():
            if name in wanted:
                wanted.remove(name)
                staying.append(name)
                made.kept[name] = f"is needed by {other}, which {how}"
    made.removed = [row for row in rows if row.folder.name in wanted]
    return made


def why_kept(row: RunRow, now: float) -> str | None:
    """Return why a run is not deleted whatever refers to it, as a clause; None where nothing is known against it."""
    if row.is_running:
        return "still goes on"
    if row.tags:
        return f"is tagged {', '.join(row.tags)}"
    if row.folder.is_symlink():
        return "is a link to a folder elsewhere"
    if row.note is not None and not _is_empty(row):
        return f"cannot be read ({row.remark}); delete it yourself if you do not need it"
    if row.row.get("finished") is None and on_network(row.folder) and now - _written(row.folder) < _LONG_AGO:
        return "has no end, and may go on on another machine"
    return None


def own_checkpoints(folder: Path) -> tuple[list[Path], int]:
    """Return the checkpoints in the folder of a run, and how many it has elsewhere. Links are not followed.

    A database may come from anyone: what is not called as checkpoints are is none.

    Raises:
        StoreError: its database cannot be read.
    """
    database = folder / DATABASE
    with reporting_errors(database, "read"), closing(any_connection(database)) as connection:
        stored = {
            address
            for table in ("trial", "report")
            for (address,) in connection.execute(
                f"SELECT DISTINCT checkpoint FROM {table} WHERE checkpoint IS NOT NULL"
            )
        }
    if not all(isinstance(address, str) for address in stored):
        raise StoreError(f"{database} holds what is no path where paths should be")
    own, elsewhere = [], 0
    for address in sorted(stored):
        path = os.path.normpath(address)
        if "://" in address or Path(path).is_absolute() or Path(path).parts[:1] in ((), ("..",)):
            elsewhere += 1
        elif Name.parse(Path(path).name) is not None and is_real(str(folder), path) and (folder / path).is_dir():
            own.append(folder / path)
    return own, elsewhere


def _needs(row: RunRow, older: Sequence[RunRow], runs: Mapping[str, str]) -> dict[str, str]:
    """Return the runs that a run refers to, and how; of one that cannot be read, all `older` ones."""
    try:
        return references(row.folder).among(row.folder, runs)
    except StoreError:
        return (
            {}
            if _is_empty(row)
            else {other.folder.name: "cannot be read, so that nobody knows what it uses" for other in older}
        )


def _is_empty(row: RunRow) -> bool:
    """Return whether a run was killed as it began, before it had anything to lose."""
    return isinstance(row.problem, NotBegunError)


def _written(folder: Path) -> float:
    try:
        return max(path.stat().st_mtime for path in (folder / DATABASE, folder))
    except OSError:
        return float("inf")
