"""A run whose files are damaged: nothing is lost with status 0, and what is lost is said."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pytest_sweep import TrialState
from pytest_sweep.results.tags import Tags
from tests.support.damage import CASES, TRIALS, WHEN, Case, killed_run, run_case
from tests.support.sessions import Session, wait_for

from .project import Project, assert_says, output

QUICK = {
    ("run.db-wal", "garbage", WHEN[0]),
    ("run.db", "deleted", WHEN[0]),
    ("run.db-shm", "halved", WHEN[0]),
    ("manifest", "zeroed", WHEN[0]),
    ("run.db-wal", "deleted", WHEN[1]),
    ("run.db", "pipe", WHEN[1]),
    ("checkpoint", "link", WHEN[1]),
}


def cases() -> list[object]:
    """Return all cases; those that differ most run always, the others before a release."""
    quick = [case for case in CASES if (case.file, case.kind, case.when) in QUICK]
    slow = [pytest.param(case, marks=pytest.mark.slow, id=str(case)) for case in CASES if case not in quick]
    return [*(pytest.param(case, id=str(case)) for case in quick), *slow]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose run was killed."""
    folder = tmp_path_factory.mktemp("killed") / "project"
    killed_run(folder)
    return folder


@pytest.mark.skipif(
    sys.platform == "win32" or (os.geteuid() == 0 and shutil.which("setpriv") is None),
    reason="needs the kinds of files of Unix",
)
@pytest.mark.parametrize("executor", ["inline", "processes"])
@pytest.mark.parametrize("case", cases())
def test_each_file_in_each_way(case: Case, executor: str, tmp_path: Path, killed: Path) -> None:
    """With status 0 all results and reports are read back; any other status comes with a sentence that says what is damaged."""
    outcome = run_case(case, tmp_path / "project", executor, killed)
    assert outcome.is_honest, outcome.output
    assert outcome.status in (0, 4, 6)
    assert "INTERNALERROR" not in outcome.output
    assert "Traceback" not in outcome.output
    if case.when == WHEN[0]:
        assert (outcome.status, outcome.results) == (0, TRIALS)


class TestNothingToResume:
    """--sweep-resume without a name, as a supervisor has it in its command from the start."""

    @pytest.fixture(autouse=True)
    def _sweep(self, project: Project) -> None:
        project.write("@sweep(grid={'n': [1, 2]})\ndef train(n): ...\n")

    def test_no_run(self, project: Project) -> None:
        """Where there is no run a new one begins, which is said."""
        result = project.sweep("--sweep-resume")
        assert result.ret == 0
        assert f"sweep: nothing to resume in {project.path / 'sweep_results'}: a new run begins" in output(result)
        result = project.sweep("--sweep-resume")
        assert "2 taken" in output(result)

    @pytest.mark.parametrize(
        "left",
        [("nothing_stored",), ("nothing_stored", "running", "train-1/checkpoints/x"), ("nothing_stored", "run.db")],
    )
    def test_killed_before_its_database(self, project: Project, left: tuple[str, ...]) -> None:
        """A run that had stored nothing is passed over, and said; the one before it is resumed, or a new one begins."""
        for begun in ("new", "older"):
            folder = (
                project.path
                / "sweep_results"
                / ("9998-01-01_00-00-00_0000" if begun == "new" else "9999-01-01_00-00-00_0000")
            )
            for name in left:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).touch()
            folder.mkdir(parents=True, exist_ok=True)
            result = project.sweep("--sweep-resume")
            assert result.ret == 0
            text = output(result)
            assert f"sweep: passed over: the run {folder.name} was killed before it had stored anything" in text
            assert ("a new run begins" if begun == "new" else "2 taken") in text

    @pytest.mark.parametrize("left", [(), ("running",), ("train-1/checkpoints/x",), ("run.db-wal",)])
    def test_a_lost_database(self, project: Project, left: tuple[str, ...]) -> None:
        """A run whose database was deleted is an error: an older run is not taken for it, and nothing begins anew."""
        project.sweep()
        folder = project.path / "sweep_results" / "9999-01-01_00-00-00_0000"
        folder.mkdir()
        for name in left:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(
                "process 4711 on host, since 9999-01-01 00:00:00 UTC\n           7 transactions\n"
            )
        assert_says(project.sweep("--sweep-resume"), f"the run {folder.name} has no database any more")
        assert project.sweep(f"--sweep-resume={project.runs()[0].name}").ret == 0

    def test_other_folders(self, project: Project) -> None:
        """What is no run's folder is nobody's business."""
        (project.path / "sweep_results" / "notes").mkdir(parents=True)
        (project.path / "sweep_results" / "notes" / "a").touch()
        assert "passed over" not in output(project.sweep("--sweep-resume"))

    def test_the_words_of_the_command(self, project: Project) -> None:
        """--sweep-resume finds a run by a part of its name, its age, a tag and a path, as the command does."""
        project.sweep("-k", "n=1")
        (first,) = project.runs()
        Tags(first.parent).add("nightly", first.name)
        for word in (first.name[-6:], "nightly", "last~2"):
            assert f"sweep: resuming {first.name}, 2 trials: 1 taken" in output(
                project.sweep(f"--sweep-resume={word}")
            ), word
        assert_says(project.sweep("--sweep-resume=20"), "--sweep-resume: 4 runs have '20' in their name")

    def test_an_unknown_name(self, project: Project) -> None:
        """A name that no run has stays an error."""
        assert_says(project.sweep("--sweep-resume=nightly"), "--sweep-resume: there is no run in")

    @pytest.mark.parametrize("moment", ["begin_run", "create_database"])
    def test_a_supervisor(self, project: Project, moment: str) -> None:
        """A driver that is killed as it begins is followed by one that runs all, by the same command."""
        project.write(f"""
            import os, signal
            import pytest_sweep.store.database, pytest_sweep.plugin.session.trials as trials

            def pytest_configure():
                place = trials if {moment!r} == "begin_run" else pytest_sweep.store.database
                made = getattr(place, {moment!r})

                def make_and_die(*args, **kwargs):
                    made(*args, **kwargs)
                    os.kill(os.getpid(), signal.SIGKILL)

                if "DIE" in os.environ:
                    setattr(place, {moment!r}, make_and_die)
        """, "conftest.py")  # fmt: skip
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--sweep",
            "--sweep-executor=inline",
            "--sweep-resume",
            "-p",
            "no:asyncio",
        ]
        died = subprocess.run(
            command, cwd=project.path, env={**os.environ, "DIE": "1"}, capture_output=True, check=False
        )
        assert died.returncode == -signal.SIGKILL
        done = subprocess.run(command, cwd=project.path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        assert "was killed before it had stored anything" in done.stdout
        assert "a new run begins" in done.stdout


GATED = """
    import time
    from pathlib import Path

    GATE = Path(__file__).with_name("gate")

    @sweep(grid={"n": [1, 2, 3, 4]}, metric="n", mode="max")
    def train(n, trial):
        while n > 1 and not GATE.exists():
            time.sleep(0.02)
        trial.report({"n": n})
"""


def test_a_lock_until_after_the_end(project: Project, start: Callable[..., Session]) -> None:
    """A database that is locked when the trials end, and free before the session does, is complete: status 0, also in the database."""
    project.write(GATED)
    project.write("""
        import time
        from pathlib import Path
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_sweep_run_finish():
            Path(__file__).with_name("ended").touch()
    """, "conftest.py")  # fmt: skip
    session = start("--sweep-executor=inline", "-v")
    wait_for(lambda: session.finished() == ["train[n=1]"], "the first trial")
    (database,) = project.path.glob("sweep_results/*/run.db")
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        (project.path / "gate").touch()
        # By then it was tried twice, at the least: while the trials ran, and when they had ended.
        wait_for((project.path / "ended").exists, "the end of the trials")
        other.execute("COMMIT")
    assert session.wait() == 0, session.output
    assert "for a while: everything is stored now" in session.output
    assert [result.state for result in session.results()["train"]] == [TrialState.TERMINATED] * 4
    with closing(sqlite3.connect(database)) as reader:
        assert reader.execute("SELECT exit_status FROM run").fetchone() == (0,)


def test_what_is_known_is_written_again(project: Project, start: Callable[..., Session]) -> None:
    """Where nothing of a database can be read any more, results that the session knows are written to a new one, with status 6."""
    project.write(GATED)
    session = start("--sweep-executor=inline", "-v")
    wait_for(lambda: session.finished() == ["train[n=1]"], "the first trial")
    for path in project.path.glob("sweep_results/*/run.db*"):
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))
    (project.path / "gate").touch()
    assert session.wait() == 6
    assert "What this session still knows was written to a new run.db" in session.output
    grid = session.results()["train"]
    assert [(result.state, (result.metrics or {})["n"]) for result in grid] == [
        (TrialState.TERMINATED, n) for n in (1, 2, 3, 4)
    ]
    assert list(project.path.glob("sweep_results/*/run.db.damaged"))
    result = project.sweep("--sweep-resume")
    assert result.ret == 0
    assert "4 taken" in output(result)


def test_a_gate_judges_no_older_results(project: Project) -> None:
    """A test of a session whose own database cannot be read fails; results of an older run are not those that it asked for."""
    project.write("""
        import subprocess
        from pathlib import Path

        @sweep(grid={"n": [1, 2]}, metric="n", mode="max")
        def train(n, trial):
            trial.report({"n": n})

        def test_judge(sweep_results):
            assert len(sweep_results["train"]) == 2
    """)
    assert project.sweep().ret == 0
    project.write("""
        import os, shutil
        from pathlib import Path

        def pytest_sweep_trial_finish(result):
            if result.name == "train[n=2]":
                shutil.rmtree(result.run_path)
    """, "conftest.py")  # fmt: skip
    result = project.sweep()
    result.assert_outcomes(passed=2, errors=1)
    assert "sweep_results: the results database" in output(result)
    assert "judged" not in output(result)


@pytest.mark.parametrize("kind", ["garbage", "halved"])
def test_hooks_and_gates_see_what_was_repaired(project: Project, start: Callable[..., Session], kind: str) -> None:
    """What is read in the session is read of a sound database, though it was damaged meanwhile."""
    project.write(
        GATED
        + """
    def test_judge(sweep_results):
        assert [result.metrics["n"] for result in sweep_results["train"]] == [1, 2, 3, 4]
        assert [len(result.metrics_history) for result in sweep_results["train"]] == [1] * 4
    """
    )
    project.write("""
        from pathlib import Path

        def pytest_sweep_trial_finish(result):
            with open(Path(__file__).with_name("seen"), "a") as file:
                file.write(f"{result.name} {result.metrics['n']} {len(result.metrics_history)}\\n")

        def pytest_sweep_run_finish(results):
            with open(Path(__file__).with_name("seen"), "a") as file:
                file.write(f"{results['train'].num_terminated}\\n")
    """, "conftest.py")  # fmt: skip
    session = start("--sweep-executor=inline", "-v")
    seen = project.path / "seen"
    wait_for(lambda: seen.exists() and "train[n=1]" in seen.read_text(), "the hook of the first trial")
    (log,) = project.path.glob("sweep_results/*/run.db-wal")
    size = log.stat().st_size
    if kind == "garbage":
        with log.open("r+b") as file:
            file.write(os.urandom(size))
    else:
        os.truncate(log, size // 2)
    (project.path / "gate").touch()
    assert session.wait() == 0, session.output
    assert (project.path / "seen").read_text().splitlines() == [*(f"train[n={n}] {n} 1" for n in (1, 2, 3, 4)), "4"]
    assert "written again in full: nothing is lost" in session.output


class TestNonsense:
    """A resume of a run whose database holds what is never stored."""

    @pytest.fixture(autouse=True)
    def _run(self, project: Project) -> None:
        project.write("""
            from pathlib import Path

            @sweep(grid={"n": [1, 2, 3]}, metric="loss", mode="min")
            def train(n, trial):
                with open(Path(__file__).parent / "ran", "a") as file:
                    file.write(f"{n} {trial.attempt}\\n")
                trial.report({"loss": n})
        """)
        assert project.sweep().ret == 0
        (project.path / "ran").unlink()

    @pytest.mark.parametrize("flag", ["--sweep-resume", "--sweep-cache"])
    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            ("UPDATE trial SET state = 'FOO' WHERE ordinal = 1", "state is 'FOO'"),
            ("UPDATE trial SET attempts = 1000000000000 WHERE ordinal = 1", "attempts is 1000000000000"),
            ("UPDATE trial SET metrics = '{' WHERE ordinal = 1", "metrics is '{'"),
            (
                "UPDATE trial SET sweep_id = 'gone.py::train' WHERE ordinal = 1",
                "its sweep 'gone.py::train' is not there",
            ),
            ("UPDATE report SET metrics = '[]' WHERE id = 2", "metrics is []"),
            ("UPDATE report SET attempt = 1000000000000 WHERE id = 2", "attempt is 1000000000000"),
            ("UPDATE attempt SET state = 'FOO' WHERE rowid = 2", "state is 'FOO'"),
        ],
    )
    def test_a_trial(self, project: Project, statement: str, said: str, flag: str) -> None:
        """What cannot be taken is named, and runs; the others are taken."""
        with closing(sqlite3.connect(project.runs()[0] / "run.db")) as connection, connection:
            connection.execute(statement)
        result = project.sweep(flag)
        text = output(result)
        assert result.ret == 0, text
        assert (project.path / "ran").read_text() == "2 1\n"
        assert "1 trial runs from the beginning, since the database of run" in text
        assert "train[n=2] (" in text
        assert said in text
        states = [trial.state for trial in project.grid()]
        assert states == [TrialState.CACHED, TrialState.TERMINATED, TrialState.CACHED]

    @pytest.mark.parametrize("statement", ["UPDATE run SET seed = 'x'", "UPDATE run SET versions = '{'"])
    def test_the_run(self, project: Project, statement: str) -> None:
        """Where the run itself is nonsense, resuming it is an error that names the row."""
        with closing(sqlite3.connect(project.runs()[0] / "run.db")) as connection, connection:
            connection.execute(statement)
        assert_says(project.sweep("--sweep-resume"), "holds what pytest-sweep never stores: run ")


def test_a_folder_that_may_not_be_entered(project: Project) -> None:
    """A run's folder that this user may not enter is an error that names it, and hides no other run from a list."""
    project.write("@sweep(grid={'n': [1]})\ndef train(n): ...\n")
    project.sweep()
    folder = project.runs()[0]
    folder.chmod(0)
    script = "from pytest_sweep import list_runs; print([run.note for run in list_runs()])"
    plain = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    try:
        listed = subprocess.run(
            [*plain, sys.executable, "-c", script], cwd=project.path, capture_output=True, text=True, check=False
        )
        command = [
            *plain,
            sys.executable,
            "-m",
            "pytest",
            "--sweep",
            "--sweep-executor=inline",
            "--sweep-resume",
            "-p",
            "no:asyncio",
        ]
        resumed = subprocess.run(command, cwd=project.path, capture_output=True, text=True, check=False)
    finally:
        folder.chmod(0o755)
    assert "Permission denied" in listed.stdout, listed.stderr
    assert resumed.returncode == 4
    assert "Permission denied" in resumed.stderr
    assert "Traceback" not in resumed.stderr
