"""Says whether a run still goes on: its driver locks a file in its folder, and the kernel frees the lock when the driver dies."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
import stat
import sys
import time
from pathlib import Path
from typing import BinaryIO

from pytest_sweep.errors import StoreError
from pytest_sweep.store.folders import DATABASE, NOTHING_STORED

if sys.platform != "win32":
    import fcntl

FILE = "running"

LONGEST = 1000
"""How many bytes of the file are read."""

_COMMITS = re.compile(rb"\n *([0-9]{1,12}) transactions\n")


class RunLock:
    """The lock of a run that goes on; it lives as long as this process, whatever becomes of that.

    Args:
        folder: the run's folder.

    Raises:
        StoreError: the file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._marker = folder / NOTHING_STORED
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        try:
            self._marker.touch()
            self._file: int | None = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            text = f"process {this_driver()}, since {since}\n".encode()
            os.write(self._file, text)
            self._end = len(text)
        except OSError as error:
            raise StoreError(f"results cannot be written to {folder}: {error.strerror or error}") from error
        if sys.platform != "win32":
            # A file system without locks has runs that nobody sees going on, as there were before.
            with contextlib.suppress(OSError):
                # Of the process, not of the open file: what the driver forks does not hold it.
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def note_stored(self) -> None:
        """Say that the run has a database now."""
        with contextlib.suppress(OSError):  # Somebody has deleted the folder.
            self._marker.unlink()

    def note_commit(self, number: int) -> None:
        """Say how many transactions the database has: if the driver is killed, its readers know whether they see all of them."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # A full disk.
                os.lseek(self._file, self._end, os.SEEK_SET)
                os.write(self._file, b"%12d transactions\n" % number)

    def release(self) -> None:
        """Say that the run has ended. A second call does nothing."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # Somebody has deleted the folder, or nobody may write there any more.
                self._path.unlink()
            os.close(self._file)
            self._file = None


def this_driver() -> str:
    """Return what tells this process from those that drive other runs: ``4711 on host``."""
    return f"{os.getpid()} on {platform.node()}"


def is_running(folder: Path, driver: str | None) -> bool:
    """Say whether the run in `folder` goes on; this process may be the one that drives it.

    Args:
        folder: the run's folder.
        driver: the process that has begun it, as `this_driver` named it, or None.

    Raises:
        StoreError: the folder cannot be read.
    """
    if driver == this_driver():
        return (folder / FILE).exists()
    return who_runs(folder) is not None


def who_runs(folder: Path) -> str | None:
    """Return who drives the run in `folder`: ``process 4711 on host, since 2026-11-23 20:30:21 UTC``; None where it has ended or died.

    Not to be asked by the process that drives it, which would lose its lock; `is_running` may be.

    Raises:
        StoreError: the folder cannot be read.
    """
    try:
        file = open_regular(folder / FILE)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unknown(folder, error) from error
    with file:
        if sys.platform != "win32":
            try:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):  # POSIX allows either.
                return file.read(LONGEST).decode(errors="replace").partition("\n")[0]
            except OSError:  # A file system without locks.
                return None
    return None


def has_stored_nothing(folder: Path) -> bool:
    """Say whether the run in `folder`, whose database holds nothing, never stored anything: it has just begun, or was killed as it began.

    Raises:
        StoreError: the folder cannot be read.
    """
    try:
        names = {entry.name for entry in folder.iterdir() if entry.name != DATABASE or entry.stat().st_size}
    except OSError as error:
        if folder.is_symlink() and not folder.exists():
            return False  # What the link leads to is gone.
        raise StoreError(f"the folder {folder} cannot be read: {error.strerror or error}") from error
    if NOTHING_STORED in names:
        return True
    # An older version has no such file, and does not count what it stores. A folder with nothing in it has lost its database.
    return (
        FILE in names and commits(folder) is None and not names - {FILE, DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"}
    )


def commits(folder: Path) -> int | None:
    """Return how many transactions the driver of the run in `folder` has committed, where it was killed; None where that is not known.

    Not to be asked by the process that drives the run.
    """
    try:
        with open_regular(folder / FILE) as file:
            found = _COMMITS.search(file.read(LONGEST))
    except (OSError, ValueError):
        return None
    return None if found is None else int(found[1])


def _unknown(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"whether the run in {folder} goes on cannot be read: {error.strerror or error}. If it does not, delete {folder / FILE}"
    )


def open_regular(path: Path) -> BinaryIO:
    """Open a file of a run's folder to read it.

    Raises:
        OSError: it is not there, is no regular file, or cannot be read.
    """
    # The folder may come from anyone: a pipe would be waited for, and a link be followed. Windows has neither flag.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"{path.name} is not a regular file")
    return os.fdopen(descriptor, "rb")
