"""Leaves sweeps out of collection: without ``--sweep``, which is said in one line, and in the workers of pytest-xdist."""

from __future__ import annotations

import fnmatch
import inspect
import sys
from pathlib import Path

import pytest


class LeftOut:
    """Collects nothing of functions with ``@sweep`` and counts them."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(
        self, collector: pytest.Collector, name: str, obj: object
    ) -> list[pytest.Item] | None:
        """Leave a sweep out."""
        # The same question as worker.definition.is_sweep, which would import the search space into every session of pytest.
        if isinstance(obj, (staticmethod, classmethod)):
            obj = obj.__func__
        if not inspect.isfunction(obj) or not hasattr(obj, "pytestmark"):
            return None
        marks = obj.pytestmark if isinstance(obj.pytestmark, list) else [obj.pytestmark]
        if not any(mark.name == "sweep" for mark in marks):
            return None
        if not is_collected_elsewhere(collector, obj.__module__):
            self._names.add(f"{collector.nodeid}::{name}")
        return []

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many sweeps were left out and how to run them."""
        count = len(self._names)
        if count:
            noun, pronoun = ("sweep was", "it") if count == 1 else ("sweeps were", "them")
            terminalreporter.write_line(f"{count} {noun} left out: run {pronoun} with pytest --sweep")


def is_collected_elsewhere(collector: pytest.Collector, module: str) -> bool:
    """Say whether a function of `module`, which a test file has imported, is collected in a test file of its own.

    It is not if its module is none that pytest collects, such as a library of the project.
    """
    if not isinstance(collector, pytest.Module) or module == collector.obj.__name__:
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    patterns = collector.config.getini("python_files")
    return isinstance(file, str) and any(
        fnmatch.fnmatch(Path(file).name, pattern.rpartition("/")[2]) for pattern in patterns
    )


class LeftToController(LeftOut):
    """In a worker of pytest-xdist, leaves to the controlling session what that runs itself."""

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the tests that judge, which run after the trials; without ``--sweep`` they are skipped as everywhere."""
        if config.getoption("sweep"):
            items[:] = [item for item in items if "sweep_results" not in getattr(item, "fixturenames", ())]
