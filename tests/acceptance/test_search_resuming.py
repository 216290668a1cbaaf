"""A search whose driver is killed at a decision, and that is resumed, decides what it would have decided anyway."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")

SEARCH = """
from pytest_sweep import asha, loguniform, randint, sweep, tpe

@sweep(space={"lr": loguniform(1e-4, 1e-1), "depth": randint(2, 9)}, num_samples=9, search=tpe(), metric="loss", mode="min",
       scheduler=asha(max_t=9, grace_period=1, reduction_factor=3))
def train(lr, depth, trial, tmp_path):
    start = int((trial.checkpoint / "epoch").read_text()) if trial.checkpoint else 0
    (tmp_path / "saved").mkdir()
    for epoch in range(start + 1, 10):
        (tmp_path / "saved" / "epoch").write_text(str(epoch))
        trial.report({"loss": abs(lr - 0.01) * 10 + depth / 100 + 1 / epoch}, checkpoint=tmp_path / "saved")
"""

HALVED = """
from pytest_sweep import hyperband, loguniform, sweep

@sweep(space={"lr": loguniform(1e-4, 1e-1)}, num_samples=9, search="random", metric="loss", mode="min", scheduler=hyperband(max_t=9))
def train(lr, trial, tmp_path):
    start = int((trial.checkpoint / "epoch").read_text()) if trial.checkpoint else 0
    (tmp_path / "saved").mkdir()
    for epoch in range(start + 1, 10):
        (tmp_path / "saved" / "epoch").write_text(str(epoch))
        trial.report({"loss": abs(lr - 0.01) * 10 + 1 / epoch}, checkpoint=tmp_path / "saved")
"""

POPULATION = """
from pytest_sweep import loguniform, pbt, sweep

@sweep(space={"lr": loguniform(1e-4, 1e-1)}, num_samples=4, metric="loss", mode="min", stop={"training_iteration": 8},
       scheduler=pbt({"lr": loguniform(1e-4, 1e-1)}, perturbation_interval=2))
def train(lr, trial, tmp_path):
    start, done = (int(word) for word in (trial.checkpoint / "epoch").read_text().split()) if trial.checkpoint else (0, 0)
    (tmp_path / "saved").mkdir()
    for epoch in range(start + 1, 9):
        done += round(1000 * lr)
        (tmp_path / "saved" / "epoch").write_text(f"{epoch} {done}")
        trial.report({"loss": -done, "lr": lr}, checkpoint=tmp_path / "saved")
"""

KILLER = """
import os, signal

if not os.environ.get("PYTEST_XDIST_WORKER", "").startswith("worker"):
    from pytest_sweep.model.events import TrialConfigured, TrialJudged, TrialResumed
    from pytest_sweep.store.writer import RunStore

    def kind(event):
        if isinstance(event, TrialJudged):
            return "ended" if event.observation.outcome.is_end else event.verdict.kind.value
        return {TrialConfigured: "configured", TrialResumed: "resumed"}.get(type(event), "")

    real, left, stored = RunStore.record, [int(os.environ.get("KILL_AFTER", "0"))], []

    def record(self, events):
        wanted = os.environ.get("KILL_AT", "any")
        hits = sum(1 for event in events if kind(event) and wanted in ("any", kind(event)))
        kills = 0 < left[0] <= hits
        left[0] -= hits
        if kills and stored and "BEFORE" in os.environ:  # A session that is killed before its first decision is stored gets nowhere.
            os.kill(os.getpid(), signal.SIGKILL)
        real(self, events)
        stored.extend(events[:hits])
        if kills and "BEFORE" not in os.environ:
            os.kill(os.getpid(), signal.SIGKILL)

    RunStore.record = record
"""


def session(folder: Path, executor: str, *arguments: str, **environment: str) -> int:
    """Run a session in a process of its own; return its exit status."""
    command = [sys.executable, "-m", "pytest", "--sweep", f"--sweep-executor={executor}", "-q", "-p", "no:asyncio"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*command, "--sweep-max-concurrent=1", *arguments],
        cwd=folder,
        env={**own, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stdout + done.stderr
    return done.returncode


def decided(folder: Path) -> list[tuple[Any, ...]]:
    """Return all decisions of the last run of `folder`, but for the attempts, of which a killed run has more."""
    run = sorted((folder / "sweep_results").iterdir())[-1]
    with closing(sqlite3.connect(run / "run.db")) as database, database:
        rows = database.execute("SELECT number, kind, trial_key, iteration, content FROM decision ORDER BY number")
        return [(*row, json.loads(content)) for *row, content in rows]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """What a search decides that nobody kills."""
    folder = made(tmp_path_factory.mktemp("undisturbed"))
    assert session(folder, "inline", "--sweep-seed=1") == 0
    return decided(folder)


def made(folder: Path, text: str = SEARCH) -> Path:
    """Return `folder` with the search in it."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "conftest.py").write_text(KILLER)
    (folder / "test_search.py").write_text(text)
    return folder


@pytest.mark.parametrize("kind", ["configured", "PAUSE", "STOP", "ended", "resumed"])
def test_killed_at_a_decision(kind: str, tmp_path: Path, undisturbed: list[tuple[Any, ...]]) -> None:
    """Killed as soon as a decision is stored, a search with one worker goes on as if nothing had been."""
    folder = made(tmp_path)
    after = "1" if kind == "STOP" else "2"
    assert session(folder, "inline", "--sweep-seed=1", KILL_AT=kind, KILL_AFTER=after) == -signal.SIGKILL
    assert session(folder, "inline", "--sweep-resume") == 0
    assert decided(folder) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize(("executor", "when"), [("inline", {}), ("processes", {"BEFORE": "1"})])
def test_killed_again_and_again(
    executor: str, when: dict[str, str], tmp_path: Path, undisturbed: list[tuple[Any, ...]]
) -> None:
    """So does one that is killed after every few decisions, before or after they are stored, on another executor, too."""
    folder = made(tmp_path)
    times, status = 0, session(folder, executor, "--sweep-seed=1", KILL_AFTER="8", **when)
    while status == -signal.SIGKILL:
        times += 1
        assert times < 20, "it does not get on"
        status = session(folder, executor, "--sweep-resume", KILL_AFTER="8", **when)
    assert times > 2
    assert decided(folder) == undisturbed


def judged(folder: Path) -> dict[tuple[str, int, str], str | None]:
    """Return the verdicts of the last run: by trial, iteration and outcome; each was made once."""
    found: dict[tuple[str, int, str], str | None] = {}
    for _, kind, key, iteration, content in decided(folder):
        if kind == "judged":
            place = key, iteration, content["outcome"]
            assert place not in found, f"{place} is judged twice"
            found[place] = content["verdict"]
    return found


@pytest.mark.slow
def test_two_workers_killed_at_a_decision(tmp_path: Path) -> None:
    """With two workers, whatever the order is in which results come, each rung has the verdicts that it would have had anyway."""
    whole = made(tmp_path, HALVED)
    two = "--sweep-max-concurrent=2"
    assert session(whole, "processes", "--sweep-seed=1", two) == 0
    undisturbed = judged(whole)
    assert {verdict for verdict in undisturbed.values() if verdict} == {"PAUSE", "STOP"}
    for kind in ("PAUSE", "STOP", "ended", "resumed"):
        assert session(whole, "processes", "--sweep-seed=1", two, KILL_AT=kind, KILL_AFTER="2") == -signal.SIGKILL
        before = decided(whole)
        assert session(whole, "processes", "--sweep-resume", two) == 0
        assert decided(whole)[: len(before)] == before
        assert judged(whole) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["configured", "PAUSE", "ended", "resumed"])
def test_two_workers_and_a_searcher(kind: str, tmp_path: Path) -> None:
    """Where the searcher learns, what was decided before stays: each slot keeps its configuration, and no rung is judged twice."""
    folder = made(tmp_path)
    two = "--sweep-max-concurrent=2"
    assert session(folder, "processes", "--sweep-seed=1", two, KILL_AT=kind, KILL_AFTER="3") == -signal.SIGKILL
    before = decided(folder)
    assert session(folder, "processes", "--sweep-resume", two) == 0
    after = decided(folder)
    assert after[: len(before)] == before
    keys = [key for _, kind, key, *_ in after if kind == "configured"]
    assert len(keys) == len(set(keys)) == 9
    judged(folder)


@pytest.fixture(scope="module")
def population(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """What a population decides that nobody kills."""
    folder = made(tmp_path_factory.mktemp("population"), POPULATION)
    assert session(folder, "inline", "--sweep-seed=1") == 0
    found = decided(folder)
    assert "resumed" in [kind for _, kind, *_ in found]
    return found


@pytest.mark.parametrize(("executor", "kind"), [("inline", "PAUSE"), ("processes", "resumed")])
def test_a_population_that_was_killed(
    executor: str, kind: str, tmp_path: Path, population: list[tuple[Any, ...]]
) -> None:
    """So does a population: with one worker, which its trials share, donors, configurations and verdicts are the same."""
    folder = made(tmp_path, POPULATION)
    assert session(folder, executor, "--sweep-seed=1", KILL_AT=kind, KILL_AFTER="1") == -signal.SIGKILL
    assert session(folder, executor, "--sweep-resume") == 0
    assert decided(folder) == population
