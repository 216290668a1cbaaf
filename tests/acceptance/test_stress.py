"""Workers die all the time, the driver again and again: at the end each trial has one result, and nothing is left behind.

``SWEEP_STRESS=1`` runs it at full size (2,000 trials, ten deaths of the driver, about four minutes); else a small one.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from pytest_sweep import TrialState
from tests.support.sessions import Session, kill, wait_for

from .project import Project

FULL = os.environ.get("SWEEP_STRESS") == "1"
TRIALS, DRIVER_DEATHS, SECONDS_BETWEEN, SECONDS = (2000, 10, 10.0, 60.0) if FULL else (40, 1, 1.5, 4.0)
STEPS = 5

TRAIN = f"""
    import time

    @sweep(grid={{"n": list(range({TRIALS}))}}, worker_retries=100)
    def train(n, trial):
        done = int((trial.checkpoint / "step").read_text()) if trial.checkpoint else 0
        for step in range(done + 1, {STEPS + 1}):
            (trial.dir / "step").write_text(str(step))
            time.sleep(0.01)
            trial.report({{"step": step}}, checkpoint=trial.dir / "step")
        return {{"n": n}}
"""


def workers(session: Session) -> list[int]:
    """Return the processes in which trials run."""
    return [process.pid for process in session.family() if process.pid != session.process.pid]


def harass(session: Session, chance: random.Random, until: float, every: float) -> bool:
    """Kill a random worker from time to time; return whether the session is still there at the end."""
    while time.monotonic() < until:
        if session.process.poll() is not None:
            return False
        if family := workers(session):
            kill(chance.choice(family))
        time.sleep(every)  # The rhythm of the deaths, not a wait for something.
    return session.process.poll() is None


def test_nothing_is_lost(project: Project, start: Callable[..., Session]) -> None:
    """After every death and resumption each trial has exactly one result, each iteration counts once, and nothing is left behind."""
    project.write(TRAIN)
    temporary = project.path / "tmp"
    temporary.mkdir()
    chance = random.Random(7)
    deaths, every, began = 0, 1.0 if FULL else 0.5, time.monotonic()
    options = ["-n", "2", "-q"]
    families: list[psutil.Process] = []
    while True:
        session = start(*options, TMPDIR=str(temporary))
        options = ["-n", "2", "-q", "--sweep-resume"]
        wait_for(lambda session=session: workers(session) or session.process.poll() is not None, "workers")  # type: ignore[misc]
        harassed_until = max(time.monotonic() + SECONDS_BETWEEN, began + SECONDS if deaths == DRIVER_DEATHS else 0.0)
        is_alive = harass(session, chance, harassed_until, every)
        families += session.family()
        if deaths == DRIVER_DEATHS or not is_alive:
            break
        os.kill(session.process.pid, signal.SIGKILL)
        session.process.wait()
        deaths += 1
    assert session.process.wait(600) == 0, session.output[-3000:]

    grid = session.results()["train"]
    assert len(grid) == TRIALS
    assert {trial.state for trial in grid} <= {TrialState.TERMINATED, TrialState.CACHED}
    assert sorted(trial.metrics["n"] for trial in grid if trial.metrics) == list(range(TRIALS))
    for trial in grid:
        assert [report["step"] for report in trial.metrics_history] == list(range(1, STEPS + 1)), trial.name
        assert [report["training_iteration"] for report in trial.metrics_history] == list(range(1, STEPS + 1)), (
            trial.name
        )
    assert psutil.wait_procs(families, timeout=15)[1] == []
    assert leftovers(project.path / "sweep_results", temporary) == []


def leftovers(results: Path, temporary: Path) -> list[Path]:
    """Return the temporary files of ours that nobody will look at again; pytest keeps those of its last three sessions itself."""
    half_written = [path for path in results.rglob(".*") if path.name != ".gitignore"]
    return half_written + [path for path in temporary.iterdir() if not path.name.startswith("pytest-of-")]
