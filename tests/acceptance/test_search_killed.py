"""A search whose driver or worker is killed goes on as if nothing had happened, with one worker."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_sweep import ResultGrid, load_results
from tests.acceptance.project import Project

pytest.importorskip("optuna")

SEARCH = """
import json, os, signal
from pathlib import Path
from pytest_sweep import asha, sweep, tpe, uniform

@sweep(space={"x": uniform(0, 1)}, num_samples=9, search=tpe(n_startup_trials=3), scheduler=asha(max_t=9, reduction_factor=3),
       metric="loss", mode="min")
def train(x, trial, tmp_path):
    done = json.loads((Path(trial.checkpoint) / "done.json").read_text()) if trial.checkpoint else 0
    for epoch in range(done + 1, 10):
        (tmp_path / "done.json").write_text(json.dumps(epoch))
        for name, pid in (("driver", os.getppid()), ("worker", os.getpid())):
            order = Path(f"kill-{name}-{trial.name}-{epoch}")
            if order.exists():
                order.unlink()
                os.kill(pid, signal.SIGKILL)
        trial.report({"loss": (x - 0.3) ** 2 + 1 / epoch}, checkpoint=tmp_path)
"""


@pytest.fixture
def searched(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a search of nine slots, whose trials save checkpoints."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    project.write(SEARCH)
    return project


def run(project: Project, folder: str, *arguments: str) -> int:
    """Run the search with one worker, in a process of its own; return the exit status."""
    command = [sys.executable, "-m", "pytest", "--sweep", "--sweep-executor=processes", "--sweep-max-concurrent=1"]
    more = [f"--sweep-dir={folder}", "-q", "-p", "no:hypothesispytest", *arguments]
    return subprocess.run([*command, *more], cwd=project.path, capture_output=True, timeout=120, check=False).returncode


def course(grid: ResultGrid) -> list[tuple[str, float, list[float], str | None]]:
    """Return of each trial its configuration, what it reported, and why it was stopped."""
    return [(one.name, one.config["x"], [report["loss"] for report in one.metrics_history], one.reason) for one in grid]


@pytest.mark.parametrize(("name", "epoch"), [("trial=4", 1), ("trial=0", 2)])
def test_a_killed_driver(searched: Project, name: str, epoch: int) -> None:
    """Kill -9 of the driver, then --sweep-resume: configurations, reports and verdicts are those of a search that nobody has killed."""
    assert run(searched, "whole") == 0
    (searched.path / f"kill-driver-train[{name}]-{epoch}").touch()
    assert run(searched, "killed") == -9
    assert run(searched, "killed", "--sweep-resume") == 0
    whole, resumed = (load_results(dir=searched.path / folder)["train"] for folder in ("whole", "killed"))
    assert course(resumed) == course(whole)


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_killed_worker(searched: Project, epoch: int) -> None:
    """A worker that dies at a rung changes neither what is chosen nor what is decided."""
    assert run(searched, "whole") == 0
    (searched.path / f"kill-worker-train[trial=4]-{epoch}").touch()
    (searched.path / f"kill-worker-train[trial=1]-{epoch}").touch()
    assert run(searched, "killed") == 0
    whole, killed = (load_results(dir=searched.path / folder)["train"] for folder in ("whole", "killed"))
    assert course(killed) == course(whole)
