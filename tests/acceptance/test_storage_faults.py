"""A store that cannot be written stops no trial: the trouble is said once, and what happened is kept until it can be stored."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pytest_sweep import TrialState
from tests.support.sessions import Session, wait_for

from .project import Project, output

GATED = """
    import time
    from pathlib import Path

    GATE = Path(__file__).with_name("gate")

    @sweep(grid={"n": [1, 2, 3, 4]})
    def train(n, trial):
        while n > 1 and not GATE.exists():
            time.sleep(0.02)
        trial.report({"n": n})
"""


def test_a_locked_database(project: Project, start: Callable[..., Session]) -> None:
    """While somebody has locked the database trials run and are shown; when it is free everything is stored, and the status is 0."""
    project.write(GATED)
    session = start("--sweep-executor=inline", "-v")
    wait_for(lambda: session.finished() == ["train[n=1]"], "the first trial")
    (database,) = project.path.glob("sweep_results/*/run.db")
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        (project.path / "gate").touch()
        wait_for(lambda: "database is locked" in session.output, "the trouble")
        other.execute("COMMIT")
    assert session.wait() == 0
    assert session.output.count("The trials go on, and their results are kept in memory") == 1
    assert "database is locked, for a while: everything is stored now" in session.output
    grid = session.results()["train"]
    assert [result.state for result in grid] == [TrialState.TERMINATED] * 4
    assert [[report["n"] for report in result.metrics_history] for result in grid] == [[1], [2], [3], [4]]


def test_a_deleted_run_folder(project: Project, start: Callable[..., Session]) -> None:
    """When the run's folder is deleted the trials go on and are shown, and the exit status says that something is not stored."""
    project.write(GATED)
    session = start("--sweep-executor=inline", "-v")
    wait_for(lambda: session.finished() == ["train[n=1]"], "the first trial")
    (database,) = project.path.glob("sweep_results/*/run.db")
    shutil.rmtree(database.parent)
    (project.path / "gate").touch()
    assert session.wait() == 6
    assert len(session.finished()) == 4
    assert "run.db was deleted" in session.output
    assert "What this session knows is not stored, and is shown here only" in session.output
    assert "INTERNALERROR" not in session.output


def test_a_damaged_database(project: Project, start: Callable[..., Session]) -> None:
    """A database that is overwritten stops no trial, and the exit status says that something is not stored."""
    project.write(GATED)
    session = start("--sweep-executor=inline", "-v")
    wait_for(lambda: session.finished() == ["train[n=1]"], "the first trial")
    for path in project.path.glob("sweep_results/*/run.db*"):
        with path.open("r+b") as file:
            file.write(b"\xde\xad" * (path.stat().st_size // 2))
    (project.path / "gate").touch()
    assert session.wait() == 6
    assert len(session.finished()) == 4
    assert "INTERNALERROR" not in session.output


def test_a_full_disk(project: Project) -> None:
    """When files can grow no more, as on a full disk, trials go on; what was stored before stays readable."""
    project.write("""
        import resource

        @sweep(grid={"n": [1, 2, 3, 4]})
        def train(n, trial):
            trial.report({"n": n})
            if n == 2:
                resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    """)
    # Into a pipe, since a file of the test's own could grow no more either.
    result = project.pytester.run(
        "sh", "-c", f"{sys.executable} -m pytest --sweep --sweep-executor=inline -v -p no:cacheprovider 2>&1 | cat"
    )
    text = output(result)
    assert text.count(" PASSED") == 4
    assert "cannot be written" in text
    assert "is not stored, and is shown here only" in text
    assert "INTERNALERROR" not in text
    assert next(iter(project.grid())).state is TrialState.TERMINATED


def test_a_results_folder_that_cannot_be_made(project: Project) -> None:
    """Where results cannot be stored from the start nothing runs, and a sentence says so."""
    project.write(GATED)
    (project.path / "taken").touch()
    result = project.sweep("--sweep-dir=taken")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "taken" in output(result)
    assert "Traceback" not in output(result)


def test_a_deleted_trial_folder(project: Project) -> None:
    """A trial whose folder is deleted in mid-run goes on; it is made again when something is written."""
    project.write("""
        import shutil

        @sweep(grid={"n": [1]})
        def train(n, trial):
            (trial.dir / "weights").write_text("1")
            trial.report({"n": 1}, checkpoint=trial.dir / "weights")
            shutil.rmtree(trial.dir)
            (trial.dir / "weights").write_text("2")
            trial.report({"n": 2}, checkpoint=trial.dir / "weights")
    """)
    assert project.sweep().ret == 0
    checkpoint = project.only().checkpoint
    assert isinstance(checkpoint, Path)
    assert (checkpoint / "weights").read_text() == "2"
