"""Imports what a run needs before the tests are imported, where a file of theirs is named like a module of the standard library."""

from __future__ import annotations

import sys
from collections.abc import Generator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from pytest_sweep.wire.shadowing import is_standard, shadowed, standard_first

_LATE = ("getpass", "psutil", "sqlite3", "pytest_sweep.plugin.assembly", "pytest_sweep.plugin.record.recorder")
_LATE_ON_RAY = ("ray", "pytest_sweep.executors.ray.conductor", "pytest_sweep.executors.ray.workers.spawn")
"""What is imported late otherwise, because a session can begin without it."""


class ShadowedModules:
    """A plugin that looks, before tests of a folder are imported, for files in it that could take the place of a part of what we need.

    Where there is one, all that is imported late otherwise is imported at once. What that imports of the standard library is kept away
    while tests are collected, which get their own, as without a sweep.

    Args:
        executor: the name of the executor.
    """

    def __init__(self, executor: str) -> None:
        self._late = _LATE + (_LATE_ON_RAY if executor == "ray" else ())
        self._before = frozenset(sys.modules)
        self._has_imported = False
        self._hidden: dict[str, ModuleType] = {}

    def look(self, folder: Path) -> None:
        """Look into a folder that is, or will be, on the import path."""
        absent = [name for name in shadowed([str(folder)]) if name not in self._before]
        if not absent:
            return
        self._import()
        for name in absent:
            module = sys.modules.get(name)
            # A package is not kept away: parts of it may be imported later.
            if module is not None and is_standard(name) and not hasattr(module, "__path__"):
                self._hidden[name] = sys.modules.pop(name)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path: Path) -> None:
        """Look into a folder that is about to be collected."""
        self.look(path)

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        """Put back in the end what no test has one of its own for."""
        try:
            return (yield)
        finally:
            for name, module in self._hidden.items():
                sys.modules.setdefault(name, module)

    def _import(self) -> None:
        """Import the late ones, once."""
        if not self._has_imported:
            self._has_imported = True
            with standard_first():
                for module in self._late:
                    import_module(module)
