"""Runs tests on a mutated copy of the project, each time in a fork of a process that has imported what the tests need of others."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import coverage
import pytest

from tests.mutation.mutants import Mutant

PRELOADED = ("hypothesis", "sqlalchemy", "numpy", "pandas", "cloudpickle", "greenlet", "psutil", "fsspec", "wcwidth")
"""What the tests import and no mutant changes: it is imported once."""

OPTIONS = (
    *("-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:xdist"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # hypothesis, which is imported already.
)
MEMORY = 6 << 30
HANGS = "timeout"


@dataclass
class Coverage:
    """Which tests ran a line.

    Attributes:
        lines: by path, by line, the node ids of the tests.
        seconds: by node id, how long each took.
    """

    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def tests(self, mutant: Mutant) -> list[str]:
        """Return the tests that run what is mutated, the quickest first; all, if it is run when the file is imported."""
        lines = self.lines.get(mutant.path, {})
        found = {test for line in mutant.lines for test in lines.get(line, ())}
        if "" in found or mutant.is_imported:
            found = set(self.seconds)
        return sorted(found, key=lambda test: (self.seconds.get(test, 0.0), test))


class Bench:
    """A copy of the project to mutate.

    Args:
        root: the project.
        folder: an empty folder for the copy.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        names = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        for name in names:
            if (root / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, folder / name)
        for name in PRELOADED:
            importlib.import_module(name)

    def cover(self, package: str, tests: Sequence[str], limit: float) -> Coverage:
        """Run the tests once on what is not mutated; see which lines of the package each of them runs."""
        report = self.folder / "covered.json"
        source = self.folder / "pytest_sweep" / package
        status = self._fork(lambda: _covered(tests, source, report), limit, is_cached=True)
        if status != 0:
            output = (self.folder / "output.txt").read_text("utf-8", "replace")
            raise SystemExit(f"the tests of {package} fail without a mutant, with status {status}:\n{output[-3000:]}")
        read = json.loads(report.read_text("utf-8"))
        lines = {
            str(Path(path).relative_to(self.folder)): {int(line): names for line, names in by_line.items()}
            for path, by_line in read["lines"].items()
        }
        return Coverage(lines, read["seconds"])

    def run(self, mutant: Mutant, tests: Sequence[str], limit: float) -> str:
        """Return ``survived``, ``killed`` or ``timeout``."""
        path = self.folder / mutant.path
        original = path.read_bytes()
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()
        path.write_text(mutant.source, "utf-8")
        try:
            status = self._fork(lambda: int(pytest.main([*OPTIONS, *tests])), limit, is_cached=False)
        finally:
            path.write_bytes(original)
        return HANGS if status is None else "survived" if status == 0 else "killed"

    def _fork(self, body: Callable[[], int], limit: float, *, is_cached: bool) -> int | None:
        """Return the exit status of `body` in a fork; None if it took longer than `limit` seconds."""
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            status = 70
            try:
                self._settle(limit, is_cached)
                status = body()
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGKILL)
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return None

    def _settle(self, limit: float, is_cached: bool) -> None:
        os.setpgid(0, 0)  # What a test starts ends with it.
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 1))  # Also where the command is killed.
        os.chdir(self.folder)
        output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "pytest_sweep")]:
            del sys.modules[name]
        sys.path.insert(0, str(self.folder))
        os.environ["PYTHONPATH"] = str(self.folder)
        if not is_cached:
            # Two mutants of one length within a second would share their bytecode.
            sys.dont_write_bytecode = True
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def _covered(tests: Sequence[str], source: Path, report: Path) -> int:
    measuring = coverage.Coverage(data_file=None, source=[str(source)], config_file=False)
    contexts = _Contexts(measuring)
    measuring.start()
    try:
        status = int(pytest.main([*OPTIONS, *tests], plugins=[contexts]))
    finally:
        measuring.stop()
    data = measuring.get_data()
    lines = {path: data.contexts_by_lineno(path) for path in data.measured_files()}
    report.write_text(json.dumps({"lines": lines, "seconds": contexts.seconds}), "utf-8")
    return status


class _Contexts:
    """Tells coverage which test runs."""

    def __init__(self, measuring: coverage.Coverage) -> None:
        self._measuring = measuring
        self.seconds: dict[str, float] = defaultdict(float)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[Any]:
        self._measuring.switch_context(item.nodeid)
        begin = time.perf_counter()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] += time.perf_counter() - begin
            self._measuring.switch_context("")
