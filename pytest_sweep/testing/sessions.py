"""Runs a pytest session in a process of its own and reads all that it leaves behind: results, junit file, text, log."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pytest_sweep.results import Result, SweepResults, load_results

SESSION_SECONDS = 240
"""After how long a session is taken to hang."""


@dataclass(frozen=True)
class FinishedSession:
    """A pytest session that has ended: its exit status, its output and its folder."""

    status: int
    output: str
    folder: Path

    @cached_property
    def results(self) -> SweepResults:
        """The results of its run."""
        return load_results(dir=self.folder / "sweep_results")

    @cached_property
    def trials(self) -> Mapping[str, Result]:
        """The results of its trials, by their names."""
        return {result.name: result for grid in self.results.values() for result in grid}

    @cached_property
    def cases(self) -> Mapping[str, Sequence[ET.Element]]:
        """The test cases of its junit file, by their names."""
        cases: dict[str, list[ET.Element]] = {}
        for case in ET.parse(self.folder / "junit.xml").iter("testcase"):
            cases.setdefault(case.attrib["name"], []).append(case)
        return cases

    @cached_property
    def log(self) -> Sequence[tuple[int, str]]:
        """What its processes have noted in the file ``log``: process ids and texts."""
        lines = (self.folder / "log").read_text("utf-8").splitlines()
        return [(int(line.partition(" ")[0]), line.partition(" ")[2]) for line in lines]

    def noted(self, text: str) -> int:
        """Return how often `text` was noted."""
        return sum(found == text for _, found in self.log)

    def history(self, trial: str, metric: str) -> list[object]:
        """Return the values that a trial has reported of a metric, in order."""
        return [metrics.get(metric) for metrics in self.trials[trial].metrics_history]


def run_session(folder: Path, files: Mapping[str, str], arguments: Sequence[str]) -> FinishedSession:
    """Write `files` to `folder` and run pytest there, with ``--sweep`` and `arguments`.

    It is a process of its own, so that neither the session that tests it nor its plugins have a part in it.
    """
    for name, content in files.items():
        (folder / name).write_text(content, "utf-8")
    command = [sys.executable, "-m", "pytest", "--sweep", "-rA", "--junitxml=junit.xml", *arguments]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=SESSION_SECONDS, check=False
    )
    return FinishedSession(done.returncode, done.stdout + done.stderr, folder)
