"""A run folder may come from anyone: resuming it follows and deletes nothing outside of it, whatever its database and its links say."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pytest_sweep.store import made_in

from .project import Project, assert_says, output

SWEEP = """
    import os
    from pathlib import Path

    @sweep(grid={"n": [1]}, metric="loss", mode="min")
    def train(n, trial, tmp_path):
        (Path(__file__).parent / "began").write_text(str(trial.checkpoint and (trial.checkpoint / "epoch").read_text()))
        assert "EARLY" not in os.environ
        for epoch in range(1, 4):
            (tmp_path / "epoch").write_text(str(epoch))
            trial.report({"loss": epoch}, checkpoint=tmp_path / "epoch")
        assert "MENDED" in os.environ
"""
PROCESSES = ("--sweep-executor=processes", "-n1")


@pytest.fixture(autouse=True)
def _sweep(project: Project) -> None:
    project.write(SWEEP)


@pytest.fixture
def precious(tmp_path: Path, project: Project, _sweep: None) -> Path:
    """A folder of the user's, outside of the project, with what looks like checkpoints, and a whole one of another run."""
    project.sweep()
    folder = tmp_path / "precious"
    shutil.copytree(project.only().path / "checkpoints", folder)
    shutil.rmtree(project.path / "sweep_results")
    for name in ("0-000001", "1-000007", ".1-000008.tmp"):
        (folder / name).mkdir()
        (folder / name / "thesis.tex").write_text("three years")
    return folder


def tree(folder: Path) -> dict[str, object]:
    """Return what is in a folder, by the paths in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def edit(project: Project, *statements: tuple[str, tuple[object, ...]]) -> None:
    """Change the database of the last run."""
    with closing(sqlite3.connect(project.runs()[-1] / "run.db")) as connection, connection:
        for statement, values in statements:
            connection.execute(statement, values)


def name_checkpoint(project: Project, address: str) -> None:
    """Have the database name `address` as the checkpoint of the trial."""
    edit(
        project,
        ("UPDATE trial SET checkpoint = ?", (address,)),
        ("UPDATE report SET checkpoint = ? WHERE checkpoint IS NOT NULL", (address,)),
    )


@pytest.mark.parametrize("form", ["{}", "file://{}", "local://{}", "../../../{}", "{}/../precious"])
@pytest.mark.parametrize("name", ["1-000003", "1-000007", "9-000009"])
def test_a_checkpoint_elsewhere(project: Project, precious: Path, form: str, name: str) -> None:
    """A checkpoint that a database names outside of the run's folder is neither opened nor its folder tidied; the trial starts anew."""
    project.sweep()
    path = str(precious) if "../.." not in form else Path(*[".."] * 30, *precious.parts[1:])
    before = tree(precious)
    name_checkpoint(project, f"{form.removeprefix('../../../').format(path)}/{name}")
    result = project.sweep("--sweep-resume", "--sweep-retry-failed")
    assert tree(precious) == before
    assert (project.path / "began").read_text() == "None"
    assert "1 trial starts from the beginning, since the checkpoints lie outside of the folder of the run" in output(
        result
    )


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x/1-000001", "memory://precious/1-000001", "nonsense://x/1-000001"]
)
def test_a_url(project: Project, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that a database names is not opened."""

    def fail(*_: object) -> None:
        raise AssertionError("a URL was opened")

    project.sweep()
    name_checkpoint(project, url)
    monkeypatch.setattr("pytest_sweep.checkpoints.places.open_filesystem", fail)
    monkeypatch.setattr("pytest_sweep.checkpoints.remote.open_filesystem", fail)
    monkeypatch.setenv("MENDED", "1")
    assert project.sweep("--sweep-resume", "--sweep-retry-failed").ret == 0
    assert (project.path / "began").read_text() == "None"


def test_another_run_beside_it(project: Project) -> None:
    """Nor is a checkpoint of a run beside it that it has not gone on from."""
    project.sweep()
    mine = project.runs()[0]
    project.sweep()
    half = next(mine.glob("*/checkpoints")) / "1-000009"
    half.mkdir()
    name_checkpoint(project, f"{half.parent}/1-000003")
    project.sweep("--sweep-resume", "--sweep-retry-failed")
    assert half.is_dir()
    assert (project.path / "began").read_text() == "None"


@pytest.mark.parametrize("part", ["trial", "checkpoints", "entry"])
def test_a_link_out_of_the_run(project: Project, precious: Path, part: str) -> None:
    """A link in a run's folder is not followed, whether it stands for a trial's folder, for its checkpoints or for one of them."""
    project.sweep()
    checkpoints = project.only().path / "checkpoints"
    before = tree(precious)
    if part == "entry":
        (checkpoints / "1-000003.json").unlink()
        shutil.rmtree(checkpoints / "1-000003")
        (checkpoints / "1-000003").symlink_to(precious)
    else:
        place = checkpoints if part == "checkpoints" else checkpoints.parent
        shutil.rmtree(place)
        target = precious
        if part == "trial":
            target = precious.parent / "outer"
            target.mkdir()
            (target / "checkpoints").symlink_to(precious)
        place.symlink_to(target)
    project.sweep("--sweep-resume", "--sweep-retry-failed")
    assert tree(precious) == before
    assert (project.path / "began").read_text() == ("2" if part == "entry" else "None")


@pytest.mark.parametrize("where", ["/{}", "../{}", ".."])
def test_a_run_that_it_went_on_from(project: Project, tmp_path: Path, where: str) -> None:
    """A database that names a path as the run that it went on from is resumed without it."""
    project.sweep()
    other = tmp_path / "other"
    shutil.copytree(project.runs()[0], other)
    before = tree(other)
    name = str(other) if where == "/{}" else where.format("../../other")
    edit(project, ("UPDATE run SET resumed_from = ?", (name,)), ("DELETE FROM report", ()), ("DELETE FROM attempt", ()))
    edit(project, ("UPDATE trial SET attempts = 0, state = 'NOT_RUN', checkpoint = NULL", ()))
    project.sweep("--sweep-resume")
    assert tree(other) == before
    assert (project.path / "began").read_text() == "None"


def test_the_storage_that_is_named(project: Project) -> None:
    """In the place that the user names now, checkpoints of the run are used, and what is half done is tidied; without it they are not."""
    storage = f"--sweep-storage={project.path / 'bucket'}"
    project.sweep(storage)
    (checkpoints,) = (project.path / "bucket").glob("*/*/checkpoints")
    (checkpoints / "1-000009").mkdir()
    project.sweep("--sweep-resume", "--sweep-retry-failed")
    assert (project.path / "began").read_text() == "None"
    assert (checkpoints / "1-000009").is_dir()
    shutil.rmtree(project.runs()[-1])
    project.sweep(storage, "--sweep-resume", "--sweep-retry-failed")
    assert (project.path / "began").read_text() == "3"
    assert not (checkpoints / "1-000009").exists()


def test_a_run_that_went_on_from_another(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run beside it, from which it went on, is its own: the checkpoints there are used."""
    project.sweep()
    with monkeypatch.context() as early:
        early.setenv("EARLY", "1")
        project.sweep("--sweep-resume", "--sweep-retry-failed")
    assert not list(project.runs()[-1].glob("*/checkpoints"))
    project.sweep("--sweep-resume", "--sweep-retry-failed")
    assert (project.path / "began").read_text() == "3"


@pytest.mark.parametrize("what", ["fifo", "folder", "link", "garbage"])
def test_a_lock_of_another_kind(project: Project, precious: Path, what: str) -> None:
    """A pipe, a folder or a link in the place of the file that says whether a run goes on is an error at once; what nobody locks is not."""
    project.sweep()
    lock, before = project.runs()[0] / "running", tree(precious)
    make: dict[str, Callable[[], object]] = {
        "fifo": lambda: os.mkfifo(lock),
        "folder": lock.mkdir,
        "link": lambda: lock.symlink_to(precious / "1-000007" / "thesis.tex"),
        "garbage": lambda: lock.write_bytes(os.urandom(100)),
    }
    make[what]()
    result = project.sweep("--sweep-resume", "--sweep-retry-failed")
    assert tree(precious) == before
    if what == "garbage":
        assert (project.path / "began").read_text() == "3"
    else:
        assert_says(result, f"whether the run in {lock.parent} goes on cannot be read")


def test_runs_that_name_each_other(project: Project) -> None:
    """Two runs that say that they have taken a result from each other are not looked into for ever."""
    project.sweep()
    project.sweep()
    one, two = project.runs()
    for folder, other in ((one, two), (two, one)):
        with closing(sqlite3.connect(folder / "run.db")) as connection, connection:
            connection.execute("UPDATE trial SET state = 'CACHED', taken_from = ?", (other.name,))
    key = project.only().key
    for folder in (one, two):
        assert made_in(folder, [key])[key] in (one, two)


@pytest.mark.parametrize("where", ["{}", "../../other", ".."])
def test_a_run_that_a_result_was_taken_from(project: Project, tmp_path: Path, where: str) -> None:
    """A path as the run that a result was taken from is named, and not looked into: what is there would be an error."""
    project.sweep()
    other = tmp_path / "other"
    other.mkdir()
    (other / "run.db").write_text("nonsense")
    (project.path / "run.db").write_text("nonsense")
    name = where.format(other)
    edit(project, ("UPDATE trial SET state = 'CACHED', taken_from = ?", (name,)))
    key = project.only().key
    assert made_in(project.runs()[-1], [key])[key] == project.path / "sweep_results" / name
    project.write("def test_gate(sweep_results):\n    assert len(sweep_results['train'])", "test_gate.py")
    result = project.sweep("-k", "test_gate")
    assert "its folder lies in another folder for results, so its packages are unknown" in output(result)
