"""With --sweep-storage a run's database is copied there, and another machine resumes the run."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pytest_sweep import TrialState
from pytest_sweep.plugin.record.backup import Backup, fetch_run
from pytest_sweep.store import run_folders
from tests.support.runs import BEGAN, make_run

from .project import Project, output

TRAIN = """
    @sweep(grid={"n": [1, 2, 3]})
    def train(n, trial):
        (trial.dir / "state").write_text(str(n))
        trial.report({"n": n}, checkpoint=trial.dir / "state")
        assert n != 3
"""


@pytest.mark.parametrize("resume", ["--sweep-resume", "--sweep-resume=NAME"])
def test_another_machine_resumes(project: Project, resume: str) -> None:
    """A machine that has only the storage takes what is finished, and goes on from the checkpoints there."""
    project.write(TRAIN)
    storage = f"--sweep-storage={project.path / 'bucket'}"
    project.sweep(storage)
    (run,) = project.runs()
    shutil.rmtree(project.path / "sweep_results")
    result = project.sweep(storage, resume.replace("NAME", run.name), "--sweep-retry-failed")
    states = {trial.name: trial.state for trial in project.grid()}
    assert states == {
        "train[n=1]": TrialState.CACHED, "train[n=2]": TrialState.CACHED, "train[n=3]": TrialState.ERROR,
    }  # fmt: skip
    assert "2 cached" in output(result)
    (failed,) = [trial for trial in project.grid() if trial.state is TrialState.ERROR]
    assert failed.attempts == 2
    assert len(list((project.path / "bucket").glob("*/run.db"))) == 2


def test_what_it_went_on_from_is_brought_too(project: Project) -> None:
    """A run that was resumed from another one is brought together with that one, which has what it did not select."""
    project.write(TRAIN)
    storage = f"--sweep-storage={project.path / 'bucket'}"
    project.sweep(storage, "-k", "n=1 or n=2")
    project.sweep(storage, "--sweep-resume", "-k", "n=1")
    names = [run.name for run in project.runs()]
    shutil.rmtree(project.path / "sweep_results")
    result = project.sweep(storage, "--sweep-resume", "-k", "n=1 or n=2")
    assert f"resuming {names[-1]}, 2 trials: 2 taken" in output(result)
    assert [run.name for run in project.runs()][:-1] == names


def test_what_was_brought_is_brought_anew(project: Project) -> None:
    """A copy that has grown since it was brought is brought again; a run that was made here is left as it is."""
    project.write(TRAIN)
    storage = f"--sweep-storage={project.path / 'bucket'}"
    project.sweep(storage, "-k", "n=1")
    (elsewhere,) = project.runs()
    copy = project.path / "bucket" / elsewhere.name / "run.db"
    later = copy.read_bytes()
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE trial SET state = 'RUNNING', metrics = NULL")
    shutil.rmtree(project.path / "sweep_results")
    project.sweep(storage, f"--sweep-resume={elsewhere.name}", "-k", "n=1").assert_outcomes(passed=1)
    assert project.only().state is TrialState.TERMINATED
    copy.write_bytes(later)
    project.sweep(storage, f"--sweep-resume={elsewhere.name}", "-k", "n=1")
    assert project.only().state is TrialState.CACHED

    here = project.runs()[-1]
    (project.path / "bucket" / here.name / "run.db").write_bytes(b"of somebody else")
    project.sweep(storage, f"--sweep-resume={here.name}", "-k", "n=1")
    assert project.only().state is TrialState.CACHED


def test_the_newest_copy_is_the_one_that_began_last(tmp_path: Path) -> None:
    """Which copy is brought is decided by when the runs began, also where somebody has renamed one; a part of a name will do."""
    bucket, here = tmp_path / "bucket", tmp_path / "here"
    old, new = make_run(bucket, now=BEGAN), make_run(bucket, now=BEGAN + 9000)
    renamed = old.rename(bucket / "zzz-baseline")
    fetch_run(str(bucket), here, None)
    assert [folder.name for folder in run_folders(here)] == [new.name]
    fetch_run(str(bucket), here, "zzz")
    assert {folder.name for folder in run_folders(here)} == {new.name, renamed.name}
    latest = make_run(bucket, now=BEGAN + 20000).rename(bucket / "aaa")
    local = make_run(here, now=BEGAN + 10000).rename(here / "zzzz")
    fetch_run(str(bucket), here, None)
    assert [folder.name for folder in run_folders(here)][:2] == [latest.name, local.name]


def test_a_storage_that_cannot_be_written(project: Project) -> None:
    """A copy that fails is said, and harms no trial."""
    project.write("@sweep(grid={'n': [1, 2]})\ndef train(n): ...\n")
    (project.path / "bucket").touch()
    result = project.sweep(f"--sweep-storage={project.path / 'bucket'}")
    result.assert_outcomes(passed=2)
    assert "the results are not copied to" in output(result)


def test_the_copy_is_made_while_the_run_goes_on(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the time has come a copy is made beside the run, whole, with what is stored by then."""
    project.write("@sweep(grid={'n': [1, 2]})\ndef train(n): ...\n")
    project.sweep()
    (run,) = project.runs()
    told: list[str] = []
    backup = Backup(run, str(project.path / "bucket"), told.append)
    backup.tick()
    assert not (project.path / "bucket").exists(), "not yet"
    monkeypatch.setattr("pytest_sweep.plugin.record.backup.EVERY_SECONDS", 0.0)
    backup.tick()
    backup.finish()
    assert told == []
    (copy,) = (project.path / "bucket").iterdir()
    assert [path.name for path in copy.iterdir()] == ["run.db"]
