"""--sweep-resume and --sweep-cache: what is taken, what runs, what is said of it, and that nothing is lost when a driver is killed."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pytest_sweep import TrialState
from pytest_sweep.errors import StoreError
from tests.store_0_1_0 import HERE, RUN, write_project
from tests.support.sessions import Session, wait_for

from .project import Project, assert_says, output

NOTING = """
    import os
    from pathlib import Path

    def note(text):
        with open(Path(__file__).parent / "notes", "a") as notes:
            notes.write(f"{text}\\n")
"""
MIXED = (
    NOTING
    + """
    @sweep(grid={"n": [1, 2, 3, 4]}, metric="loss", mode="min")
    def train(n, trial):
        note(f"{n} {trial.attempt}")
        if n == 3:
            pytest.skip("not today")
        if n == 4 and "MENDED" not in os.environ:
            raise ValueError("it is broken")
        trial.report({"loss": n + 1})
        return {"loss": n}
"""
)
BREAKING = (
    NOTING
    + """
    @sweep(grid={"n": [1, 2, 3]}, metric="loss", mode="min")
    def train(n, trial, tmp_path):
        note(f"{n} {trial.attempt} from {trial.checkpoint and (trial.checkpoint / 'epoch').read_text()}")
        first = int((trial.checkpoint / "epoch").read_text()) + 1 if trial.checkpoint else 1
        for epoch in range(first, 6):
            (tmp_path / "epoch").write_text(str(epoch))
            trial.report({"loss": 1 / epoch, "epoch": epoch}, checkpoint=tmp_path / "epoch" if epoch == 2 else None)
            assert (n, epoch) != (2, 4) or "MENDED" in os.environ
"""
)


def notes(project: Project) -> list[str]:
    """Return what the trials have noted since the last call."""
    path = project.path / "notes"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def states(project: Project) -> dict[str, str]:
    """Return what became of the trials of the last run, by their names."""
    return {result.name.partition("=")[2].rstrip("]"): result.state.value for result in project.grid()}


def stored(folder: Path) -> bytes:
    """Return the database of a run as it is."""
    return (folder / "run.db").read_bytes()


def query(project: Project, sql: str) -> list[tuple[object, ...]]:
    """Return what the database of the last run answers."""
    with closing(sqlite3.connect(project.runs()[-1] / "run.db")) as connection:
        return connection.execute(sql).fetchall()


class TestTaking:
    def test_what_is_finished_is_taken(self, project: Project) -> None:
        """Finished trials are not run but shown as cached, with their metrics and their history; the old run stays as it was."""
        project.write(MIXED)
        project.sweep("-k", "not n=4")
        (first,) = project.runs()
        before = stored(first)
        notes(project)
        result = project.sweep("--sweep-resume", "-v", "-k", "not n=4")
        assert result.ret == 0, output(result)
        assert notes(project) == []
        result.stdout.fnmatch_lines(
            [
                f"sweep: executor inline, seed 0 (of run {first.name}), results in *",
                f"sweep: resuming {first.name}, 3 trials: 3 taken",
                "test_models.py::train[[]n=1[]] CACHED*",
                "test_models.py::train[[]n=3[]] CACHED*",
                "Number of trials: 3/3 (3 CACHED)",
                "Best trial of train: train[[]n=1[]] with loss=1 (min)*",
                "*= 1 deselected, 3 cached in *",
            ]
        )
        assert stored(first) == before
        one, _, skipped = project.grid()
        assert (one.state, one.metrics and one.metrics["loss"], one.attempts) == (TrialState.CACHED, 1, 1)
        assert [report["loss"] for report in one.metrics_history] == [2, 1]
        assert [attempt.state for attempt in one.attempt_history] == ["TERMINATED"]
        assert (skipped.state, skipped.metrics) == (TrialState.CACHED, None)
        assert query(project, "SELECT resumed_from FROM run") == [(first.name,)]
        assert query(project, "SELECT reason FROM trial WHERE name = 'train[n=3]'") == [
            (f"it was skipped in {first.name}",)
        ]

    def test_the_letter(self, project: Project) -> None:
        """Without -v a cached trial is a c, and its files are found where they are."""
        project.write("@sweep(grid={'n': [1]})\ndef train(n, trial):\n    (trial.dir / 'model').write_text('kept')\n")
        project.sweep()
        project.sweep("--sweep-resume").stdout.fnmatch_lines(["test_models.py c *[[]100%[]]"])
        project.sweep("--sweep-resume").stdout.fnmatch_lines(["test_models.py c *[[]100%[]]"])
        assert (project.only().path / "model").read_text() == "kept"
        assert project.only().path.parent == project.runs()[0]

    def test_failed_ones_are_shown_again(self, project: Project) -> None:
        """What has failed fails the session again, with its stored error, and does not run."""
        project.write(MIXED)
        project.sweep()
        notes(project)
        result = project.sweep("--sweep-resume")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert notes(project) == []
        assert states(project) == {"1": "CACHED", "2": "CACHED", "3": "CACHED", "4": "ERROR"}
        result.stdout.fnmatch_lines(
            [
                "*4 trials: 3 taken, 1 failed there",
                "E  *ValueError: it is broken",
                "It failed in run *, and was not run again: that is what --sweep-retry-failed is for.",
                "FAILED test_models.py::train[[]n=4[]] - ValueError: it is broken",
                "*= 1 failed, 3 cached in *",
            ]
        )

    def test_failed_ones_run_again_where_that_is_wanted(self, project: Project) -> None:
        """With --sweep-retry-failed they run, as the next attempt; what passes then is not flaky, for it was mended."""
        project.write(MIXED)
        project.sweep()
        notes(project)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MENDED", "1")
            result = project.sweep("--sweep-resume", "--sweep-retry-failed")
        assert result.ret == 0, output(result)
        assert notes(project) == ["4 2"]
        assert states(project) == {"1": "CACHED", "2": "CACHED", "3": "CACHED", "4": "TERMINATED"}
        mended = list(project.grid())[3]
        assert [(attempt.number, attempt.state) for attempt in mended.attempt_history] == [
            (1, "ERROR"),
            (2, "TERMINATED"),
        ]
        assert "flaky" not in output(result)

    def test_a_fresh_budget_of_retries(self, project: Project) -> None:
        """A trial that has used up its retries has them all again when it is run again."""
        project.write(MIXED.replace('mode="min"', 'mode="min", retries=1'))
        project.sweep("-k", "n=4")
        project.sweep("--sweep-resume", "--sweep-retry-failed", "-k", "n=4")
        assert notes(project) == ["4 1", "4 2", "4 3", "4 4"]
        assert project.only().attempts == 4

    def test_a_resumed_run_can_be_resumed(self, project: Project) -> None:
        """Cached results are taken on, run after run, and a grid that grows runs what is new; what is gone is left alone."""
        project.write(MIXED)
        project.sweep("-k", "not n=4")
        project.sweep("--sweep-resume", "-k", "not n=4")
        notes(project)
        project.write(MIXED.replace("[1, 2, 3, 4]", "[0, 2, 1]"))
        result = project.sweep("--sweep-resume")
        assert result.ret == 0, output(result)
        assert notes(project) == ["0 1"]
        assert states(project) == {"0": "TERMINATED", "2": "CACHED", "1": "CACHED"}
        assert "other code" not in output(result)

    def test_what_is_not_selected_is_not_lost(self, project: Project) -> None:
        """-k and --sweep-where take only what is selected; the next resumption finds the others in the run before."""
        project.write(MIXED)
        project.sweep("-k", "not n=4")
        notes(project)
        project.sweep("--sweep-resume", "-k", "n=1").assert_outcomes(deselected=3)
        assert states(project) == {"1": "CACHED"}
        project.sweep("--sweep-resume", "--sweep-where", "n == 2")
        assert states(project) == {"2": "CACHED"}
        project.sweep("--sweep-resume", "-k", "not n=4")
        assert states(project) == {"1": "CACHED", "2": "CACHED", "3": "CACHED"}
        assert notes(project) == []

    def test_by_name_and_by_folder(self, project: Project) -> None:
        """A run is resumed by its name, or by its folder wherever that is; a file that follows the option is a file."""
        project.write(MIXED)
        project.sweep("-k", "n=1")
        (first,) = project.runs()
        project.sweep("-k", "n=2")
        shutil.copytree(first, project.path / "elsewhere")
        notes(project)
        for name in (f"--sweep-resume={first.name}", f"--sweep-resume={project.path / 'elsewhere'}"):
            project.sweep(name, "-k", "n=1 or n=2")
            assert states(project) == {"1": "CACHED", "2": "TERMINATED"}
        assert query(project, "SELECT resumed_from FROM run") == [(str(project.path / "elsewhere"),)]
        project.sweep("--sweep-resume", "test_models.py", "-k", "n=1 or n=2")
        assert states(project) == {"1": "CACHED", "2": "CACHED"}

    def test_lf_beside_it(self, project: Project) -> None:
        """A cached trial has passed for --lf; a failure that was taken has failed for it."""
        project.write(MIXED)
        project.sweep()
        project.sweep("--sweep-resume")
        notes(project)
        result = project.sweep("--sweep-resume", "--sweep-retry-failed", "--lf")
        result.assert_outcomes(failed=1)
        assert notes(project) == ["4 2"]

    def test_a_condition_that_skips_no_more(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """A trial that a skipif skipped runs when its condition holds no more; what failed as expected, or skipped itself, is taken."""
        project.write(
            NOTING
            + """
    here = pytest.mark.skipif("GPU" not in os.environ, reason="needs a GPU")

    @here
    @sweep(grid={"n": [1, 2]})
    def gpu(n):
        note(f"gpu {n}")

    @here
    @pytest.mark.xfail
    @sweep(grid={"n": [1]})
    def expected(n):
        note("expected")
        assert False

    @sweep(grid={"n": [1]})
    def body(n):
        note("body")
        pytest.skip("not today")
"""
        )
        project.sweep()
        assert notes(project) == ["body"]
        project.sweep("--sweep-resume").assert_outcomes()
        assert notes(project) == []
        monkeypatch.setenv("GPU", "1")
        result = project.sweep("--sweep-resume")
        assert notes(project) == ["gpu 1", "gpu 2"]
        assert "4 trials: 2 taken, 2 to go on" in output(result)
        assert {str(trial.state) for trial in project.grid("gpu")} == {"TERMINATED"}

    def test_lf_and_a_trial_that_is_cut_off(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """A trial that has failed, and is cut off when it is tried again, has failed for --lf."""
        project.write("""
            import os

            @sweep(grid={"n": [1, 2, 3]})
            def train(n):
                if "STOP" in os.environ and n == 2:
                    raise KeyboardInterrupt
                assert n == 1
        """)
        project.sweep().assert_outcomes(passed=1, failed=2)
        with monkeypatch.context() as patch:
            patch.setenv("STOP", "1")
            assert project.sweep("--lf").ret == pytest.ExitCode.INTERRUPTED
        project.sweep("--lf").assert_outcomes(failed=2)

    def test_x_counts_taken_failures(self, project: Project) -> None:
        """-x ends the session at a failure that was taken; what has not run is NOT_RUN."""
        project.write(MIXED)
        project.sweep("-k", "n=4")
        notes(project)
        result = project.sweep("--sweep-resume", "-x")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert notes(project) == []
        assert states(project) == {"1": "NOT_RUN", "2": "NOT_RUN", "3": "NOT_RUN", "4": "ERROR"}
        assert "3 trials were not run: stopping after 1 failures" in output(result)

    @pytest.mark.parametrize(
        ("ini", "option"), [("", "-x"), ("", "--maxfail=1"), ("", "--stepwise"), ("addopts = -x", "-q")]
    )
    def test_the_printed_command_makes_progress(self, project: Project, ini: str, option: str) -> None:
        """After a session that a failure has ended, the command that continues it runs the rest."""
        project.write(f"[pytest]\n{ini}\n", "pytest.ini")
        project.write("""
            @sweep(grid={"n": [1, 2, 3]})
            def train(n):
                assert n != 1
        """)
        cut = project.sweep(option)
        assert states(project) == {"1": "ERROR", "2": "NOT_RUN", "3": "NOT_RUN"}
        (line,) = [line for line in output(cut).splitlines() if line.startswith("To continue: ")]
        words = shlex.split(line)
        result = project.plain(*words[words.index("--sweep") :])
        assert states(project) == {"1": "ERROR", "2": "TERMINATED", "3": "TERMINATED"}
        assert "To continue: " not in output(result)

    def test_stepwise_beside_it(self, project: Project) -> None:
        """With --sw, cached trials and others are shown in the order of collection."""
        project.write(MIXED)
        project.sweep("-k", "n=2")
        result = project.sweep("--sweep-resume", "--sw", "-v", "-k", "not n=3")
        shown = [line.split()[1] for line in result.outlines if line.startswith("test_models.py::")]
        assert shown == ["PASSED", "CACHED", "FAILED"]

    def test_junit(self, project: Project) -> None:
        """A cached trial is a test case that has passed, with its state, its metrics and the run that they come from."""
        project.write(MIXED)
        project.sweep("-k", "n=1")
        project.sweep("--sweep-resume", "-k", "n=1", "--junitxml=junit.xml")
        (case,) = ElementTree.parse(project.path / "junit.xml").iter("testcase")
        properties = {its.attrib["name"]: its.attrib["value"] for its in case.iter("property")}
        assert [child.tag for child in case] == ["properties"]
        assert properties["sweep.state"] == "CACHED"
        assert properties["sweep.taken_from"] == project.runs()[0].name
        assert properties["metric.loss"] == "1"

    def test_judges_and_ordinary_tests(self, project: Project) -> None:
        """Ordinary tests run as always, and those that judge see cached results as those of this run."""
        project.write(
            MIXED
            + """
    def test_ordinary():
        note("ordinary")

    def test_judge(sweep_results):
        grid = sweep_results["train"]
        note([result.state.value for result in grid])
        assert grid.get_best_result().metrics["loss"] == 1
        assert grid.num_terminated == 2
        assert len(grid.get_best_result().metrics_history) == 2
"""
        )
        project.sweep()
        notes(project)
        project.sweep("--sweep-resume").assert_outcomes(passed=2, failed=1)
        assert notes(project) == ["ordinary", "['CACHED', 'CACHED', 'CACHED', 'ERROR']"]

    def test_hooks_of_trials_are_not_called(self, project: Project) -> None:
        """No hook is called for a trial that is taken; those of the run are, and see its result."""
        project.write(
            NOTING
            + """
    def pytest_sweep_run_start(run): note("run start")
    def pytest_sweep_trial_start(trial): note("start")
    def pytest_sweep_trial_finish(trial, result): note("finish")
    def pytest_sweep_run_finish(run, results): note(f"run finish {results['train'][0].state}")
""",
            "conftest.py",
        )
        project.write("@sweep(grid={'n': [1]})\ndef train(n): ...\n")
        project.sweep()
        assert notes(project) == ["run start", "start", "finish", "run finish TERMINATED"]
        project.sweep("--sweep-resume")
        assert notes(project) == ["run start", "run finish CACHED"]

    def test_nothing_to_run_starts_nothing(self, project: Project) -> None:
        """Where all is cached no executor is reached, the exit status is 0, and the table is shown."""
        project.write(MIXED)
        project.sweep("-k", "n=1 or n=2")
        nowhere = ("--sweep-executor=ray", "--sweep-address=127.0.0.1:1")
        result = project.plain("--sweep", *nowhere, "--sweep-resume", "-k", "n=1 or n=2")
        assert result.ret == 0, output(result)
        assert "Number of trials: 2/2 (2 CACHED)" in output(result)
        assert "| train[n=1] | 1 | CACHED" in output(result)


class TestGoingOn:
    def test_from_the_newest_checkpoint(self, project: Project) -> None:
        """What had failed goes on from its checkpoint as the next attempt; no iteration is missing, and none counts twice."""
        project.write(BREAKING)
        project.sweep("-x")
        assert states(project) == {"1": "TERMINATED", "2": "ERROR", "3": "NOT_RUN"}
        assert notes(project) == ["1 1 from None", "2 1 from None"]
        first = project.runs()[0]
        before = sorted(path for path in first.rglob("*"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MENDED", "1")
            result = project.sweep("--sweep-resume", "--sweep-retry-failed")
        assert result.ret == 0, output(result)
        assert "3 trials: 1 taken, 1 to go on, 1 new" in output(result)
        assert notes(project) == ["2 2 from 2", "3 1 from None"]
        assert states(project) == {"1": "CACHED", "2": "TERMINATED", "3": "TERMINATED"}
        for trial in project.grid():
            assert [report["epoch"] for report in trial.metrics_history] == [1, 2, 3, 4, 5]
            assert [report["training_iteration"] for report in trial.metrics_history] == [1, 2, 3, 4, 5]
            spent = [report["time_this_iter_s"] for report in trial.metrics_history]
            total = [report["time_total_s"] for report in trial.metrics_history]
            assert total == pytest.approx(list(itertools.accumulate(spent)), abs=1e-6)
            assert isinstance(trial.checkpoint, Path)
            assert (trial.checkpoint / "epoch").read_text() == "2"
        second = list(project.grid())[1]
        assert [(its.number, its.state) for its in second.attempt_history] == [(1, "ERROR"), (2, "TERMINATED")]
        assert sorted(path for path in first.rglob("*")) == before
        assert "flaky" not in output(result)

    @pytest.mark.parametrize("damage", ["the newest", "all"])
    def test_from_the_one_before_a_damaged_checkpoint(self, project: Project, damage: str) -> None:
        """Where the newest checkpoint of the earlier run is gone, the trial goes on from the one before, else anew; without a hole."""
        project.write(BREAKING.replace("if epoch == 2 else None", ""))
        project.sweep("-k", "n=2")
        checkpoints = sorted(path for path in project.runs()[0].glob("*/checkpoints/*") if path.is_dir())
        assert len(checkpoints) == 4
        for folder in checkpoints if damage == "all" else checkpoints[-1:]:
            shutil.rmtree(folder)
        notes(project)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MENDED", "1")
            result = project.sweep("-k", "n=2", "--sweep-resume", "--sweep-retry-failed")
        assert result.ret == 0, output(result)
        assert notes(project) == ["2 2 from None" if damage == "all" else "2 2 from 3"]
        assert [report["epoch"] for report in project.only().metrics_history] == [1, 2, 3, 4, 5]
        assert f"{checkpoints[-1]} of train[n=2] is damaged" in output(result)

    def test_cut_off_again_and_again(self, project: Project) -> None:
        """A checkpoint of the first run serves the third one, and attempts are counted through."""
        project.write(BREAKING)
        project.sweep("-k", "n=2")
        for _ in range(2):
            project.sweep("-k", "n=2", "--sweep-resume", "--sweep-retry-failed")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MENDED", "1")
            project.sweep("-k", "n=2", "--sweep-resume", "--sweep-retry-failed")
        assert notes(project) == ["2 1 from None", "2 2 from 2", "2 3 from 2", "2 4 from 2"]
        assert [report["epoch"] for report in project.only().metrics_history] == [1, 2, 3, 4, 5]

    def test_a_killed_driver_loses_nothing(self, project: Project, start: Callable[..., Session]) -> None:
        """After kill -9 of the driver every trial that was shown is there, and what ran goes on from its checkpoint."""
        project.write(
            NOTING
            + """
    import time

    @sweep(grid={"n": list(range(12))})
    def train(n, trial, tmp_path):
        start = int((trial.checkpoint / "epoch").read_text()) if trial.checkpoint else 0
        note(f"{n} {trial.attempt} from {start}")
        for epoch in range(start + 1, 4):
            (tmp_path / "epoch").write_text(str(epoch))
            trial.report({"epoch": epoch}, checkpoint=tmp_path / "epoch" if epoch == 2 else None)
            if n >= 8 and epoch == 3 and "HANG" in os.environ:
                time.sleep(600)
        return {"n": n}
"""
        )
        workers = ("--sweep-executor=processes", "--sweep-max-concurrent=2", "-v")
        session = start(*workers, HANG="1")
        wait_for(lambda: len(session.finished()) >= 8, "eight finished trials")
        wait_for(lambda: _reported(session, 3) == 10, "the third report of those that hang")
        done = session.finished()
        os.kill(session.process.pid, signal.SIGKILL)
        session.process.wait(30)
        session.close()
        notes(project)
        again = start(*workers, "--sweep-resume")
        assert again.wait() == 0, again.output
        assert sorted(notes(project)) == ["10 1 from 0", "11 1 from 0", "8 2 from 2", "9 2 from 2"]
        assert f"12 trials: {len(done)} taken, 2 to go on, 2 new" in again.output
        for trial in again.results()["train"]:
            assert trial.state is (TrialState.CACHED if trial.name in done else TrialState.TERMINATED)
            assert [report["training_iteration"] for report in trial.metrics_history] == [1, 2, 3], trial.name

    @pytest.mark.parametrize("by_name", [False, True])
    def test_a_run_that_goes_on_is_refused(
        self, project: Project, start: Callable[..., Session], by_name: bool
    ) -> None:
        """A run whose driver lives is not resumed, and says who that is; as soon as it is dead the run can be resumed."""
        project.write(NOTING + "\n    @sweep(grid={'n': [1]})\n    def train(n):\n        note(n)\n        import time\n"
                      "        time.sleep(600 if 'HANG' in os.environ else 0)\n")  # fmt: skip
        session = start("--sweep-executor=processes", HANG="1")
        wait_for((project.path / "notes").exists, "the trial")
        wait_for(lambda: _has_begun(session), "its database, which is made while the first trial begins")
        (run,) = project.runs()
        resume = f"--sweep-resume={run.name}" if by_name else "--sweep-resume"
        refused = project.sweep(resume)
        assert refused.ret == pytest.ExitCode.USAGE_ERROR
        assert_says(refused, f"the run {run.name} still goes on (process {session.process.pid} on ", "would run twice")
        assert project.runs() == [run]
        os.kill(session.process.pid, signal.SIGKILL)
        session.process.wait(30)
        project.sweep(resume).assert_outcomes(passed=1)
        assert not (project.runs()[-1] / "running").exists()

    def test_what_was_left_half_done(self, project: Project) -> None:
        """What a worker that was killed with its driver had begun to copy is deleted by the next run; what is complete stays."""
        project.write(BREAKING)
        project.sweep("-k", "n=2")
        checkpoints = project.only().path / "checkpoints"
        kept = sorted(checkpoints.iterdir())
        (checkpoints / ".1-000003.tmp").mkdir()
        (checkpoints / ".1-000003.tmp" / "epoch").write_text("3")
        (checkpoints / "1-000004").mkdir()
        project.sweep("-k", "n=2", "--sweep-resume", "--sweep-retry-failed")
        assert sorted(checkpoints.iterdir()) == kept

    def test_what_an_attempt_left_that_nobody_had_heard_of(self, project: Project) -> None:
        """So is what an attempt has left of which the driver had not heard when both died: the run takes the trial for not begun."""
        project.write("@sweep(grid={'n': [1, 2]})\ndef train(n, trial):\n    assert trial.dir.exists() and n == 2\n")
        project.sweep()
        name = project.grid()[1].path.name
        project.sweep("-x")
        half = project.runs()[-1] / name / "checkpoints" / ".1-000001.tmp"
        half.mkdir(parents=True)
        project.sweep("--sweep-resume").assert_outcomes(passed=1, failed=1)
        assert not half.exists()

    def test_a_driver_that_is_killed_while_it_resumes(self, project: Project) -> None:
        """What a run has not begun, because it was killed before it had copied it, is found where that run went on from."""
        project.write(MIXED)
        project.sweep("-k", "n=1 or n=2")
        project.sweep("--sweep-resume", "-k", "n=1 or n=2")
        notes(project)
        with closing(sqlite3.connect(project.runs()[-1] / "run.db")) as connection, connection:
            connection.execute("UPDATE trial SET state = 'PENDING', attempts = 0")
        project.sweep("--sweep-resume", "-k", "n=1 or n=2")
        assert notes(project) == []
        assert states(project) == {"1": "CACHED", "2": "CACHED"}

    def test_a_run_that_was_killed_as_it_began_is_passed_over(self, project: Project) -> None:
        """The last run is the last one that had anything to lose."""
        project.write(MIXED)
        project.sweep("-k", "n=1")
        unborn = project.path / "sweep_results" / "9999-01-01_00-00-00_0000"
        unborn.mkdir()
        (unborn / "run.db").touch()
        (unborn / "nothing_stored").touch()
        project.sweep("--sweep-resume", "-k", "n=1").stdout.fnmatch_lines(["*1 trial: 1 taken"])


def _has_begun(session: Session) -> bool:
    try:
        return "train" in session.results()
    except StoreError:
        return False


def _reported(session: Session, iteration: int) -> int:
    return sum(
        any(report["training_iteration"] == iteration for report in trial.metrics_history)
        for trial in session.results()["train"]
    )


class TestSeed:
    DRAWN = """
        from pytest_sweep import uniform

        @sweep(grid={"lr": uniform(0, 1)}, num_samples=3)
        def train(lr, trial):
            return {"lr": lr, "seed": trial.seed}
    """

    def test_the_stored_one_is_taken(self, project: Project) -> None:
        """What is drawn is drawn as it was, without the seed being named again, also where the ini file names another."""
        project.write(self.DRAWN)
        project.sweep("--sweep-seed=7")
        first = project.ids("--sweep-seed=7")
        project.write("[pytest]\nsweep_seed = 3\n", "pytest.ini")
        assert project.ids("--sweep-resume") == first
        result = project.sweep("--sweep-resume")
        assert "seed 7 (of run" in output(result)
        assert {trial.state for trial in project.grid()} == {TrialState.CACHED}
        assert project.sweep("--sweep-resume", "--sweep-seed=7").ret == 0

    def test_another_one_is_refused(self, project: Project) -> None:
        """A seed on the command line that is not the run's is an error that names both."""
        project.write(self.DRAWN)
        project.sweep("--sweep-seed=7")
        result = project.sweep("--sweep-resume", "--sweep-seed=8")
        assert_says(result, "--sweep-seed=8: the run", "that is resumed has the seed 7")
        assert len(project.runs()) == 1


FIXTURES = """
    @pytest.fixture
    def data():
        return 1
"""
CODE = (
    NOTING
    + """
    @sweep(grid={"n": [1, 2]}, metric="loss", mode="min")
    def train(n, data):
        note(n)
        return {"loss": n + data}

    @sweep(grid={"m": [1]})
    def other(m):
        note(f"other {m}")
"""
)


class TestOtherCode:
    @pytest.fixture
    def ran(self, project: Project) -> Project:
        """A project whose sweeps have run once."""
        project.write(FIXTURES, "conftest.py")
        project.write(CODE)
        project.sweep()
        notes(project)
        return project

    @pytest.mark.parametrize(
        ("edit", "said"),
        [
            (("n + data", "n * data"), "test_models.py::train has changed"),
            (("def note(text):", "def note(text, more=1):"), "test_models.py has changed"),
        ],
    )
    def test_it_is_named_once(self, ran: Project, edit: tuple[str, str], said: str) -> None:
        """Results that other code has made are taken, and each sweep's are named in a line that says what has changed."""
        ran.write(CODE.replace(*edit))
        result = ran.sweep("--sweep-resume")
        lines = [line for line in result.outlines if "results of train" in line]
        assert lines == [f"2 cached results of train were made by other code: {said}"]
        assert notes(ran) == []

    def test_a_fixture_counts(self, ran: Project) -> None:
        """A fixture that has changed makes other code of the sweeps whose trials use it, and of no others."""
        ran.write(FIXTURES.replace("return 1", "return 2"), "conftest.py")
        text = output(ran.sweep("--sweep-resume"))
        assert "2 cached results of train were made by other code: the fixture data in conftest.py has changed" in text
        assert "results of other" not in text
        assert "result of other" not in text

    def test_failures_are_no_cached_results(self, project: Project) -> None:
        """Of what other code has made, failures that are taken are counted as such."""
        project.write(MIXED)
        project.sweep()
        project.write(MIXED.replace("n + 1", "n + 2"))
        text = output(project.sweep("--sweep-resume"))
        assert (
            "3 cached results and 1 failure of train were made by other code: test_models.py::train has changed" in text
        )
        text = output(project.sweep("--sweep-resume", "-k", "n=4"))
        assert "1 failure of train was made by other code: test_models.py::train has changed" in text

    def test_a_grown_space_is_no_other_code(self, ran: Project) -> None:
        """What is tried is a matter of keys: it may be written in the decorator without making other code."""
        ran.write(CODE.replace('"n": [1, 2]}', '"n": [1, 2,\n     3]}, num_samples=1'))
        result = ran.sweep("--sweep-resume", "--sweep-resume-strict")
        assert result.ret == 0, output(result)
        assert notes(ran) == ["3"]

    def test_strict_refuses(self, ran: Project) -> None:
        """With --sweep-resume-strict nothing runs, not even an ordinary test, and no run is made."""
        ran.write(CODE.replace("n + data", "n * data") + "\n    def test_ordinary(): note('ordinary')\n")
        result = ran.sweep("--sweep-resume", "--sweep-resume-strict")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert_says(result, "--sweep-resume-strict: 2 cached results of train were made by other code: ")
        assert notes(ran) == []
        assert len(ran.runs()) == 1

    def test_it_stays_other_code(self, ran: Project) -> None:
        """Results that were taken by a later run in spite of other code are named by the one after that too."""
        ran.write(CODE.replace("n + data", "n * data"))
        ran.sweep("--sweep-resume")
        assert "2 cached results of train were made by other code" in output(ran.sweep("--sweep-resume"))
        assert ran.sweep("--sweep-resume", "--sweep-resume-strict").ret == pytest.ExitCode.USAGE_ERROR
        ran.write(CODE)
        assert "other code" not in output(ran.sweep("--sweep-resume"))

    def test_an_unknown_source(self, project: Project) -> None:
        """Where a source cannot be read nobody knows, which strict takes for other code."""
        project.write("""
            scope = {"__name__": __name__}
            exec("def train(n): ...", scope)
            train = sweep(grid={"n": [1]})(scope["train"])
        """)
        project.sweep()
        said = (
            "1 cached result of train was perhaps made by other code: the source of test_models.py::train is not known"
        )
        assert said in output(project.sweep("--sweep-resume"))
        assert_says(project.sweep("--sweep-resume", "--sweep-resume-strict"), said)

    def test_cache_takes_from_all_runs(self, ran: Project) -> None:
        """--sweep-cache takes what the same code has made in any run, and says which; -v says what was compared."""
        ran.sweep("-k", "other")  # So that the newest run does not have it.
        notes(ran)
        first = ran.runs()[0]
        result = ran.sweep("--sweep-cache", "-v")
        assert result.ret == 0, output(result)
        assert notes(ran) == []
        result.stdout.fnmatch_lines(
            [
                f"cache: 2 of 3 trials taken from run {first.name} (made * ago): 2 of train",
                f"cache: 1 of 3 trials taken from run {ran.runs()[1].name} (made * ago): 1 of other",
                "cache: unchanged of train: function, module test_models.py, file conftest.py, fixture data, pytest *, Python *",
                "cache: unchanged of other: function, module test_models.py, file conftest.py, pytest *, Python *",
                "*= 3 cached in *",
            ]
        )
        text = output(ran.sweep("--sweep-cache"))
        assert (
            f"cache: 2 of 3 trials taken from run {first.name} (made " in text
        )  # Not from the one that has taken them.
        assert "unchanged" not in text

    def test_cache_takes_nothing_of_other_code(self, ran: Project) -> None:
        """What other code has made runs again; what the code before that had made is found when the code is as it was."""
        first = ran.runs()[0]
        ran.write(FIXTURES.replace("return 1", "return 2"), "conftest.py")
        text = output(ran.sweep("--sweep-cache", "-v"))
        assert notes(ran) == ["1", "2"]
        assert f"run, because the fixture data in conftest.py has changed since run {first.name} (made " in text
        assert "ago): 2 of train" in text
        ran.write(FIXTURES, "conftest.py")
        ran.sweep("--sweep-cache")
        assert notes(ran) == []
        assert [trial.metrics and trial.metrics["loss"] for trial in ran.grid()] == [2, 3]

    def test_cache_covers_what_a_fixture_reads_in_its_file(self, project: Project) -> None:
        """A trial runs again when a constant or a function in its fixture's file has changed, though the fixture itself has not."""
        files = """
            OFFSET = 1

            def scaled(number):
                return number * 1

            @pytest.fixture
            def data():
                return scaled(OFFSET)
        """
        project.write(CODE)
        losses = []
        for text in (files, files.replace("OFFSET = 1", "OFFSET = 10"), files.replace("* 1", "* 100"), files):
            project.write(text, "conftest.py")
            assert project.sweep("--sweep-cache", "-k", "train").ret == 0
            losses.append([trial.metrics and trial.metrics["loss"] for trial in project.grid()])
        assert losses == [[2, 3], [11, 12], [101, 102], [2, 3]]
        assert notes(project) == ["1", "2"] * 3, "the last run takes what the first has made"

    def test_cache_and_seeds(self, ran: Project) -> None:
        """A trial's seed is a part of what makes its result."""
        text = output(ran.sweep("--sweep-cache", "--sweep-seed=1"))
        assert f"cache: 3 of 3 trials run, with another seed than in run {ran.runs()[0].name}" in text
        assert notes(ran) == ["1", "2", "other 1"]

    def test_cache_takes_no_failures_and_no_skips(self, project: Project) -> None:
        """What has failed or was skipped is run again, also where it was taken as skipped by a run that was resumed."""
        project.write(MIXED)
        project.sweep()
        notes(project)
        for _ in range(2):
            project.sweep("--sweep-cache")
            assert [line[0] for line in notes(project)] == ["3", "4"]
            project.sweep("--sweep-resume")

    def test_cache_says_what_has_failed_or_was_skipped(self, project: Project) -> None:
        """Why failures and skips are run again is said in sentences, with their run."""
        project.write(MIXED)
        project.sweep()
        text = output(project.sweep("--sweep-cache"))
        run = project.runs()[0].name
        assert f"cache: 1 of 4 trials run, after being skipped in run {run} (made " in text
        assert f"cache: 1 of 4 trials run, after failing in run {run} (made " in text

    def test_cache_passes_over_what_it_cannot_read(self, ran: Project) -> None:
        """A damaged run hides no other, and is named."""
        damaged = ran.path / "sweep_results" / "9999-01-01_00-00-00_0000"
        damaged.mkdir()
        (damaged / "run.db").write_bytes(b"no database" * 1000)
        result = ran.sweep("--sweep-cache")
        assert notes(ran) == []
        assert f"cache: passed over: the results database {damaged / 'run.db'} cannot be read" in output(result)

    @pytest.mark.parametrize(("value", "runs"), [("true", 0), ("off", 3)])
    def test_cache_in_the_ini_file(self, ran: Project, value: str, runs: int) -> None:
        """A switch can be set in the ini file."""
        ran.write(f"[pytest]\nsweep_cache = {value}\n", "pytest.ini")
        ran.sweep()
        assert len(notes(ran)) == runs

    def test_a_switch_that_is_none(self, ran: Project) -> None:
        """A value that is neither true nor false is refused, with the key that has it."""
        ran.write("[pytest]\nsweep_cache = perhaps\n", "pytest.ini")
        assert_says(ran.sweep(), "the ini key sweep_cache=perhaps: 'perhaps' is neither true nor false")

    def test_both(self, ran: Project) -> None:
        """What the run that is resumed has not is taken from the others."""
        ran.sweep("-k", "n=1")
        notes(ran)
        ran.sweep("--sweep-resume", "--sweep-cache")
        assert notes(ran) == []


class TestErrors:
    def test_an_unknown_name(self, project: Project) -> None:
        """A name that no run has is an error that lists the newest ones."""
        project.write(MIXED)
        project.sweep("-k", "n=1")
        result = project.sweep("--sweep-resume=nightly")
        assert_says(result, "--sweep-resume: there is no run 'nightly' in", f"the newest are {project.runs()[0].name}")

    @pytest.mark.parametrize(("version", "said"), [(999, "was written by a newer pytest-sweep"), (1, "an older")])
    def test_another_schema(self, project: Project, version: int, said: str) -> None:
        """A run of another schema is refused, and left alone."""
        project.write(MIXED)
        project.sweep("-k", "n=1")
        with closing(sqlite3.connect(project.runs()[0] / "run.db")) as connection:
            connection.execute(f"PRAGMA user_version={version}")
        before = stored(project.runs()[0])
        assert_says(project.sweep("--sweep-resume"), "--sweep-resume: ", said)
        assert stored(project.runs()[0]) == before

    @pytest.mark.parametrize("start", [0, 4096])
    def test_a_damaged_database(self, project: Project, start: int) -> None:
        """A database that is damaged is named, wherever it is: in its header, or in what the decision needs."""
        project.write(MIXED)
        project.sweep("-k", "n=1")
        database = project.runs()[0] / "run.db"
        content = database.read_bytes()
        database.write_bytes(content[:start] + b"\xa5" * (len(content) - start))
        result = project.sweep("--sweep-resume")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert_says(result, str(database), "cannot be read")
        assert len(project.runs()) == 1

    @pytest.mark.parametrize("flag", ["--sweep-retry-failed", "--sweep-resume-strict"])
    def test_what_is_about_a_resumed_run(self, project: Project, flag: str) -> None:
        """An option that changes how a run is resumed is refused where none is."""
        project.write(MIXED)
        assert_says(project.sweep(flag), f"{flag} is about the run that is resumed: add --sweep-resume")


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_what_an_interrupted_trial_had_reported(project: Project, executor: str) -> None:
    """What a trial has reported when the session ends under it is kept, and the next run goes on from its checkpoint."""
    project.write("""
        from pathlib import Path

        GO_ON = Path(__file__).with_name("go_on")

        @sweep(grid={"n": [1]})
        def train(n, trial):
            first = int((trial.checkpoint / "state").read_text()) + 1 if trial.checkpoint else 0
            for step in range(first, 6):
                (trial.dir / "state").write_text(str(step))
                trial.report({"step": step}, checkpoint=trial.dir / "state")
                if step == 2 and not GO_ON.exists():
                    pytest.exit("enough", 7)
    """)
    options = ("--sweep", f"--sweep-executor={executor}")
    assert project.plain(*options).ret == 7
    trial = project.only()
    assert (str(trial.state), [attempt.state for attempt in trial.attempt_history]) == ("INTERRUPTED", ["INTERRUPTED"])
    assert [report["step"] for report in trial.metrics_history] == [0, 1, 2]
    (project.path / "go_on").touch()
    assert project.plain(*options, "--sweep-resume").ret == 0
    trial = project.only()
    assert [report["step"] for report in trial.metrics_history] == [0, 1, 2, 3, 4, 5]
    assert trial.attempts == 2


class TestRunOf010:
    """A run that version 0.1.0 has stored is worth as much as one of today."""

    @pytest.fixture
    def ran(self, project: Project) -> Project:
        """The project, with that run."""
        write_project(project.path)
        return project

    def test_it_is_resumed(self, ran: Project) -> None:
        """What it has is taken, the interrupted trial goes on from its checkpoint, and what it had not begun runs."""
        result = ran.sweep("--sweep-resume", "-v")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        text = output(result)
        assert f"resuming {RUN}, 10 trials: 7 taken, 1 failed there" in text
        states = {result.name: str(result.state) for result in ran.grid("train_outcomes")}
        assert states == {
            "train_outcomes[what=pass]": "CACHED",
            "train_outcomes[what=fail]": "ERROR",
            "train_outcomes[what=skip]": "CACHED",
            "train_outcomes[what=flaky]": "CACHED",
        }
        first, second = ran.grid("train_long")
        assert [report["epoch"] for report in first.metrics_history] == [1, 2, 3, 4]
        assert (first.attempts, second.attempts) == (2, 1)

    def test_it_is_a_cache(self, ran: Project) -> None:
        """What ended well is taken from it, as the code is the same, and the rest runs."""
        result = ran.sweep("--sweep-cache", "--sweep-seed=7", "-pno:asyncio")  # It has an automatic fixture.
        text = output(result)
        assert f"cache: 6 of 10 trials taken from run {RUN} (made " in text
        assert "6 results were made by pytest-sweep 0.1.0, which stored function, module and fixtures only" in text
        states = [str(result.state) for result in ran.grid("train_replicates")]
        assert states == ["CACHED"] * 4
        assert (ran.runs()[0] / "run.db").read_bytes() == (HERE / RUN / "run.db").read_bytes()

    def test_a_gate_judges_it(self, ran: Project) -> None:
        """A test that names sweep_results, run alone, is given its results."""
        ran.write(
            """
            def test_gate(sweep_results):
                assert sweep_results["train_replicates"].get_best_result().config == {"lr": 0.1}
            """,
            "test_gate.py",
        )
        ran.sweep("-k", "test_gate").assert_outcomes(passed=1, deselected=10)
