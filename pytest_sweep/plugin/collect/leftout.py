"""Leaves sweeps out of collection: without ``--sweep``, which is said in one line, and in the workers of pytest-xdist."""

from __future__ import annotations

import inspect
import os
import shlex
import sys
from collections.abc import Generator, Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

FILES = ("sweep_*.py", "*_sweep.py")
"""Names of files that are collected with ``--sweep`` only, beside ``python_files``."""

_MOST_FILES = 3


class LeftOut:
    """Collects nothing of functions with ``@sweep``, and counts them and the files that hold nothing else.

    Args:
        config: the session's configuration.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._names: set[str] = set()
        self._files: set[str] = set()
        self._has_advised = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(
        self, collector: pytest.Collector, name: str, obj: object
    ) -> list[pytest.Item] | None:
        """Leave a sweep out."""
        if inspect.isclass(obj):
            self._note_class(collector, name, obj)
            return None
        if not _is_sweep(obj):
            return None
        if not is_collected_elsewhere(collector, obj.__module__):
            self._names.add(f"{collector.nodeid}::{name}")
        return []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> None:
        """Take note of a file of sweeps that pytest passes by."""
        is_given = parent.session.isinitpath(file_path)
        if is_given or not any(fnmatch(file_path.name, pattern) for pattern in FILES):
            return
        if any(file_path.match(pattern) for pattern in self._config.getini("python_files")):
            return
        if _mentions_sweeps(file_path):
            self._files.add(Path(os.path.relpath(file_path, self._config.rootpath)).as_posix())

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        """Say of the node id of a trial what it needs to be found."""
        try:
            return (yield)
        except pytest.UsageError as error:
            self._has_advised = True
            raise pytest.UsageError(*error.args, *self._advice()) from error

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of pytest-xdist has left out."""
        names, files = (getattr(node, "workeroutput", None) or {}).get("sweep_left_out", ((), ()))
        self._names.update(names)
        self._files.update(files)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many sweeps were left out and how to run them."""
        count, files = len(self._names), sorted(self._files)
        sweeps = [f"{count} sweep{'' if count == 1 else 's'}"] if count else []
        more = f" and {len(files) - _MOST_FILES} more" if len(files) > _MOST_FILES else ""
        names = (
            [f"the file{'' if len(files) == 1 else 's'} {', '.join(map(_shown, files[:_MOST_FILES]))}{more}"]
            if files
            else []
        )
        if sweeps or names:
            verb, pronoun = ("was", "it") if count + len(files) == 1 else ("were", "them")
            left_out = " and ".join([*sweeps, *names])
            terminalreporter.write_line(f"{left_out} {verb} left out: run {pronoun} with pytest --sweep")
        if not self._has_advised:  # With pytest-xdist, it is its workers that do not find it.
            for line in self._advice():
                terminalreporter.write_line(line)

    def left_out(self) -> tuple[list[str], list[str]]:
        """Return the sweeps and the files that were left out."""
        return sorted(self._names), sorted(self._files)

    def _note_class(self, collector: pytest.Collector, name: str, cls: type) -> None:
        """Take note of the sweeps of a class that pytest passes by, because of its name."""
        is_imported = isinstance(collector, pytest.Module) and cls.__module__ != collector.obj.__name__
        if is_imported or not isinstance(collector, (pytest.Module, pytest.Class)) or collector.istestclass(cls, name):
            return
        for method, function in vars(cls).items():
            if _is_sweep(function):
                self._names.add(f"{collector.nodeid}::{name}::{method}")

    def _advice(self) -> Iterator[str]:
        for argument in self._config.invocation_params.args:
            sweep = _sweep_of(str(argument), self._names)
            if sweep is not None:
                command = f"pytest --sweep {shlex.quote(str(argument))}"
                yield f"{sweep} is a sweep, which is run with --sweep only: {command}"


def is_collected_elsewhere(collector: pytest.Collector, module: str) -> bool:
    """Say whether a function of `module`, which a test file has imported, is collected in a test file of its own.

    It is not if its module is none that pytest collects, such as a library of the project.
    """
    if not isinstance(collector, pytest.Module) or module == collector.obj.__name__:
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    patterns = collector.config.getini("python_files")
    return isinstance(file, str) and any(fnmatch(Path(file).name, pattern.rpartition("/")[2]) for pattern in patterns)


class LeftToController(LeftOut):
    """In a worker of pytest-xdist, leaves to the controlling session what that runs itself."""

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the tests that judge, which run after the trials; without ``--sweep`` they are skipped as everywhere."""
        if config.getoption("sweep"):
            items[:] = [item for item in items if "sweep_results" not in getattr(item, "fixturenames", ())]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the controlling session what was left out."""
        output: Any = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["sweep_left_out"] = self.left_out()


def _shown(file: str) -> str:
    return file if file.isprintable() else ascii(file)


def _is_sweep(obj: Any) -> bool:
    # The same question as items.definition.is_sweep, which would import the search space into every session of pytest.
    if isinstance(obj, (staticmethod, classmethod)):
        obj = obj.__func__
    if not inspect.isfunction(obj) or not hasattr(obj, "pytestmark"):
        return False
    marks = obj.pytestmark if isinstance(obj.pytestmark, list) else [obj.pytestmark]
    return any(mark.name == "sweep" for mark in marks)


def _mentions_sweeps(path: Path) -> bool:
    """Say whether a file may hold sweeps: many are called like these that have nothing to do with this plugin."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return b"pytest_sweep" in content or b"mark.sweep" in content


def _sweep_of(argument: str, sweeps: Iterable[str]) -> str | None:
    """Return the sweep that the node id of a trial names, as far as its file's name and what follows it tell."""
    path, colons, rest = argument.partition("::")
    if not colons:
        return None
    name = rest.partition("[")[0]
    for sweep in sweeps:
        file, _, its = sweep.partition("::")
        if its == name and Path(file).name == Path(path).name:
            return sweep
    return None
