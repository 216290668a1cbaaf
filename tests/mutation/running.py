"""Runs tests on mutants: those of functions in forks of one session that has collected the tests, others each in a session of its own."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import types
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import coverage
import pytest

from tests.mutation.mutants import Mutant

OPTIONS = ("-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:xdist")
MEMORY = 8 << 30
NOT_APPLIED = 77
"""The exit status of a fork in which no function has changed: what is mutated runs when the file is imported."""


@dataclass
class Coverage:
    """Which tests run a line.

    Attributes:
        lines: by path, by line, the node ids of the tests.
        seconds: by node id, how long each took.
    """

    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def tests(self, mutant: Mutant) -> list[str]:
        """Return the tests that run the statement that is mutated; all, if it runs when its file is imported. The quickest come first."""
        lines = self.lines.get(mutant.path, {})
        found = {test for line in mutant.lines for test in lines.get(line, ())}
        return sorted(
            self.seconds if mutant.is_imported else found, key=lambda test: (self.seconds.get(test, 0.0), test)
        )


class MutationRun:
    """A plugin: runs the collected tests once to see what they cover, then some of them on each mutant.

    Args:
        root: the project.
        mutants: the mutants.
        package: the folder that they are of.
        scratch: an empty folder.
        tell: is called with each mutant, what became of it and the number of tests that run it.
    """

    def __init__(
        self,
        root: Path,
        mutants: Sequence[Mutant],
        package: Path,
        scratch: Path,
        tell: Callable[[Mutant, str, int], None],
    ) -> None:
        self.is_child = False
        self._root = root
        self._mutants = mutants
        self._package = package
        self._scratch = scratch
        self._tell = tell
        self._copy: Path | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Have properties tried on few examples, always the same ones: each mutant costs as much."""
        import hypothesis  # Its plugin is to be loaded first.

        hypothesis.settings.register_profile(
            "mutation", deadline=None, max_examples=25, derandomize=True, database=None
        )
        hypothesis.settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run everything in forks; in a fork, return None, so that pytest runs what is left in the list of items."""
        if session.testsfailed:
            return None
        items = {item.nodeid: item for item in session.items}
        report = self._scratch / "covered.json"
        if (status := self._fork(900)) is None:
            session.config.pluginmanager.register(_Contexts(self._package, report))
            return None
        if status != 0:
            raise pytest.UsageError(f"the tests fail without a mutant: status {status}, see {self._output}")
        covered = _read(report, self._root)
        for mutant in self._mutants:
            tests = covered.tests(mutant)
            limit = 20 + 5 * sum(covered.seconds.get(test, 0.0) for test in tests)
            status = -1
            if tests and not mutant.is_imported and (status := self._fork(limit)) is None:
                if not _apply(mutant, str(self._root / mutant.path)):
                    os._exit(NOT_APPLIED)
                gc.freeze()  # pytest collects garbage at its end, again and again.
                session.items[:] = [items[test] for test in tests]
                return None
            if tests and (mutant.is_imported or status == NOT_APPLIED):
                status = self._in_a_session(mutant, tests, limit)
            fate = "timeout" if status == -signal.SIGKILL else "survived" if status == 0 else "killed"
            self._tell(mutant, fate if tests else "not covered", len(tests))
        return True

    @property
    def _output(self) -> Path:
        return self._scratch / "output.txt"

    def _fork(self, limit: float) -> int | None:
        """Return None in a fork; in this process, the fork's exit status when it has ended, or was killed after `limit` seconds."""
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            self.is_child = True
            os.setpgid(0, 0)  # What a test starts ends with it.
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1,) * 2)  # Also where the command is killed.
            output = os.open(self._output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            return None
        deadline, done, status = time.monotonic() + limit, 0, 0
        while not done and time.monotonic() < deadline:
            done, status = os.waitpid(child, os.WNOHANG)
            time.sleep(0.005)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        if not done:
            _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)

    def _in_a_session(self, mutant: Mutant, tests: Sequence[str], limit: float) -> int:
        """Return the exit status of a session of its own, which imports the mutated file."""
        copy = self._copied()
        path = copy / mutant.path
        original = path.read_bytes()
        path.write_text(mutant.source, "utf-8")
        # Without bytecode: two mutants of one length within a second would share it.
        environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "pytest", *OPTIONS, *tests]
        with self._output.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=copy, env=environment, stdout=output, stderr=output, start_new_session=True
            )
            try:
                return process.wait(limit + 20)
            except subprocess.TimeoutExpired:
                return -signal.SIGKILL
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                path.write_bytes(original)

    def _copied(self) -> Path:
        if self._copy is None:
            self._copy = self._scratch / "copy"
            ignored = shutil.ignore_patterns("__pycache__", ".git", ".venv", ".tox", ".*_cache")
            shutil.copytree(self._root, self._copy, ignore=ignored, symlinks=True)
        return self._copy


class _Contexts:
    """Tells coverage which test runs, and writes what it has seen."""

    def __init__(self, package: Path, report: Path) -> None:
        self._measuring = coverage.Coverage(data_file=None, source=[str(package)], config_file=False)
        self._report = report
        self._seconds: dict[str, float] = defaultdict(float)
        self._measuring.start()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[Any]:
        self._measuring.switch_context(item.nodeid)
        begin = time.perf_counter()
        try:
            return (yield)
        finally:
            self._seconds[item.nodeid] += time.perf_counter() - begin

    def pytest_sessionfinish(self) -> None:
        self._measuring.stop()
        data = self._measuring.get_data()
        lines = {path: data.contexts_by_lineno(path) for path in data.measured_files()}
        self._report.write_text(json.dumps({"lines": lines, "seconds": self._seconds}), "utf-8")


def _read(report: Path, root: Path) -> Coverage:
    read = json.loads(report.read_text("utf-8"))
    return Coverage(
        {
            str(Path(path).relative_to(root)): {int(line): list(filter(None, names)) for line, names in by_line.items()}
            for path, by_line in read["lines"].items()
        },
        read["seconds"],
    )


def _apply(mutant: Mutant, path: str) -> bool:
    """Give the functions of a file their mutated code, whoever holds them; say whether any has changed."""
    new: dict[tuple[str, int], list[types.CodeType]] = defaultdict(list)
    for code in _codes(compile(mutant.source, path, "exec")):
        new[code.co_name, code.co_firstlineno].append(code)
    has_changed = False
    for function in [one for one in gc.get_objects() if type(one) is types.FunctionType]:
        old = function.__code__
        if old.co_filename == path:
            found = new[old.co_name, old.co_firstlineno]
            if len(found) == 1 and found[0] != old and found[0].co_freevars == old.co_freevars:
                function.__code__ = found[0]
                has_changed = True
    return has_changed


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)
