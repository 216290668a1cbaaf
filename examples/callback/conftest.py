"""A callback: it writes each report to a file as it arrives, and says in the end how the lead changed hands.

Where Ray Tune has ``class MyCallback(Callback)``, pytest has hooks: functions with fixed names in a ``conftest.py``, or, as here,
methods of an object that is registered as a plugin, so that what it remembers belongs to one session. Each takes the arguments
that it needs. They run on the driver while the trials go on. To watch a long run: ``tail -f sweep_results/*/reports.jsonl``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep import Result
from pytest_sweep.model import Run, Trial


class ReportLog:
    """The callback."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._best = float("-inf")
        self._leaders: list[str] = []

    def pytest_sweep_run_start(self, run: Run) -> None:
        self._path = Path(run.path) / "reports.jsonl"

    def pytest_sweep_trial_report(self, trial: Trial, metrics: Mapping[str, Any]) -> None:
        assert self._path is not None
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"trial": trial.name, **metrics}) + "\n")

    def pytest_sweep_trial_finish(self, trial: Trial, result: Result) -> None:
        score = (result.metrics or {}).get("score", float("-inf"))
        if score > self._best:
            self._best = score
            self._leaders.append(f"{trial.name} takes the lead with {score:.4g}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self._leaders:
            terminalreporter.write_line(line)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(ReportLog())
