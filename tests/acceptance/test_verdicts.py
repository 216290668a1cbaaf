"""What becomes of a session where trials are judged while they run, and the judging, the driver or the user ends it."""

from __future__ import annotations

import signal
import textwrap
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from pytest_sweep.clock import pause
from tests.acceptance.project import Project, output
from tests.support.sessions import Session, wait_for

CONFTEST = """
    import os, signal
    from pytest_sweep.model.events import TrialReported
    from pytest_sweep.model.study import Milestones, VerdictKind
    from pytest_sweep.testing.judging import JudgingExecutor, told

    class Script:
        def judged(self, task):
            return Milestones(every=1), {pause_at}

        def verdicts(self, worker, task, event):
            if not isinstance(event, TrialReported):
                return []
            {judge}
            return [(0, told(worker, event))]

        def paused(self, event):
            print("paused", event.state, [report["outcome"] for report in event.reports])

    @pytest.hookimpl(wrapper=True)
    def pytest_sweep_make_executor(options):
        return JudgingExecutor((yield), Script())
"""
TRAIN = """
    import os, time

    @sweep(configs=[{}, {"a": 1}])
    def train(trial):
        for number in range(5):
            try:
                trial.report({"x": number})
            except Exception:
                (trial.dir / "caught").touch()
        (trial.dir / "went_on").touch()
"""


def write(project: Project, judge: str, train: str = TRAIN, pause_at: int | None = None) -> None:
    """Write a project whose trials are judged by `judge`, at each report."""
    project.write(CONFTEST.format(judge=judge, pause_at=pause_at), "conftest.py")
    project.write(train)


def test_a_decision_that_fails_inline(project: Project) -> None:
    """What is raised while the loop decides ends the session, and the trial, which cannot catch it, with it."""
    write(project, "raise OSError('no space left on device')")
    result = project.sweep()
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    assert "no space left on device" in output(result)
    first, second = project.grid()
    assert (str(first.state), str(second.state)) == ("INTERRUPTED", "NOT_RUN")
    assert not list(project.path.rglob("caught")) + list(project.path.rglob("went_on"))


def test_ctrl_c_while_it_is_decided_inline(project: Project) -> None:
    """Ctrl-C waits for the decision, and then interrupts the trial in its report."""
    write(project, "os.kill(os.getpid(), signal.SIGINT); (task.trial.name, open('decided', 'w').close())")
    result = project.sweep()
    assert result.ret == pytest.ExitCode.INTERRUPTED, output(result)
    assert (project.path / "decided").exists()
    first, second = project.grid()
    assert (str(first.state), str(second.state)) == ("INTERRUPTED", "NOT_RUN")
    assert [report["x"] for report in first.metrics_history] == [0]


@pytest.mark.parametrize("strict", [True, False])
def test_a_pause_of_what_is_expected_to_fail(project: Project, strict: bool) -> None:
    """An attempt that only pauses has not passed though its mark says that it fails: it has not ended."""
    write(
        project,
        "",
        f"""
        @sweep(configs=[{{}}])
        @pytest.mark.xfail(strict={strict})
        def train(trial):
            for number in range(5):
                (trial.dir / "saved").touch()
                trial.report({{"x": number}}, trial.dir / "saved")
        """,
        pause_at=2,
    )
    result = project.sweep("-s")
    assert "paused PAUSED ['passed', 'passed', 'passed']" in output(result)


def test_a_pause_that_fails_in_its_teardown(project: Project) -> None:
    """A fixture that fails while it is torn down is an error of the trial, whether or not it pauses."""
    write(
        project,
        "",
        """
        @pytest.fixture
        def broken():
            yield
            raise OSError("cannot be torn down")

        @sweep(configs=[{}])
        def train(trial, broken):
            (trial.dir / "saved").touch()
            trial.report({"x": 1}, trial.dir / "saved")
        """,
        pause_at=1,
    )
    result = project.sweep("-s")
    assert "paused" not in output(result)
    assert str(project.only().state) == "ERROR"


WAITS = """
import os
from pathlib import Path
from pytest_sweep import sweep

@sweep(configs=[{}])
def train(trial):
    Path(__file__).with_name("waits").write_text(f"{os.getpid()}\\n")
    for number in range(10_000):
        trial.report({"x": number})
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_driver_ends_while_a_trial_waits(tmp_path: Path, number: int) -> None:
    """The worker of a trial that waits for a verdict ends with its driver, however that ends."""
    preamble = "import pytest\n"
    judge = "return []"
    (tmp_path / "conftest.py").write_text(preamble + textwrap.dedent(CONFTEST.format(judge=judge, pause_at=None)))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_models.py").write_text(WAITS)
    with closing(Session(tmp_path, "-n1")) as session:
        wait_for(lambda: (tmp_path / "waits").exists() and (tmp_path / "waits").read_text().endswith("\n"), "the trial")
        worker = psutil.Process(int((tmp_path / "waits").read_text()))
        pause(0.3)  # It is in its first report, which waits for a second.
        session.process.send_signal(number)
        session.wait()
        _, alive = psutil.wait_procs([worker], timeout=15)
        assert not alive


def test_no_verdict_waits_for_the_database(project: Project) -> None:
    """Where a sweep has a scheduler the database is open before the first trial begins: opening it takes up to seconds."""
    project.write("""
        from pathlib import Path
        from pytest_sweep import asha

        @sweep(configs=[{"a": 1}], metric="x", mode="min", scheduler=asha(max_t=3))
        def train(a, trial):
            assert list(Path(__file__).parent.glob("sweep_results/*/run.db"))
            for number in range(3):
                trial.report({"x": number})
    """)
    result = project.plain("--sweep", "-n1")
    assert result.ret == 0, output(result)
