"""The folder that a local Ray keeps its session in: its sockets, its logs, and the code and packages that its workers import.

Ray makes it in ``/tmp/ray`` with mode 0777, where another user may replace what workers import. Here it lies in a folder that only this
user may enter. Imports no Ray.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pytest_sweep import clock
from pytest_sweep.errors import ExecutorError
from pytest_sweep.permissions import is_private_folder, why_untrusted

if sys.platform != "win32":
    import fcntl

PREFIX = "sweep-ray-"
LOCK = "in-use"
SESSION = "r"
"""The folder that Ray is given. Ray makes it 0777, so it cannot be the private one itself."""

LONGEST_SOCKET = "/session_2026-11-23_19-01-19_123456_1234567/sockets/plasma_store"
"""The longest path that Ray makes a socket at, in its folder."""

SOCKET_LIMIT = 107 if sys.platform.startswith("linux") else 103
"""How many bytes the path of a socket may have."""

_UNSAFE = "is not safe: {}, so the code that Ray's workers import from there could be replaced; name a safe folder in RAY_TMPDIR"

ABANDONED_SECONDS = 120.0
"""How old a folder without a driver is before the next run deletes it: Ray's agents outlive a killed driver by a minute."""

REMOVAL_SECONDS = 2.0
"""How long it is tried to delete the folder of a Ray that has just ended: its last processes may still write."""


class SessionFolder:
    """A private folder for the session of one Ray. It is deleted by `remove`, and at the end of this process.

    It is made in ``RAY_TMPDIR`` if that is set. Otherwise in the first of the system's folder for temporary files (``TMPDIR``), ``/tmp``,
    ``/var/tmp`` and ``XDG_RUNTIME_DIR`` whose path is short enough for Ray's sockets and where no other user can replace it. What killed
    drivers have left there is deleted.

    Attributes:
        path: the folder to give to Ray.
        warning: what is to be said of ``RAY_TMPDIR``; "" for nothing.

    Raises:
        ExecutorError: no folder can be used; the text says why.
    """

    def __init__(self) -> None:
        parent, self.warning = _find_parent()
        _remove_abandoned(parent)
        try:
            self._private = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            self._private.chmod(0o700)  # The umask may have taken more.
            if not is_private_folder(self._private):
                raise ExecutorError(
                    f"Ray cannot have a folder of its own in {parent}, because others may enter what is made there: name another folder "
                    "in RAY_TMPDIR"
                )
            self._lock: int | None = _locked(self._private / LOCK)
        except OSError as error:
            raise ExecutorError(
                f"Ray cannot have a folder in {parent} ({error.strerror or error}): name another one in RAY_TMPDIR"
            ) from error
        self.path = self._private / SESSION
        self._pid = os.getpid()
        atexit.register(self.remove)

    def keep(self) -> Path:
        """Leave it where it is, for people to read the logs, until a later run deletes it as abandoned; return its path."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
            atexit.unregister(self.remove)
        return self.path

    def remove(self) -> None:
        """Delete it, with all that Ray has left in it. Does nothing in a process that was forked, or when it is called again."""
        if os.getpid() != self._pid or self._lock is None:
            return
        until = clock.monotonic() + REMOVAL_SECONDS
        shutil.rmtree(self._private, ignore_errors=True)
        while self._private.exists() and clock.monotonic() < until:
            clock.pause(0.05)
            shutil.rmtree(self._private, ignore_errors=True)
        if not self._private.exists():
            os.close(self._lock)
            self._lock = None
            atexit.unregister(self.remove)


def _find_parent() -> tuple[Path, str]:
    """Return the folder to make it in, and a warning or ""."""
    named = os.environ.get("RAY_TMPDIR")
    if named:
        return _named_parent(Path(named).absolute())
    unusable, untrusted = [], []
    for folder in _candidates():
        reason = _why_unusable(folder)
        if reason is not None:
            unusable.append(reason)
        elif (threat := why_untrusted(folder)) is None:
            return folder, ""
        else:
            untrusted.append((folder, threat))
    for folder, threat in untrusted:
        return folder, f"Ray's session in {folder} {_UNSAFE.format(threat)}"
    raise ExecutorError(
        f"there is no folder for Ray's session ({'; '.join(unusable)}): name one in RAY_TMPDIR, with a short path, to which only you can "
        "write"
    )


def _named_parent(folder: Path) -> tuple[Path, str]:
    too_long = _why_too_long(folder)
    if too_long is not None:
        raise ExecutorError(f"RAY_TMPDIR cannot be used: {too_long}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        threat = why_untrusted(folder)
    except OSError as error:
        raise ExecutorError(f"RAY_TMPDIR={folder} cannot be used ({error.strerror or error})") from error
    return folder, "" if threat is None else f"RAY_TMPDIR={folder} {_UNSAFE.format(threat)}"


def _candidates() -> Iterator[Path]:
    yield Path(tempfile.gettempdir()).absolute()
    yield from (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - to make a folder with a random name and mode 0700 in
    if runtime := os.environ.get(
        "XDG_RUNTIME_DIR"
    ):  # Last, because it is in memory, where spilled objects have no place.
        yield Path(runtime).absolute()


def _why_unusable(folder: Path) -> str | None:
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} is not writable" if folder.is_dir() else f"{folder} does not exist"
    return _why_too_long(folder)


def _why_too_long(folder: Path) -> str | None:
    longest = f"{folder}/{PREFIX}12345678/{SESSION}{LONGEST_SOCKET}"
    excess = len(os.fsencode(longest)) - SOCKET_LIMIT
    return f"the path {folder} is {excess} bytes too long for Ray's sockets" if excess > 0 else None


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if sys.platform != "win32":
        # A file system without locks: then nobody takes it for abandoned either.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _remove_abandoned(parent: Path) -> None:
    """Delete the folders of drivers that were killed, which is known from their locks."""
    with contextlib.suppress(OSError):
        for folder in parent.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                if _is_abandoned(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    if sys.platform == "win32" or not is_private_folder(folder):
        return False
    lock = folder / LOCK
    if clock.wall() - lock.lstat().st_mtime < ABANDONED_SECONDS:
        return False
    descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
