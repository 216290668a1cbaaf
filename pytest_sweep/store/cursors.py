"""How far each tracker has got with a run: a small database beside the run's, with one writer of its own. Sends nothing."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from typing_extensions import Self

from pytest_sweep import clock
from pytest_sweep.errors import StoreError
from pytest_sweep.store.files import check_files, connect, has_database, reporting_errors
from pytest_sweep.store.network import on_network

if sys.platform != "win32":
    import fcntl

TRACKERS = "trackers.db"
LOCK = "tracking"
"""The file that whoever sends a run to trackers locks; it holds the process."""

_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS tracker (name TEXT PRIMARY KEY, origin TEXT NOT NULL, last_report INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS trial (
  tracker TEXT NOT NULL, key TEXT NOT NULL, remote TEXT, attempt INTEGER NOT NULL, iteration INTEGER NOT NULL,
  last_report INTEGER NOT NULL, ended INTEGER, copied INTEGER NOT NULL, PRIMARY KEY (tracker, key)) WITHOUT ROWID;
PRAGMA user_version = 1;
"""
_COLUMNS = "key, remote, attempt, iteration, last_report, ended, copied"


@dataclass(frozen=True, slots=True)
class TrialCursor:
    """How far a tracker has got with one trial.

    Attributes:
        key: the trial's key.
        remote: what the tracker calls it; None where it was about to be made there.
        attempt: the attempt of the last report that was sent; 0 for none.
        iteration: its iteration.
        last_report: its number in this run; 0 for none.
        ended: with which attempt the trial has ended there, negative where it was cut off; None where it has not.
        copied: whether this is what an earlier run has sent, and nothing came of this one.
    """

    key: str
    remote: str | None = None
    attempt: int = 0
    iteration: int = 0
    last_report: int = 0
    ended: int | None = None
    copied: bool = False


class TrackerCursors:
    """The cursors of the trackers of a run. Each change is durable when the call returns, but for a power cut.

    Used in one thread, but several may have one each.

    Args:
        folder: the run's folder.

    Raises:
        StoreError: the database cannot be made, or another version has made it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / TRACKERS
        if has_database(folder, TRACKERS):
            check_files(self._path)
        with self._reporting("written"):
            self._connection = connect(self._path, "mode=rwc")
            ((version,),) = self._connection.execute("PRAGMA user_version").fetchall()
            if version not in (0, _VERSION):
                self._connection.close()
                raise StoreError(
                    f"{self._path} was written by a newer pytest-sweep: upgrade, or delete it to send all of the run again"
                )
            # A power cut may cost the last changes: then some reports are sent twice.
            self._connection.execute("PRAGMA synchronous = OFF")
            if not on_network(folder):
                self._connection.execute("PRAGMA journal_mode = WAL").close()
            self._connection.executescript(_TABLES)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def origin(self, tracker: str) -> str | None:
        """Return the run with which the chain began that the tracker sees as one; None where it has had nothing of this run yet."""
        with self._reporting("read"):
            row = self._connection.execute("SELECT origin FROM tracker WHERE name = ?", (tracker,)).fetchone()
        return None if row is None else str(row[0])

    def add(self, tracker: str, origin: str, earlier: Path | None) -> None:
        """Add a tracker.

        Args:
            tracker: its name and settings.
            origin: the run with which the chain begins.
            earlier: the folder of the run in the chain that was last sent to it: its cursors are taken over; None for none.
        """
        rows = [] if earlier is None else self._cursors_of(earlier, tracker)
        with self._writing():
            self._connection.execute("INSERT OR IGNORE INTO tracker VALUES (?, ?, 0)", (tracker, origin))
            self._connection.executemany(
                f"INSERT OR IGNORE INTO trial (tracker, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, 0, ?, 1)", rows
            )

    def last_report(self, tracker: str) -> int:
        """Return the number of the last report up to which all were sent; 0 for none."""
        with self._reporting("read"):
            query = "SELECT last_report FROM tracker WHERE name = ?"
            row = self._connection.execute(query, (tracker,)).fetchone()
        return 0 if row is None else int(row[0])

    def move(self, tracker: str, last_report: int) -> None:
        """Take note that all reports up to this one were sent."""
        with self._writing():
            self._connection.execute("UPDATE tracker SET last_report = ? WHERE name = ?", (last_report, tracker))

    def of(self, tracker: str, keys: Collection[str]) -> dict[str, TrialCursor]:
        """Return the cursors of some trials, by their keys; a trial that was not begun has none."""
        query = f"SELECT {_COLUMNS} FROM trial WHERE tracker = ? AND key IN (SELECT value FROM json_each(?))"
        with self._reporting("read"):
            rows = self._connection.execute(query, (tracker, json.dumps(list(keys)))).fetchall()
        return {row[0]: replace(TrialCursor(*row), copied=bool(row[-1])) for row in rows}

    def save(self, tracker: str, cursor: TrialCursor) -> None:
        """Store the cursor of a trial."""
        row = (
            tracker, cursor.key, cursor.remote, cursor.attempt, cursor.iteration, cursor.last_report, cursor.ended, int(cursor.copied),
        )  # fmt: skip
        with self._writing():
            self._connection.execute(
                f"INSERT OR REPLACE INTO trial (tracker, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row
            )

    def names(self) -> list[str]:
        """Return the trackers that the run was sent to, by name and settings."""
        with self._reporting("read"):
            return [str(name) for (name,) in self._connection.execute("SELECT name FROM tracker ORDER BY name")]

    def _cursors_of(self, folder: Path, tracker: str) -> list[tuple[object, ...]]:
        check_files(folder / TRACKERS)
        query = "SELECT tracker, key, remote, attempt, iteration, ended FROM trial WHERE tracker = ?"
        with reporting_errors(folder / TRACKERS, "read"), closing(connect(folder / TRACKERS, "mode=ro")) as connection:
            return connection.execute(query, (tracker,)).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._reporting("written"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def _reporting(self, doing: str) -> Iterator[None]:
        with reporting_errors(self._path, doing):
            yield


def has_cursors(folder: Path) -> bool:
    """Say whether the run in `folder` was sent to a tracker."""
    return has_database(folder, TRACKERS)


def tracked_as(folder: Path, tracker: str) -> str | None:
    """Return the origin under which the run in `folder` was sent to a tracker; None where it was not."""
    if not has_database(folder, TRACKERS):
        return None
    check_files(folder / TRACKERS)
    with reporting_errors(folder / TRACKERS, "read"), closing(connect(folder / TRACKERS, "mode=ro")) as connection:
        try:
            row = connection.execute("SELECT origin FROM tracker WHERE name = ?", (tracker,)).fetchone()
        except sqlite3.OperationalError:  # Whoever made it was killed before it had its tables.
            return None
    return None if row is None else str(row[0])


class TrackingLock:
    """Held by the process that sends a run to trackers, as long as it lives: two would send everything twice.

    Args:
        folder: the run's folder.
        wait: how many seconds are waited for another process to end.

    Raises:
        StoreError: another process holds it, or the file cannot be written.
    """

    def __init__(self, folder: Path, wait: float = 0.0) -> None:
        path = folder / LOCK
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        except OSError as error:
            raise StoreError(
                f"the run cannot be tracked, since {path} cannot be written: {error.strerror or error}"
            ) from error
        end = clock.monotonic() + wait
        while not self._locked():
            if clock.monotonic() > end:
                holder = os.read(self._file, 100).decode("utf-8", "replace").strip() or "another process"
                os.close(self._file)
                raise StoreError(
                    f"{holder} sends the run in {folder} to trackers at this moment: wait until it has ended"
                )
            time.sleep(0.05)
        os.truncate(self._file, 0)
        os.write(self._file, f"process {os.getpid()}\n".encode())

    def release(self) -> None:
        """Let others send the run."""
        os.close(self._file)

    def _locked(self) -> bool:
        if sys.platform == "win32":
            return True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # A file system without locks.
            return True
        return True
