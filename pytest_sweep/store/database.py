"""The writer's side of a run's database: how SQLite is set up for one writer and many readers, and what is done when it is damaged."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from pytest_sweep.errors import StoreError
from pytest_sweep.store.checksum import Checksum
from pytest_sweep.store.files import (
    OtherKindError,
    check_files,
    connect,
    extend_shared_memory,
    reporting_errors,
    set_aside,
)
from pytest_sweep.store.network import on_network
from pytest_sweep.store.opening import limit_time, row_of_run
from pytest_sweep.store.schema import tables
from pytest_sweep.store.version import SCHEMA_VERSION

_CACHE_KIB = 32 * 1024
"""How much of a database the writer remembers. Of a smaller one that is all: it can be written again whatever becomes of its files."""


def create_database(path: Path) -> Connection:
    """Make the database of a run and return the connection of its one writer.

    Every commit reaches the disk. Readers read while it writes, except on a network's file system, where they take turns.
    """
    connection = _writing_connection(path, "mode=rwc")
    try:
        with reporting_errors(path, "written"):
            with connection.begin():
                tables.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION:d}")
            _log_ahead(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


class RunDatabase:
    """A run's database, which this process has made and is the only one to write.

    What is committed is summed up (`Checksum`), so that at the end it is known whether the file holds it. SQLite reads a page of the file
    once, and remembers it: where a file is damaged, deleted or replaced by somebody, what this process remembers is written again.

    Args:
        path: the file, which is made.
        note_commit: told after each transaction how many there were. The number is in the file, too.

    Attributes:
        path: the file.
        repairs: what has become of the file and was repaired, a sentence each.
        is_damaged: whether the file does not hold what was committed, and could not be repaired.

    Raises:
        StoreError: it cannot be written.
    """

    def __init__(self, path: Path, note_commit: Callable[[int], None] = lambda _: None) -> None:
        self.path = path
        self._note_commit = note_commit
        self._commits = 0
        self.repairs: list[str] = []
        self.is_damaged = False
        self._checksum = Checksum(tables.sorted_tables)
        self._connection = create_database(path)
        self._shared = 0
        self._identity: tuple[int, int] | None = None
        self._begin()

    @property
    def is_closed(self) -> bool:
        """Whether it was closed, or could not be opened again."""
        return self._connection.closed

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield the connection in a transaction, which is committed at the end.

        Raises:
            StoreError: it cannot be written.
        """
        self.look()
        try:
            with reporting_errors(self.path, "written"), self._checksum.transaction(), self._connection.begin():
                yield self._connection
                self._connection.exec_driver_sql(f"PRAGMA application_id={self._commits + 1:d}")
        except StoreError as error:
            damage = _damage(error)
            if damage is not None:
                self._restore(f"was damaged ({damage})")
            raise
        self._commits += 1
        self._note_commit(self._commits)
        self._shared = extend_shared_memory(self.path, self._shared)

    @contextmanager
    def with_driver(self) -> Iterator[sqlite3.Connection]:
        """Yield SQLite's own connection, for one transaction that begins and ends in the context."""
        self.look()
        with self._checksum.transaction():
            yield _driver(self._connection)
        with self.transaction():  # Counts it.
            pass

    def look(self) -> None:
        """See whether the file is where it was; write it again if not.

        Raises:
            StoreError: it was deleted or replaced, and cannot be written again.
        """
        if self._connection.closed:
            raise StoreError(f"the results database {self.path} is closed")
        self._shared = extend_shared_memory(self.path, self._shared)
        found = _identity(self.path)
        if found != self._identity:
            self._restore("was deleted" if found is None else "was replaced by another file")

    def verify(self) -> None:
        """Compare what the file holds with what was committed; write it again if it differs.

        Raises:
            StoreError: it differs, and this process does not remember all of it.
        """
        self.look()
        problem = self._problem(self.path)
        if problem is None:
            self.is_damaged = False
        else:
            self._restore(problem)

    def close(self) -> None:
        """Verify it and close it, so that the file alone is a complete copy, readable from read-only media too.

        Raises:
            StoreError: as for `verify`; or it cannot be read any more.
        """
        try:
            self._shared = extend_shared_memory(self.path, self._shared)
            with suppress(sqlite3.Error):  # Of a full disk, or a reader: what is in the log can be read there.
                _pragmas(self._connection, "busy_timeout=1000", "wal_checkpoint(TRUNCATE)")
            self.verify()
            with suppress(sqlite3.Error):  # Somebody reads: an empty log stays.
                _pragmas(self._connection, "busy_timeout=1000", "journal_mode=DELETE")
        finally:
            self.release()
        row_of_run(self.path)

    def release(self) -> None:
        """Close the connection, and nothing else."""
        with suppress(sqlite3.Error):
            self._connection.close()
        self._connection.engine.dispose()

    def _begin(self) -> None:
        with reporting_errors(self.path, "written"):
            self._checksum.watch(_driver(self._connection))
            _pragmas(self._connection, "quick_check(1)")  # Reads every page once, so that it is remembered.
        self._identity = _identity(self.path)
        self._shared = extend_shared_memory(self.path, 0)

    def _problem(self, path: Path) -> str | None:
        """Return what is wrong with a file that should hold what was committed; None if nothing is."""
        try:
            check_files(path)
            with closing(connect(path, "mode=ro")) as connection:
                limit_time(connection, path)
                ((verdict,),) = connection.execute("PRAGMA integrity_check(1)").fetchall()
                if verdict == "ok":
                    return None if self._checksum.matches(connection) else "does not hold what was stored in it"
                return f"was damaged ({' '.join(str(verdict).split())})"
        except OtherKindError as error:
            return f"was damaged ({error.problem})"
        except (StoreError, sqlite3.Error) as error:
            return f"was damaged ({error})"

    def _restore(self, problem: str) -> None:
        """Write what this process remembers to a new file, and put it in the place of the damaged one, which is kept beside it.

        Raises:
            StoreError: it does not remember all of it, or cannot write it.
        """
        new = self.path.with_name(f".{self.path.name}.new")
        failure = f"the results database {self.path} {problem}"
        try:
            new.unlink(missing_ok=True)
            with closing(connect(new, "mode=rwc")) as copy:
                _driver(self._connection).backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE").fetchall()
            self.is_damaged = self._problem(new) is not None
            if self.is_damaged:
                raise StoreError(failure)
            self.release()
            damaged = set_aside(self.path)
            new.replace(self.path)
        except (OSError, sqlite3.Error) as error:
            self.is_damaged = True
            raise StoreError(failure) from error
        finally:
            with suppress(OSError):
                new.unlink(missing_ok=True)
        self._connection = _writing_connection(self.path, "mode=rw")
        with reporting_errors(self.path, "written"):
            _log_ahead(self._connection, self.path)
        self._begin()
        kept = "" if damaged is None else f". What was found in its place is kept as {damaged.name}"
        self.repairs.append(f"{failure}, and has been written again in full: nothing is lost{kept}")


def _writing_connection(path: Path, how: str) -> Connection:
    engine = create_engine("sqlite://", creator=lambda: connect(path, how), poolclass=NullPool)
    # Python's sqlite3 would begin a transaction late and end it early; ours begin and end where they say so.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with reporting_errors(path, "written"):
        connection = engine.connect()
        try:
            _pragmas(
                connection, "synchronous=FULL", "foreign_keys=ON", f"cache_size=-{_CACHE_KIB:d}", "temp_store=MEMORY"
            )
        except BaseException:
            connection.close()
            raise
    return connection


def _log_ahead(connection: Connection, path: Path) -> None:
    # Write-ahead logging shares memory between processes, which machines that share a file system cannot do.
    if not on_network(path.parent):
        _pragmas(connection, "journal_mode=WAL")


def _pragmas(connection: Connection, *pragmas: str) -> None:
    # Past SQLAlchemy, which would begin a transaction: in one, these pragmas do nothing.
    for pragma in pragmas:
        _driver(connection).execute(f"PRAGMA {pragma}").fetchall()


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _damage(error: StoreError) -> sqlite3.DatabaseError | None:
    """Return what SQLite says of the file itself, if that is the cause of an error; locks, full disks and the like are not."""
    cause = error.__cause__
    cause = cause.orig if isinstance(cause, DBAPIError) else cause
    return cause if type(cause) is sqlite3.DatabaseError else None


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from others that have had its name; None if there is none."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
