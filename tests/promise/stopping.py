"""What ends a session: -x, --maxfail, pytest.exit, Ctrl-C, the death of the driver or of the process of a trial."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

import psutil
import pytest

from pytest_sweep.engine import pacing
from tests.acceptance.project import Project
from tests.support.sessions import Session, wait_for

from .base import NOTE, Executor, Start

FAST = f"""{NOTE}
    import time

    @sweep(grid={{"n": list(range(20))}})
    def train(n):
        note(f"{{n}}:{{os.getpid()}}")
        if n != 1 and IN_WORKER:
            time.sleep(600 if n == 0 else 2)
        while n == 1 and IN_WORKER and "0:" not in Path(__file__).with_name("notes").read_text():
            time.sleep(0.02)
        assert n != 1
"""

SLOW = f"""{NOTE}
    import subprocess, sys, time

    @sweep(grid={{"n": [0, 1, 2, 3]}})
    def train(n):
        if n < 2:
            return
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        note(f"{{os.getpid()}} {{child.pid}}")
        time.sleep(600)
"""
ENDING_SECONDS = 15


def left_of(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Return those that have not ended in time."""
    return list(psutil.wait_procs(processes, timeout=ENDING_SECONDS)[1])


def noted_processes(session: Session) -> list[psutil.Process]:
    """Return the processes whose numbers the session's trials have noted, by the trial: its own, and the one that it has started."""
    return [psutil.Process(int(pid)) for pid in (session.folder / "notes").read_text().split()]


class Stopping(Executor):
    """The promises of ending early.

    Attributes:
        after_x: the states of the twenty trials that -x was used with.
        session_options: arguments beside the executor's, of sessions that are interrupted or killed.
        session_environ: likewise environment variables.
        death: what is said of a trial that killed its process.
    """

    after_x: ClassVar = ["INTERRUPTED", "ERROR", *["NOT_RUN"] * 18]
    session_options: ClassVar[tuple[str, ...]] = ()
    session_environ: ClassVar[dict[str, str]] = {}
    death: ClassVar = ""

    def test_x(self, project: Project) -> None:
        """After the first failure -x starts nothing, and cuts off what runs elsewhere: that is INTERRUPTED, the rest NOT_RUN."""
        project.write(FAST)
        began = time.monotonic()
        done = self.run(project, "-x", at_once=2)
        assert time.monotonic() - began < 60
        assert done.status == pytest.ExitCode.TESTS_FAILED
        assert "stopping after 1 failures" in done.text
        states = done.states()
        # A worker may have begun one more when the failure arrives.
        assert [*states[:2], *("NOT_RUN" if state == "INTERRUPTED" else state for state in states[2:])] == self.after_x
        assert states[2:].count("INTERRUPTED") <= 2
        assert 2 <= len(done.notes) <= (4 if self.hosted else 2)
        pids = [int(note.partition(":")[2]) for note in done.notes]
        assert not self.hosted or left_of([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]) == []

    def test_maxfail(self, project: Project) -> None:
        """--maxfail=2 ends the session at the second failure; what runs then is cut off, and what had ended by then is kept."""
        project.write(
            "import time\n@sweep(grid={'n': [1, 2, 3, 4, 5]})\ndef train(n):\n    if n > 3: time.sleep(600)\n    assert n == 2\n"
        )
        done = self.run(project, "--maxfail=2")
        assert done.status == pytest.ExitCode.TESTS_FAILED
        assert (done.outcomes["passed"], done.outcomes["failed"]) == (1, 2)
        assert done.states()[:3] == ["ERROR", "TERMINATED", "ERROR"]
        assert set(done.states()[3:]) <= {"INTERRUPTED", "NOT_RUN"}

    def test_a_sweep_that_is_given_up(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a sweep that only fails nothing begins any more when it is given up, not even what a worker had been handed by then."""
        monkeypatch.setattr(pacing, "CALL_SECONDS", 60.0)  # As many in a call as may be, however slow the machine is.
        project.write(
            """
            from pathlib import Path

            FAILED = []

            def pytest_sweep_trial_finish(trial):
                FAILED.append(trial)
                if len(FAILED) == 8:
                    Path("given_up").touch()
            """,
            "conftest.py",
        )
        project.write(
            f"""{NOTE}
    import time

    from pytest_sweep.worker import hosted

    HERE = Path(__file__).parent
    if IN_WORKER:
        hosted.PATIENCE_SECONDS = 600.0  # Else a worker gives back by itself what waits behind a trial that takes long.

    @sweep(grid={{"n": list(range(40))}})
    def train(n):
        note("late" if (HERE / "given_up").exists() else "early")
        if n > 1 and IN_WORKER and not (HERE / "held").exists():
            (HERE / "held").touch()
            limit = time.monotonic() + 30
            # The first trial of a call; those behind it wait until the other worker has failed often enough.
            while not (HERE / "given_up").exists() and time.monotonic() < limit:
                time.sleep(0.01)
            time.sleep(0.4)
        assert False
"""
        )
        done = self.run(project, "--sweep-abort-after=8", at_once=2)
        states = done.states()
        assert "late" not in done.notes
        assert states.count("ERROR") == len(done.notes) <= 9
        assert states.count("NOT_RUN") == 40 - len(done.notes)

    def test_x_at_an_ordinary_test(self, project: Project) -> None:
        """-x at an ordinary test ends the session before the first trial; nothing is stored."""
        project.write(
            f"{NOTE}\n    @sweep(grid={{'n': [1]}})\n    def train(n): note('ran')\n\n    def test_fails(): assert 0\n"
        )
        done = self.run(project, "-x")
        assert done.outcomes == {"failed": 1}
        assert done.notes == []
        assert project.runs() == []

    def test_end_in_restart(self, project: Project) -> None:
        """A run whose last trial ends while another worker is replaced by a fresh process ends, too."""
        project.write(
            """
            import time
            from pathlib import Path

            def pytest_sweep_trial_finish(trial):
                Path("ended", trial.name).touch()

            @pytest.fixture(scope="session")
            def ran(request):
                names = []
                yield names
                limit = time.monotonic() + 20
                # The worker of the first trial is still busy with its end when the last one has ended elsewhere.
                while "workerinput" in dir(request.config) and names == [0] and time.monotonic() < limit:
                    if Path("ended/train[n=2]").exists():
                        limit = min(limit, time.monotonic() + 0.5)
                    time.sleep(0.05)
            """,
            "conftest.py",
        )
        (project.path / "ended").mkdir()
        project.write(
            "@sweep(grid={'n': [0, 1, 2]}, fresh_process=True)\ndef train(n, ran):\n    ran.append(n)\n"
            if self.hosted
            else "@sweep(grid={'n': [0, 1, 2]})\ndef train(n, ran):\n    ran.append(n)\n"
        )
        done = self.run(project, at_once=2)
        assert (done.status, done.outcomes) == (0, {"passed": 3})

    def test_exit(self, project: Project) -> None:
        """pytest.exit() in a trial ends the session with its status; what had ended is kept, it is INTERRUPTED, the rest NOT_RUN."""
        project.write(
            "@sweep(grid={'n': [1, 2, 3]})\ndef train(n):\n    if n == 2:\n        pytest.exit('enough', 7)\n"
        )
        done = self.run(project)
        assert done.status == 7
        assert "enough" in done.text
        assert done.states() == ["TERMINATED", "INTERRUPTED", "NOT_RUN"]

    def _slow(self, project: Project, start: Start) -> Session:
        """Return a session two of whose trials have passed, while one runs, with a process that it has started."""
        project.write(SLOW)
        session = start(*self.options()[1:], *self.session_options, "-v", **self.session_environ)
        wait_for(lambda: len(session.finished()) == 2, "two finished trials")
        wait_for(lambda: (session.folder / "notes").exists() and len(noted_processes(session)) == 2, "the third trial")
        return session

    def test_interrupt(self, project: Project, start: Start) -> None:
        """Ctrl-C ends the session at once with status 2 and the tables; no process is left, of those either that trials started."""
        session = self._slow(project, start)
        family = [*session.family(), *noted_processes(session)]
        began = time.monotonic()
        session.interrupt()
        assert session.wait() == pytest.ExitCode.INTERRUPTED
        assert time.monotonic() - began < 2 * ENDING_SECONDS
        assert left_of(family) == []
        assert "== Status ==" in session.output
        states = [str(result.state) for result in session.results()["train"]]
        assert states[:2] == ["TERMINATED", "TERMINATED"]
        assert states[2:] == ["INTERRUPTED", "NOT_RUN"]

    def test_killed_driver(self, project: Project, start: Start) -> None:
        """After kill -9 of the driver what -v had shown is stored, and the processes of the trials end within seconds."""
        session = self._slow(project, start)
        mortal = self.mortal(session)
        session.process.kill()
        session.wait()
        assert left_of(mortal) == []
        stored = [result.name for result in session.results()["train"] if str(result.state) == "TERMINATED"]
        assert stored == session.finished() == ["train[n=0]", "train[n=1]"]

    def mortal(self, session: Session) -> list[psutil.Process]:
        """Return the processes of a session that have to end with it."""
        return [*session.family(), *noted_processes(session)]

    def test_a_trial_kills_its_process(self, project: Project) -> None:
        """The trial fails, and says how its process ended as far as is known; the others run."""
        project.write(
            f"{NOTE}\n    @sweep(grid={{'n': [1, 2, 3]}})\n    def train(n):\n        if n == 2: os.kill(os.getpid(), 9)\n"
        )
        done = self.run(project)
        # It may have been tried once more, alone: nobody knew of which trial the process had died.
        assert (done.outcomes["passed"], done.outcomes["failed"]) == (2, 1)
        assert done.states() == ["TERMINATED", "ERROR", "TERMINATED"]
        assert f"the worker died while it ran the trial: {self.death}" in str(done.grid()[1].error)
        assert f"the worker died while it ran the trial: {self.death}" in done.text


class StoppingInline(Stopping):
    """What is different in the session's own process."""

    after_x: ClassVar = ["TERMINATED", "ERROR", *["NOT_RUN"] * 18]

    def mortal(self, session: Session) -> list[psutil.Process]:  # noqa: ARG002
        """Return none but the session itself: what a trial started may live on."""
        return []

    def test_killed_driver(self, project: Project, start: Start) -> None:
        """After kill -9 of the driver what -v had shown is stored; the trial dies with it."""
        super().test_killed_driver(project, start)

    def test_a_trial_kills_its_process(self, project: Project, start: Start) -> None:  # type: ignore[override]
        """The session dies with the trial's signal; what had ended before is stored."""
        project.write(
            f"{NOTE}\n    @sweep(grid={{'n': [1, 2, 3]}})\n    def train(n):\n        if n == 2: os.kill(os.getpid(), 9)\n"
        )
        session = start(*self.options()[1:], "-v")
        assert session.wait() == -9
        assert str(session.results()["train"][0].state) == "TERMINATED"
        assert session.finished() == ["train[n=1]"]
