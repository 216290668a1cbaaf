"""Opening a run's database to read it: which databases are refused, and what is seen of those of other versions. Writes nothing.

SQLAlchemy is imported only where its connections are made: a thousand runs are listed by sqlite3 alone before that import would be done.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_sweep import clock
from pytest_sweep.errors import SchemaError, StoreError
from pytest_sweep.store.files import check_files, connect, reporting_errors, uri_of
from pytest_sweep.store.migrations import OLDEST, migrate
from pytest_sweep.store.running import commits, has_stored_nothing
from pytest_sweep.store.unheard import read_unheard
from pytest_sweep.store.version import SCHEMA_VERSION

if TYPE_CHECKING:
    from sqlalchemy import Engine

_LEAST_SECONDS = 60.0
_LEAST_BYTES_A_SECOND = 1_000_000
"""Reading a database takes less than this. One that is damaged, or made for it, might be read in circles for ever."""

_STEPS = 100_000
"""How many of its steps SQLite does between two looks at the clock."""

_FOREIGN = """
SELECT type || ' ' || name FROM sqlite_master
WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%' OR sql LIKE '% AS (%' LIMIT 1
"""
"""Finds what is none of ours in a schema, and may run for ever when a table is read: views, triggers, computed columns."""


class NotBegunError(StoreError):
    """A database without a run: it has just begun, or was killed as it began, before it had anything to lose.

    Args:
        path: the database.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the run {path.parent.name} has stored nothing yet: it has just begun, or was killed as it began. If it was killed, delete "
            f"{path.parent}"
        )


def nothing_in(path: Path) -> StoreError:
    """Return the error for a database without a run: `NotBegunError`, or where its run had stored something one that says it is lost."""
    folder = path.parent
    try:
        if has_stored_nothing(folder) or _has_run(path):
            return NotBegunError(path)
    except StoreError as error:
        return error
    lost = commits(folder)
    how = (
        f": the last {lost} of its transactions are lost, since its write-ahead log was damaged or deleted"
        if lost
        else ""
    )
    return StoreError(
        f"the results database {path} is damaged: nothing of what the run had stored can be read{how}. Put it back, delete {folder}, or "
        "name the run that is meant"
    )


def _has_run(path: Path) -> bool:
    """Say whether a database has a run by now: its driver may have stored it since the reader has looked."""
    with suppress(sqlite3.Error), closing(connect(path, "mode=ro")) as connection:
        return connection.execute("SELECT 1 FROM run").fetchone() is not None
    return False


def snapshot(path: Path, target: Path) -> None:
    """Copy the database, also while it is written, to a file that is complete by itself.

    Raises:
        StoreError: it cannot be read, or the copy not be written.
    """
    check_files(path)
    with (
        reporting_errors(path, "copied"),
        closing(connect(path, "mode=ro")) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE").fetchall()


@contextmanager
def attached(driver: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Have the database at `path` beside the one that `driver` has open, as ``earlier``, to be read only.

    Raises:
        SchemaError, StoreError: as for `reading_engine`.
    """
    # Opened as a reader opens it: what a killed writer left half done is rolled back, and other versions are refused.
    opened = reading_connection(path)
    with tempfile.TemporaryDirectory(prefix="pytest-sweep-") as scratch:
        with reporting_errors(path, "read"), closing(opened):
            if _file(opened):
                writable = os.access(path.parent, os.W_OK) or path.with_name(f"{path.name}-wal").exists()
                uri = uri_of(path, "mode=ro" if writable else "immutable=1")
            else:  # A migrated copy, which only its own connection sees.
                migrated = Path(scratch, path.name)
                with closing(sqlite3.connect(migrated)) as copy:
                    opened.backup(copy)
                uri = uri_of(migrated, "mode=ro")
            driver.execute("ATTACH ? AS earlier", (uri,))
        try:
            yield
        finally:
            driver.execute("DETACH earlier")


def reading_engine(path: Path, *, unheard: bool = True) -> Engine:
    """Return an engine that opens `path` for every connection anew, to read only.

    Of a database with an older schema, or with something beside it that is not stored yet, they see a copy that has it; the file stays
    as it is. They raise SchemaError for the database of a version that cannot be read, and StoreError for what is no database of ours.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    return create_engine("sqlite://", creator=lambda: reading_connection(path, unheard=unheard), poolclass=NullPool)


def reading_connection(path: Path, *, unheard: bool = True) -> sqlite3.Connection:
    """Open the database at `path` to read only, or a copy of it that is at today's schema and has what is not stored yet.

    Args:
        path: the database.
        unheard: whether what is not stored yet is seen. Reports have no number until they are stored.

    Raises:
        SchemaError, StoreError: as for `reading_engine`.
    """
    said = (
        read_unheard(path.parent) if unheard else ()
    )  # Before the database: what the driver forgets there it has stored.
    connection = _own_connection(path)
    if version_of(connection) == SCHEMA_VERSION and not said:
        return connection
    with reporting_errors(path, "read"), closing(connection):
        copy = sqlite3.connect(
            "", isolation_level=None
        )  # Of this connection only; SQLite puts a large one on the disk.
        try:
            connection.backup(copy)
            migrate(copy)
            if said:
                from pytest_sweep.store.recovering import add_unheard

                with suppress(ValueError, OverflowError):  # What SQLite has no room for is none of ours.
                    add_unheard(copy, said)
        except BaseException:
            copy.close()
            raise
        return copy


def peek(path: Path) -> dict[str, Any]:
    """Return the columns of the row ``run``, as they are stored, whatever version wrote it; nothing where that is not possible."""
    try:
        return row_of_run(path, any_version=True)
    except StoreError:
        return {}


def row_of_run(path: Path, *, any_version: bool = False) -> dict[str, Any]:
    """Return the columns of the row ``run``, as they are stored: a tenth of the time of what makes objects of them.

    Raises:
        SchemaError, StoreError: as for `reading_engine`; not for another version, where `any_version` may be read.
    """
    with reporting_errors(path, "read"), closing(_own_connection(path, any_version)) as connection:
        found = connection.execute("SELECT * FROM run")
        row = found.fetchone()
        if row is None:
            raise nothing_in(path)
        return dict(zip([name for name, *_ in found.description], row, strict=True))


def any_connection(path: Path) -> sqlite3.Connection:
    """Open the database at `path` to read only, whatever version wrote it: its tables may have other columns than ours.

    Raises:
        StoreError: it cannot be read, or is none of ours.
    """
    return _own_connection(path, any_version=True)


def commits_in(path: Path) -> int:
    """Return how many transactions a database has, as its writer has counted them; 0 where it cannot be read, or an older version has."""
    try:
        with reporting_errors(path, "read"), closing(_own_connection(path, any_version=True)) as connection:
            ((number,),) = connection.execute("PRAGMA application_id").fetchall()
            return int(number)
    except StoreError:
        return 0


def version_of(connection: sqlite3.Connection) -> int:
    """Return the number of the schema of a database; 0 where it has none."""
    with closing(connection.execute("PRAGMA user_version")) as cursor:
        (version,) = cursor.fetchone()
    assert isinstance(version, int)
    return version


def _file(connection: sqlite3.Connection) -> str:
    """Return the file of a connection; "" for a temporary copy."""
    ((_, _, file), *_) = connection.execute("PRAGMA database_list").fetchall()
    return str(file)


def _own_connection(path: Path, any_version: bool = False) -> sqlite3.Connection:
    """Open the database at `path` itself, to read only, if its schema is one that can be read, or `any_version` may be."""
    check_files(path)
    with reporting_errors(path, "read"):
        try:
            return _checked(path, "mode=ro", any_version)
        except sqlite3.OperationalError:
            if path.with_name(f"{path.name}-journal").exists():
                # A writer without WAL was killed: what it left half done is rolled back, which takes write access. What a
                # newer version left is not ours to touch, so that its version is looked at before.
                if any_version:
                    return _checked(path, "immutable=1", any_version)
                _checked(path, "immutable=1").close()
                connection = _checked(path, "mode=rw")
                connection.execute("PRAGMA query_only=ON")
                return connection
            if not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists():
                # Write-ahead logging wants files beside the database; on read-only media nobody writes.
                return _checked(path, "immutable=1", any_version)
            raise


def _checked(path: Path, how: str, any_version: bool = False) -> sqlite3.Connection:
    """Open the database unless its version cannot be read or it is none of ours. Never by `open()`: closing would drop SQLite's locks."""
    connection = connect(path, how)
    try:
        version = version_of(connection)
        if version == 0:
            raise nothing_in(path)
        if not any_version and not OLDEST <= version <= SCHEMA_VERSION:
            raise SchemaError(_other_version(path, version))
        limit_time(connection, path)
        foreign = connection.execute(_FOREIGN).fetchone()
        if foreign is not None:
            raise StoreError(
                f"the results database {path} cannot be read: it has a {foreign[0]!r}, which is none of pytest-sweep's"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def limit_time(connection: sqlite3.Connection, path: Path) -> None:
    """Have SQLite give up (``interrupted``) after a time in which a sound database would long have been read."""
    size = 0
    with suppress(OSError):
        size = path.stat().st_size
    end = clock.monotonic() + _LEAST_SECONDS + size / _LEAST_BYTES_A_SECOND
    connection.set_progress_handler(lambda: int(clock.monotonic() > end), _STEPS)


def _other_version(path: Path, version: int) -> str:
    age, remedy = (
        ("a newer", "upgrade pytest-sweep to read it")
        if version > SCHEMA_VERSION
        else ("an older", f"run the sweep again, and delete {path.parent} when you no longer need it")
    )
    return (
        f"{path} was written by {age} pytest-sweep: it has schema {version}, and this one reads schema {OLDEST} to {SCHEMA_VERSION}."
        f" It was left untouched; {remedy}"
    )
