"""Notes what a process imports while it does: when each module is imported, and which are imported by their names."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from pytest_sweep import clock

_HARNESS = ("_pytest.", "pytest_sweep.")
"""Who imports the test files themselves."""


class ImportWatch:
    """Watches imports between `open` and `close`.

    An import of what is loaded already leaves no trace, so that ``importlib.import_module`` is replaced by a function that notes its
    calls. What a file imports by statements, its text says.

    Attributes:
        times: when modules were looked for, shortly before they were read, in seconds since the epoch.
        asked: names of modules that ``importlib.import_module`` was asked for since this was emptied, each with the files that did.
    """

    def __init__(self) -> None:
        self.times: dict[str, float] = {}
        self.asked: dict[str, set[str]] = {}
        self.original: Callable[..., ModuleType] = importlib.import_module
        self._replacement: Any = None

    def open(self) -> None:
        """Begin."""
        original = self.original

        @functools.wraps(original)
        def import_module(name: str, package: str | None = None) -> ModuleType:
            __tracebackhide__ = True
            module = original(name, package)
            caller = sys._getframe(1)
            if not str(caller.f_globals.get("__name__")).startswith(_HARNESS):
                full = importlib.util.resolve_name(name, package) if name.startswith(".") else name
                self.asked.setdefault(full, set()).add(caller.f_code.co_filename)
            return module

        self._replacement = importlib.import_module = import_module
        sys.meta_path.insert(0, self)

    def close(self) -> None:
        """Leave everything as it was."""
        if importlib.import_module is self._replacement:
            importlib.import_module = self.original
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002 - as importlib calls it
        """Take note of the time, and find nothing."""
        self.times[name] = clock.wall()
        return None
