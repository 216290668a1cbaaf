"""Where the driver's files are on this machine: at the same place, or in a copy that was shipped. Knows neither pytest nor Ray."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass

from pytest_sweep.permissions import is_private_folder


@dataclass(frozen=True, slots=True)
class Sign:
    """A file by which a machine knows that it sees a folder of the driver's, and not another one of the same path.

    Attributes:
        path: the file.
        identity: its inode, size and time of change, where it is one of the user's; None where its name is that of no other file.
    """

    path: str
    identity: tuple[int, int, int] | None = None

    @classmethod
    def of(cls, path: str) -> Sign:
        """Return the sign that a file of the user's is.

        Raises:
            OSError: it cannot be looked at.
        """
        return cls(path, _identity(path))

    def is_seen(self) -> bool:
        """Say whether this machine sees it."""
        try:
            identity = _identity(self.path)
        except OSError:
            return False
        return self.identity is None or self.identity == identity


@dataclass(frozen=True, slots=True)
class Code:
    """What a worker is told of the driver's files.

    Attributes:
        root: the rootdir of the driver.
        sign: by which a worker knows that it sees it; None where all workers are on the driver's machine.
        copied: the folder of the driver's of which the others find a copy where they start; "" where there is none.
        is_copy: whether `root` is in such a copy.
    """

    root: str
    sign: Sign | None = None
    copied: str = ""
    is_copy: bool = False

    def is_seen(self) -> bool:
        """Say whether this machine sees the driver's rootdir."""
        return self.sign is None or self.sign.is_seen()


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of one of the driver's folders on this machine.

    Attributes:
        of: the folder of the driver's.
        at: where the copy is.
    """

    of: str
    at: str

    def path(self, path: str) -> str:
        """Return what `path` of the driver's is here: its equivalent in the copy, or the same where it is not in the folder."""
        if path == self.of:
            return self.at
        inside = self.of.rstrip(os.sep) + os.sep
        return os.path.join(self.at, path[len(inside) :]) if path.startswith(inside) else path  # noqa: PTH118 - text with "::" in it

    def holds(self, path: str) -> bool:
        """Say whether `path` of the driver's is in the folder."""
        return self.path(path) != path

    def argument(self, argument: str) -> str:
        """Return an argument of a command line: a path, with or without ``::name``, and what follows the ``=`` of an option."""
        if not argument.startswith("-"):
            return self.path(argument)
        option, equals, value = argument.partition("=")
        return f"{option}{equals}{self.path(value)}"


def _identity(path: str) -> tuple[int, int, int]:
    status = os.stat(path)  # noqa: PTH116 - on a node, with as little as possible
    return status.st_ino, status.st_size, status.st_mtime_ns


def scratch_folder(run: str, token: str) -> str:
    """Return a folder of this machine for what a run keeps here, if it cannot keep it where the driver does. Only this user can use it.

    All processes of the run find the same one. It is made where it is not there.

    Args:
        run: the name of the run.
        token: a text that nobody else knows, so that nobody can have put something in its place.
    """
    folder = os.path.join(tempfile.gettempdir(), f"pytest-sweep-{run}-{token}")  # noqa: PTH118 - on a node, with as little as possible
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)  # noqa: PTH102
    # A link, or a folder that somebody else may write to: this process gets a folder of its own.
    return folder if is_private_folder(folder) else tempfile.mkdtemp(prefix=f"pytest-sweep-{run}-")
