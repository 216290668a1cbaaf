"""Opening a run's database: how SQLite is set up for one writer and many readers, and which databases are refused.

SQLAlchemy is imported only where its connections are made: what lists a thousand runs by sqlite3 alone is done before that import would be.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_sweep.errors import SchemaError, StoreError
from pytest_sweep.store.migrations import OLDEST, migrate
from pytest_sweep.store.network import on_network
from pytest_sweep.store.version import SCHEMA_VERSION

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_BUSY_SECONDS = 5.0
"""How long a database that somebody else has locked is waited for; a writer tries again later."""


def create_database(path: Path) -> Connection:
    """Make the database of a run and return the connection of its one writer.

    Every commit reaches the disk. Readers read while it writes, except on a network's file system, where they take turns.
    """
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import NullPool

    from pytest_sweep.store.schema import tables

    engine = create_engine("sqlite://", creator=lambda: _connect(path, "mode=rwc"), poolclass=NullPool)
    # Python's sqlite3 would begin a transaction late and end it early; ours begin and end where they say so.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with reporting_errors(path, "written"):
        connection = engine.connect()
        try:
            _pragmas(connection, "synchronous=FULL", "foreign_keys=ON")
            with connection.begin():
                tables.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION:d}")
            # Write-ahead logging shares memory between processes, which machines that share a file system cannot do.
            if not on_network(path.parent):
                _pragmas(connection, "journal_mode=WAL")
        except BaseException:
            connection.close()
            raise
    return connection


def snapshot(path: Path, target: Path) -> None:
    """Copy the database, also while it is written, to a file that is complete by itself.

    Raises:
        StoreError: it cannot be read, or the copy not be written.
    """
    with (
        reporting_errors(path, "copied"),
        closing(_connect(path, "mode=ro")) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE").fetchall()


def close_database(connection: Connection, path: Path) -> None:
    """Close the writer's connection, so that the file alone is a complete copy, readable from read-only media too."""
    try:
        with reporting_errors(path, "closed"):
            try:
                _pragmas(connection, "busy_timeout=1000", "journal_mode=DELETE")
            except sqlite3.OperationalError:
                # Somebody reads: the log stays, but what is in it goes into the file.
                _pragmas(connection, "wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
        connection.engine.dispose()


class NotBegunError(StoreError):
    """A database without a run: it has just begun, or was killed as it began, before it had anything to lose.

    Args:
        path: the database.
        problem: what is wrong with it: ``"holds no run"``.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path} {problem} yet: its run has just begun, or was killed as it began, and then delete {path.parent}"
        )


@contextmanager
def attached(connection: Connection, path: Path) -> Iterator[None]:
    """Have the database at `path` beside the writer's own, as ``earlier``, to be read only.

    Raises:
        SchemaError, StoreError: as for `reading_engine`.
    """
    # Opened as a reader opens it: what a killed writer left half done is rolled back, and other versions are refused.
    opened = reading_connection(path)
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    with tempfile.TemporaryDirectory(prefix="pytest-sweep-") as scratch:
        with reporting_errors(path, "read"), closing(opened):
            if _file(opened):
                writable = os.access(path.parent, os.W_OK) or path.with_name(f"{path.name}-wal").exists()
                uri = _uri(path, "mode=ro" if writable else "immutable=1")
            else:  # A migrated copy, which only its own connection sees.
                migrated = Path(scratch, path.name)
                with closing(sqlite3.connect(migrated)) as copy:
                    opened.backup(copy)
                uri = _uri(migrated, "mode=ro")
            driver.execute("ATTACH ? AS earlier", (uri,))
        try:
            yield
        finally:
            driver.execute("DETACH earlier")


def reading_engine(path: Path) -> Engine:
    """Return an engine that opens `path` for every connection anew, to read only.

    Of a database with an older schema they see a migrated copy; the file stays as it is. They raise SchemaError for the database
    of a version that cannot be read, and StoreError for what is no database of ours.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    return create_engine("sqlite://", creator=lambda: reading_connection(path), poolclass=NullPool)


@contextmanager
def reporting_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite complains of into a StoreError that names the file."""
    try:
        yield
    except Exception as error:
        # SQLAlchemy wraps what SQLite raises.
        cause = getattr(error, "orig", None) or error
        if not isinstance(cause, sqlite3.Error):
            raise
        raise StoreError(f"the results database {path} cannot be {doing}: {cause}") from error


def _connect(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(_uri(path, how), uri=True, timeout=_BUSY_SECONDS, isolation_level=None)


def _uri(path: Path, how: str) -> str:
    return f"file:{quote(path.absolute().as_posix())}?{how}"


def _pragmas(connection: Connection, *pragmas: str) -> None:
    # Past SQLAlchemy, which would begin a transaction: in one, these pragmas do nothing.
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    for pragma in pragmas:
        driver.execute(f"PRAGMA {pragma}").fetchall()


def reading_connection(path: Path) -> sqlite3.Connection:
    """Open the database at `path` to read only, or a migrated copy of it if its schema is older.

    Raises:
        SchemaError, StoreError: as for `reading_engine`.
    """
    connection = _own_connection(path)
    if _version(connection) == SCHEMA_VERSION:
        return connection
    with reporting_errors(path, "read"), closing(connection):
        copy = sqlite3.connect(
            "", isolation_level=None
        )  # Of this connection only; SQLite puts a large one on the disk.
        try:
            connection.backup(copy)
            migrate(copy)
        except BaseException:
            copy.close()
            raise
        return copy


def _version(connection: sqlite3.Connection) -> int:
    with closing(connection.execute("PRAGMA user_version")) as cursor:
        (version,) = cursor.fetchone()
    assert isinstance(version, int)
    return version


def _file(connection: sqlite3.Connection) -> str:
    """Return the file of a connection; "" for a temporary copy."""
    ((_, _, file), *_) = connection.execute("PRAGMA database_list").fetchall()
    return str(file)


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
            raise NotBegunError(path, "holds no run")
        return dict(zip([name for name, *_ in found.description], row, strict=True))


def any_connection(path: Path) -> sqlite3.Connection:
    """Open the database at `path` to read only, whatever version wrote it: its tables may have other columns than ours.

    Raises:
        StoreError: it cannot be read, or is none of ours.
    """
    return _own_connection(path, any_version=True)


def _own_connection(path: Path, any_version: bool = False) -> sqlite3.Connection:
    """Open the database at `path` itself, to read only, if its schema is one that can be read, or `any_version` may be."""
    if not path.is_file():
        raise StoreError(f"there is no results database {path}")
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
    connection = _connect(path, how)
    try:
        version = _version(connection)
        if version == 0:
            raise NotBegunError(path, "is not a results database")
        if not any_version and not OLDEST <= version <= SCHEMA_VERSION:
            raise SchemaError(_other_version(path, version))
    except BaseException:
        connection.close()
        raise
    return connection


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
