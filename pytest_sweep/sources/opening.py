"""Notes which Python files code opens or compiles by their paths: those that it runs without importing them, too."""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

from pytest_sweep.sources.files import Stamp
from pytest_sweep.sources.project import Project

_HARNESS = ("_pytest.", "pytest_sweep.")
"""Who opens files for itself: to collect them, to show a line of them, to compare them."""


class Opened(NamedTuple):
    """A Python file that was opened: its path, and by which it is known not to have changed since."""

    path: str
    stamp: Stamp


@functools.cache
def _listeners() -> list[Callable[[str, tuple[Any, ...]], None]]:
    """Return who hears of files that this process opens. A hook cannot be removed, so that there is one for the whole process."""
    listeners: list[Callable[[str, tuple[Any, ...]], None]] = []

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event != "open" and event != "compile":  # noqa: PLR1714 - the fastest way, for all the other events
            return
        for listener in listeners:
            listener(event, args)

    sys.addaudithook(hook)
    return listeners


class OpenWatch:
    """Watches between `open` and `close` which Python files of the project are read, by whatever thread.

    A bytecode file counts as its source. Files do not count that pytest or this plugin reads for itself, nor those that were written
    since `opened` was emptied: the code that has written them says what is in them. Neither do those in the machine's temporary folder.

    Args:
        project: knows which files are the project's.

    Attributes:
        opened: the files that were read since this was emptied, each with the files of the project that did; "" for a thread's own.
    """

    def __init__(self, project: Project) -> None:
        self.opened: dict[Opened, set[str]] = {}
        self._project = project
        self._written: set[str] = set()
        self._temporary = os.path.join(os.path.realpath(tempfile.gettempdir()), "")  # noqa: PTH118

    def open(self) -> None:
        """Begin."""
        _listeners().append(self._hear)

    def close(self) -> None:
        """Hear no more."""
        if self._hear in _listeners():
            _listeners().remove(self._hear)

    def take(self) -> dict[Opened, set[str]]:
        """Return what `opened` holds, and empty it."""
        if self._written:
            self._written = set()
        if not self.opened:
            return {}
        opened, self.opened = self.opened, {}
        return opened

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        try:
            given = args[0] if event == "open" else args[1]
            if isinstance(given, int) or given is None:
                return
            name = os.fsdecode(given)
            if name.endswith((".py", ".pyc")):
                self._note(os.path.abspath(name), event == "open" and _writes(args[1], args[2]))  # noqa: PTH100
        except (
            OSError,
            TypeError,
            ValueError,
        ):  # It is no path, or nothing is there: nothing is read, and `open` says so.
            return

    def _note(self, path: str, is_written: bool) -> None:
        source = _source_of(path)
        if is_written:
            self._written.add(source)
            return
        if source in self._written or not self._counts(source):
            return
        caller = self._caller()
        if caller is not None:
            status = os.stat(source)  # noqa: PTH116 - as little as possible
            self.opened.setdefault(Opened(source, Stamp(status.st_mtime_ns, status.st_size)), set()).add(caller)

    def _counts(self, path: str) -> bool:
        """Say whether a file is the project's, and not a generated one in the temporary folder of the machine."""
        key = self._project.key(path)
        return key is not None and not (key.startswith("../") and os.path.realpath(path).startswith(self._temporary))

    def _caller(self) -> str | None:
        """Return the file of the project that reads; "" where a thread does with no such file; None for pytest and this plugin."""
        frame: FrameType | None = sys._getframe(4)
        while frame is not None:
            if str(frame.f_globals.get("__name__")).startswith(_HARNESS):
                return None
            file = frame.f_code.co_filename
            if not file.startswith("<") and self._project.key(file) is not None:
                return file
            frame = frame.f_back
        return ""


def _writes(mode: str | None, flags: int) -> bool:
    if mode is None:  # os.open
        return bool(flags & (os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
    return mode[:1] in ("w", "x", "a")


def _source_of(path: str) -> str:
    """Return the source of a bytecode file; the file itself where it is none, or has none."""
    if path.endswith(".py"):
        return path
    try:
        return importlib.util.source_from_cache(path)
    except (ValueError, NotImplementedError):
        return path
