"""Workers die all the time, the driver again and again: at the end each trial has one result, and nothing is left behind.

``SWEEP_STRESS=1`` runs it at full size (2,000 trials, ten deaths of the driver, about four minutes); else a small one.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import psutil

from pytest_sweep import TrialState
from tests.support.sessions import Session, kill, wait_for

from .project import Project

FULL = os.environ.get("SWEEP_STRESS") == "1"
TRIALS, DRIVER_DEATHS, WORKER_DEATHS = (2000, 10, 20) if FULL else (40, 1, 3)
"""How many workers die in each session; the driver dies after all of them but the last time."""
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


def progress(results: Path, known: set[Path]) -> int:
    """Return how many reports the run has stored that is not among those `known`; 0 where it has not begun."""
    for database in set(results.glob("*/run.db")) - known:
        with contextlib.closing(sqlite3.connect(database)) as connection, contextlib.suppress(sqlite3.OperationalError):
            return int(connection.execute("SELECT count(*) FROM report").fetchone()[0])
    return 0


def harass(session: Session, chance: random.Random, results: Path, known: set[Path]) -> bool:
    """Kill random workers, each when the run has got on since the death before; return whether the session is still there at the end.

    By the clock, a machine on which processes start slowly would never get on.
    """
    last = progress(results, known)
    for _ in range(WORKER_DEATHS):
        wait_for(
            lambda last=last: session.process.poll() is not None or progress(results, known) > last,  # type: ignore[misc]
            "a report of a trial",
        )
        if session.process.poll() is not None:
            return False
        last = progress(results, known)
        if family := workers(session):
            kill(chance.choice(family))
    return session.process.poll() is None


def test_nothing_is_lost(project: Project, start: Callable[..., Session]) -> None:
    """After every death and resumption each trial has exactly one result, each iteration counts once, and nothing is left behind."""
    project.write(TRAIN)
    temporary = project.path / "tmp"
    temporary.mkdir()
    chance = random.Random(7)
    deaths, results = 0, project.path / "sweep_results"
    options = ["-n", "2", "-q"]
    families: list[psutil.Process] = []
    while True:
        known = set(results.glob("*/run.db"))
        session = start(*options, TMPDIR=str(temporary))
        options = ["-n", "2", "-q", "--sweep-resume"]
        is_alive = harass(session, chance, results, known)
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
    assert leftovers(results, temporary) == []


def leftovers(results: Path, temporary: Path) -> list[Path]:
    """Return the temporary files of ours that nobody will look at again; pytest keeps those of its last three sessions itself."""
    half_written = [path for path in results.rglob(".*") if path.name != ".gitignore"]
    return half_written + [path for path in temporary.iterdir() if not path.name.startswith("pytest-of-")]
