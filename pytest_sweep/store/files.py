"""The files of a run's database: which kinds are opened, and how SQLite opens them. Knows nothing of what is in them."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from pytest_sweep.errors import StoreError

BUSY_SECONDS = 5.0
"""How long a database that somebody else has locked is waited for; a writer tries again later."""

SHARED_MEMORY = "-shm"
BESIDE = ("-wal", SHARED_MEMORY, "-journal")
"""How the names of the files end that SQLite puts beside a database."""

_REGION = 32 * 1024
"""SQLite maps the file ``-shm`` in pieces of this size."""

_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class OtherKindError(StoreError):
    """A database, or what lies beside it, is no regular file.

    Args:
        path: the database.
        problem: which of the files is what: ``run.db-wal is a link``.
    """

    def __init__(self, path: Path, problem: str) -> None:
        self.problem = problem
        super().__init__(
            f"the results database {path} cannot be read: {problem}, not a regular file, and was not opened. Put the file back, or delete "
            f"{path.parent}"
        )


def connect(path: Path, how: str) -> sqlite3.Connection:
    """Open the database at `path`; `how` is the query of SQLite's URI, such as ``mode=ro``.

    Raises:
        sqlite3.Error: SQLite cannot open it.
    """
    connection = sqlite3.connect(uri_of(path, how), uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        # A mapped file that is truncated by somebody kills the process that reads it, by SIGBUS.
        connection.execute("PRAGMA mmap_size=0").close()
    except BaseException:
        connection.close()
        raise
    return connection


def uri_of(path: Path, how: str) -> str:
    """Return the URI by which SQLite opens a file."""
    return f"file:{quote(path.absolute().as_posix())}?{how}"


@contextmanager
def reporting_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite complains of into a StoreError that names the file."""
    try:
        yield
    except Exception as error:
        # SQLAlchemy, which is not imported for this, wraps what SQLite raises.
        cause = getattr(error, "orig", None) or error
        if not isinstance(cause, sqlite3.Error):
            raise
        raise StoreError(f"the results database {path} cannot be {doing}: {cause}") from error


def has_database(folder: Path, name: str) -> bool:
    """Say whether a folder has a database of this name: also one that cannot be read, or something else in its place."""
    try:
        (folder / name).lstat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # A NUL is no part of a path.
        return False
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG  # The folder may not be entered.
    return True


def check_files(path: Path) -> None:
    """Check that a database, and what lies beside it, are regular files.

    A run may come from anyone: SQLite would follow a link to another file, and wait for a named pipe for ever.

    Raises:
        StoreError: one of them is something else, or the database is not there or may not be read.
    """
    for suffix in ("", *BESIDE):
        part = path.with_name(f"{path.name}{suffix}")
        try:
            kind = stat.S_IFMT(part.lstat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            if not suffix:
                raise StoreError(f"there is no results database {path}") from None
            continue
        except OSError as error:
            raise StoreError(f"the results database {path} cannot be read: {error.strerror or error}") from error
        if kind != stat.S_IFREG:
            raise OtherKindError(path, f"{part.name} is {_KINDS.get(kind, 'something else')}")


def extend_shared_memory(path: Path, known: int) -> int:
    """Give SQLite's file of shared memory its size back if somebody has truncated it, and return the size that it has now.

    SQLite has the file mapped, and the process would die by SIGBUS. What is filled in are zeros: SQLite sees that, and reads the
    write-ahead log instead.

    Args:
        path: the database.
        known: the size that the file had when it was last looked at; 0 if there was none.
    """
    shared = f"{path}{SHARED_MEMORY}"
    try:
        found = os.lstat(shared)
        if known and found.st_size < known and stat.S_ISREG(found.st_mode):
            os.truncate(shared, known)
            return known
    except OSError:  # It is not there, or somebody else's: then it is another file than the one that is mapped.
        return known
    return max(known, found.st_size - found.st_size % _REGION)


def set_aside(path: Path) -> Path | None:
    """Rename a database, and what lies beside it, to names that are free: ``run.db.damaged``. Return the first; None if there is nothing.

    Raises:
        OSError: it cannot be renamed.
    """
    target = path.with_name(f"{path.name}.damaged")
    number = 1
    while any(os.path.lexists(f"{target}{suffix}") for suffix in ("", *BESIDE)):
        number += 1
        target = path.with_name(f"{path.name}.damaged-{number}")
    first: Path | None = None
    for suffix in ("", *BESIDE):
        if os.path.lexists(f"{path}{suffix}"):
            os.rename(f"{path}{suffix}", f"{target}{suffix}")  # noqa: PTH104 - beside the names that are texts
            first = first or Path(f"{target}{suffix}")
    return first
