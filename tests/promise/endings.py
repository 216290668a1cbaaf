"""What is kept of a trial that was cut off, or whose process has died, and what one bad value or one hook does to the others."""

from __future__ import annotations

import os
import shlex
import signal
import xml.etree.ElementTree as ET
from typing import ClassVar

import pytest

from pytest_sweep import Result
from pytest_sweep.errors import StoreError
from tests.acceptance.project import Project
from tests.support.sessions import Session, wait_for

from .base import NOTE, Executor, Start

CRASH = """
    import os, signal, time

    @sweep(grid={"pause": [0.0, 0.01, 0.05]}, metric="i", mode="max", worker_retries=0)
    def train(pause, trial):
        for i in range(31):
            trial.report({"i": i})
            time.sleep(pause if i < 30 else 0)
        os.kill(os.getpid(), signal.SIGSEGV)
"""

KILLED = """
    import logging, os, signal, sys, time

    @pytest.fixture
    def model():
        print("in setup")

    @sweep(grid={"how": ["timeout", "kill", "segv", "exit"]}, metric="loss", mode="min", timeout=LIMIT, worker_retries=0)
    def train(how, trial, model):
        print("on stdout")
        print("on stderr", file=sys.stderr)
        os.write(1, b"past Python\\n")
        logging.getLogger("mine").warning("in the log")
        for i in range(3):
            trial.report({"loss": 1 / (i + 1)})
        if how == "timeout": time.sleep(600)
        if how == "kill": os.kill(os.getpid(), signal.SIGKILL)
        if how == "segv": os.kill(os.getpid(), signal.SIGSEGV)
        os._exit(3)
"""

PRINTED = {
    "Captured stdout setup": ["in setup"],
    "Captured stdout call": ["on stdout", "past Python"],
    "Captured stderr call": ["on stderr"],
    "Captured log call": ["in the log"],
}

RETRIED = """
    import os, signal

    @sweep(grid={"n": [1]}, metric="loss", mode="min", worker_retries=1)
    def train(n, trial):
        print(f"attempt {trial.attempt}")
        trial.report({"loss": float(trial.attempt)})
        if trial.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
"""

ENDLESS = f"""{NOTE}
    import time

    @sweep(grid={{"n": [0, 1, 2]}}, metric="i", mode="max")
    def train(n, trial):
        print(f"starting {{n}}")
        if n == 0:
            return {{"i": 0}}
        for i in range(10_000):
            trial.report({{"i": i}})
            if i == 20:
                note("begun")
            time.sleep(0.02)
"""

SAVING = f"""{NOTE}
    import time

    @sweep(grid={{"n": [0, 1, 2]}}, metric="i", mode="max", keep_checkpoints=1)
    def train(n, trial, tmp_path):
        begin = int((trial.checkpoint / "i").read_text()) + 1 if trial.checkpoint else 0
        for i in range(begin, 20):
            (tmp_path / "i").write_text(str(i))
            trial.report({{"i": i}}, checkpoint=tmp_path / "i" if i in (5, 10) else None)
            if i == 15 and "HANG" in os.environ and str(n) == os.environ["HANG"]:
                note("begun")
                time.sleep(600)
        note(f"{{n}} from {{begin}}")
"""

FLOOD = """
    import time
    from pathlib import Path

    @sweep(grid={"n": [0]}, metric="i", mode="max", timeout="2m")
    def floods(n, trial):
        while not Path(__file__).with_name("ended").exists():
            for i in range(1000):
                trial.report({"i": i})

    @sweep(grid={"n": [0, 1, 2]}, timeout="4s")
    def sleeps(n):
        time.sleep(2)

    @sweep(grid={"n": [0]}, timeout="4s")
    def hangs(n):
        time.sleep(600)
"""

FLOOD_ENDS = """
    from pathlib import Path

    def pytest_sweep_trial_finish(trial, result):
        if trial.name.startswith("hangs"):
            Path(__file__).with_name("ended").touch()
"""

HOOK = """
    import os, sys

    class Broken(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    def end(how):
        if how == "exit": pytest.exit("seen enough", returncode=7)
        if how == "fail": pytest.fail("a bad metric")
        if how == "skip": pytest.skip("no tracker here")
        if how == "sysexit": sys.exit(3)
        if how == "broken": raise Broken
        if how == "long": raise ValueError("x" * 30_000_000)

    def HOOK(trial):
        if trial.config["x"] == 1:
            end("HOW")
"""

HOOKED = """
    @sweep(grid={"x": range(4)})
    def train(x):
        report({"a": x})
"""

BAD = """
    import math

    NAMES = {
        "control": "a\\x00b\\x1b[31m\\x07", "surrogate": "\\ud800x", "empty": "", "lines": "a\\nb", "xml": "<&\\">]]>", "none": "\\uffff",
    }

    class Broken(Exception):
        def __str__(self):
            raise SystemExit(3)

    @sweep(grid={"name": list(NAMES)})
    def names(name, trial, record_property):
        trial.report({NAMES[name]: 1.0})
        record_property(f"own {NAMES[name]}", NAMES[name])

    def nested(levels):
        value = 1
        for _ in range(levels):
            value = {"a": value}
        return value

    @sweep(grid={"levels": [50, 100_000]})
    def deep(levels, trial):
        trial.report({"m": nested(levels)})

    @sweep(grid={"value": [math.nan, math.inf, [math.nan]]})
    def values(value):
        return {"m": value}

    @sweep(grid={"how": ["long", "lines", "chain", "note", "control", "surrogate", "broken", "skip"]})
    def errors(how):
        if how == "long": raise ValueError("x" * 30_000_000)
        if how == "lines": raise ValueError("line\\n" * 200_000)
        if how == "chain":
            try:
                raise ValueError("y" * 3_000_000)
            except ValueError as error:
                raise KeyError("z" * 3_000_000) from error
        if how == "note":
            error = ValueError("small")
            error.add_note("n" * 3_000_000)
            raise error
        if how == "control": raise ValueError("a\\x00b\\x1b[31m\\x07 ]]> \\ufffe")
        if how == "surrogate": raise ValueError("\\ud800")
        if how == "broken": raise Broken
        pytest.skip("s\\x00\\ud800" * 100_000)
"""
"""Notes of exceptions came with Python 3.11: where there are none, the trial fails with an AttributeError."""


FORKS = """
    import multiprocessing, os, sys

    def child(metrics):
        try:
            report(metrics)
        except Exception as error:
            assert str(error).startswith("no trial is running in this process"), error
            os._exit(5)

    @sweep(grid={"how": ["fork", "spawn", "returns", "raises", "exits", "yields"]}, metric="own", mode="max")
    def train(how, trial):
        report({"own": 0})
        if how in ("fork", "spawn"):
            process = multiprocessing.get_context(how).Process(target=child, args=({"own": 5},))
            process.start()
            process.join()
            assert process.exitcode == 5
        else:
            pid = os.fork()
            if not pid:
                if how == "returns": return {"own": 5}
                if how == "raises": raise ValueError("in the child")
                if how == "exits": sys.exit(3)
                child({"own": 5})
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            assert code == {"returns": 0, "raises": 1, "exits": 3, "yields": 5}[how]
        report({"own": 1})

    @sweep(grid={"n": [1, 2]})
    def after(n): ...
"""


class Endings(Executor):
    """The promises that hold on every executor."""

    def test_interrupt(self, project: Project, start: Start) -> None:
        """A trial that Ctrl-C cuts off is INTERRUPTED, with its last metrics and its output; what never began is NOT_RUN."""
        project.write(ENDLESS)
        session = start(*self.options()[1:], "-v", "--junitxml=it's.xml", *self.session_options, **self.session_environ)
        self.wait_for_reports(session)
        session.interrupt()
        assert session.wait() == pytest.ExitCode.INTERRUPTED
        first, second, third = session.results()["train"]
        assert [str(first.state), str(second.state), str(third.state)] == ["TERMINATED", "INTERRUPTED", "NOT_RUN"]
        history = second.metrics_history
        assert second.metrics is not None
        assert second.metrics == history[-1]
        assert [report["i"] for report in history] == list(range(len(history)))
        assert (second.attempts, third.attempts, third.metrics) == (1, 0, None)
        (attempt,) = second.attempt_history
        assert attempt.state == "INTERRUPTED"
        assert "starting 1" in (attempt.output or "")
        assert attempt.duration is not None
        assert attempt.duration > 0
        assert "(1 TERMINATED, 1 INTERRUPTED, 1 NOT_RUN)" in session.output
        assert "1 trial was cut off: interrupted" in session.output
        assert "starting 1" in session.output
        self.check_command(session.output, ["-v", "--junitxml=it's.xml"])
        cases = {case.attrib["name"]: case for case in ET.parse(project.path / "it's.xml").iter("testcase")}
        skipped = cases["train[n=1]"].find("skipped")
        assert skipped is not None
        assert skipped.attrib["message"] == "cut off"
        assert "train[n=1] INTERRUPTED (cut off)" in session.output
        values = {it.attrib["name"]: it.attrib["value"] for it in cases["train[n=1]"].iter("property")}
        assert (values["sweep.state"], values["metric.i"]) == ("INTERRUPTED", str(second.metrics["i"]))

    session_options: ClassVar[tuple[str, ...]] = ()
    session_environ: ClassVar[dict[str, str]] = {}

    def wait_for_reports(self, session: Session) -> None:
        """Wait until the second trial has reported several times; where it runs elsewhere, until that is stored."""
        wait_for(lambda: len(session.finished()) == 1, "the first trial")
        wait_for((session.folder / "notes").exists, "the reports of the second trial")
        if self.hosted:
            wait_for(lambda: session.results()["train"][1].metrics_history, "its first report in the store")

    def check_command(self, text: str, own: list[str]) -> None:
        """Find the command that continues, with the user's arguments as they were."""
        (line,) = [line for line in text.splitlines() if line.startswith("To continue: ")]
        words = shlex.split(line.removeprefix("To continue: "))
        assert words[:3] == ["python", "-m", "pytest"]
        assert words[3] == "--sweep"
        assert words[4].startswith("--sweep-resume=")
        assert [word for word in words if word in own] == own

    @pytest.mark.parametrize("hangs", [0, 1])
    def test_the_session_is_killed(self, project: Project, start: Start, hangs: int) -> None:
        """After kill -9 of the session the running trial is INTERRUPTED, with its reports and checkpoints; a resumed run goes on from them.

        So it is in the first trial of a session.
        """
        project.write(SAVING)
        environ = {**self.session_environ, "HANG": str(hangs)}
        session = start(*self.options()[1:], *self.session_options, **environ)
        wait_for(lambda: "begun" in self.noted(project), "the reports of the trial")
        if self.hosted:
            wait_for(lambda: self.stored(session, hangs) == 16, "its reports in the store")
        os.kill(session.process.pid, signal.SIGKILL)
        session.process.wait(30)
        session.close()
        before = session.results()["train"]
        assert [str(result.state) for result in before] == ["TERMINATED"] * hangs + ["INTERRUPTED"] + ["NOT_RUN"] * (
            2 - hangs
        )
        result = before[hangs]
        assert [report["i"] for report in result.metrics_history] == list(range(16))
        assert (result.attempts, result.metrics) == (1, result.metrics_history[-1])
        assert [attempt.state for attempt in result.attempt_history] == ["INTERRUPTED"]
        done = self.run(project, "--sweep-resume")
        assert done.status == 0
        assert f"{hangs} from 11" in self.noted(project).splitlines()
        (interrupted,) = [result for result in done.grid() if result.attempts == 2]
        assert [report["i"] for report in interrupted.metrics_history] == list(range(20))

    def stored(self, session: Session, trial: int) -> int:
        """Return how many reports of a trial are stored; the database may not be there yet."""
        try:
            return len(session.results()["train"][trial].metrics_history)
        except StoreError:
            return 0

    def noted(self, project: Project) -> str:
        """Return what the trials have noted so far."""
        notes = project.path / "notes"
        return notes.read_text() if notes.exists() else ""

    @pytest.mark.parametrize(
        "hook", ["pytest_sweep_trial_start", "pytest_sweep_trial_report", "pytest_sweep_trial_finish"]
    )
    def test_exit_in_a_hook(self, project: Project, hook: str) -> None:
        """pytest.exit in a hook ends the session with its status, and the table is printed."""
        project.write(HOOK.replace("HOOK", hook).replace("HOW", "exit"), "conftest.py")
        project.write(HOOKED)
        done = self.run(project)
        assert done.status == 7
        assert "seen enough" in done.text
        assert done.text.count("== Status ==") == 1
        assert done.states()[3] == "NOT_RUN"
        assert "To continue: pytest --sweep" in done.text

    @pytest.mark.parametrize("hook", ["pytest_sweep_trial_setup", "pytest_sweep_trial_teardown"])
    def test_exit_in_a_hook_of_the_worker(self, project: Project, hook: str) -> None:
        """So it does where the hook is called beside the trial."""
        project.write(HOOK.replace("HOOK", hook).replace("HOW", "exit"), "conftest.py")
        project.write(HOOKED)
        done = self.run(project)
        assert done.status == 7
        assert done.text.count("== Status ==") == 1
        assert done.states() == ["TERMINATED", "INTERRUPTED", "NOT_RUN", "NOT_RUN"]

    @pytest.mark.parametrize("how", ["fail", "skip", "sysexit", "broken", "long"])
    def test_other_ends_of_a_hook(self, project: Project, how: str) -> None:
        """Everything else that a hook raises is a warning: all trials run, and the table is printed."""
        hooks = ("pytest_sweep_trial_report", "pytest_sweep_trial_setup")
        project.write("".join(HOOK.replace("HOOK", hook).replace("HOW", how) for hook in hooks), "conftest.py")
        project.write(HOOKED)
        done = self.run(project)
        assert (done.status, done.outcomes) == (0, {"passed": 4})
        for hook in hooks:
            assert f"warning: {hook} of" in done.text
        assert len(done.text) < 100_000

    def test_forks(self, project: Project) -> None:
        """A forked child cannot report, and ends where it leaves the body: neither session nor worker goes on in it.

        From Python 3.12 on a fork warns in a process with threads, such as the one that sends reports.
        """
        project.write(FORKS)
        done = self.run(project)
        assert (done.status, {**done.outcomes, "warnings": 0}) == (0, {"passed": 8, "warnings": 0})
        for result in done.grid():
            assert [report["own"] for report in result.metrics_history] == [0, 1]

    def test_bad_values(self, project: Project) -> None:
        """Names, values and errors of any kind: each trial has its own outcome, and what is written can be parsed."""
        project.write(BAD)
        done = self.run(project, "--junitxml=junit.xml", "-q")
        assert "INTERNALERROR" not in done.text
        assert done.status == pytest.ExitCode.TESTS_FAILED
        assert done.states("names") == ["TERMINATED"] * 6
        assert done.states("deep") == ["TERMINATED", "ERROR"]
        assert done.states("values") == ["TERMINATED"] * 3
        assert done.states("errors") == [*["ERROR"] * 7, "SKIPPED"]
        metrics = [result.metrics for result in done.grid("names")]
        assert [next(name for name in found if name not in _AUTO) for found in metrics if found is not None] == [
            "a\x00b\x1b[31m\x07", "\ud800x", "", "a\nb", '<&">]]>', "\uffff",
        ]  # fmt: skip
        long = done.grid("errors")[0].error
        assert long is not None
        assert "characters are cut here" in long
        assert long.splitlines()[-1].startswith("ValueError: xxxxx")
        assert len(long) < 1_000_000
        tree = ET.parse(project.path / "junit.xml")
        assert len(list(tree.iter("testcase"))) == 19
        assert (project.path / "junit.xml").stat().st_size < 10_000_000
        assert len(done.text) < 10_000_000


_AUTO = ("training_iteration", "time_total_s", "time_this_iter_s", "timestamp")


class HostedEndings(Endings):
    """The promises that hold where the process of a trial may die without the session.

    Attributes:
        limit: a timeout that the trials reach in time that end by themselves.
    """

    limit: ClassVar = 3

    def test_a_trial_that_reports_without_a_pause(self, project: Project) -> None:
        """A trial that says more than the driver can take is slowed down: others are ended at their timeout, and none before it."""
        project.write(FLOOD_ENDS, "conftest.py")
        project.write(FLOOD)
        done = self.run(project, at_once=2)
        (hangs,) = done.grid("hangs")
        assert str(hangs.state) == "ERROR"
        assert hangs.duration is not None
        assert 4 <= hangs.duration < 15
        assert done.states("sleeps") == ["TERMINATED"] * 3
        assert done.states("floods") == ["TERMINATED"]

    def test_reports_before_a_crash(self, project: Project) -> None:
        """Each report that report() has returned from survives the death of the process."""
        project.write(CRASH)
        done = self.run(project, at_once=2)
        for result in done.grid():
            assert [report["i"] for report in result.metrics_history] == list(range(31))
            assert [report["training_iteration"] for report in result.metrics_history] == list(range(1, 32))
            assert result.metrics is not None
            assert result.metrics["i"] == 30
        self.check_left_nothing(project)

    def test_what_is_kept(self, project: Project) -> None:
        """A trial that was ended has its last metrics and its output, on the terminal and stored."""
        project.write(KILLED.replace("LIMIT", str(self.limit)))
        done = self.run(project, "--junitxml=junit.xml", at_once=2)
        grid = done.grid()
        for result in grid:
            self.check_kept(result)
        assert list(grid.get_dataframe()["loss"]) == [1 / 3] * 4
        for title, lines in PRINTED.items():
            assert done.text.count(title) == 4
            for line in lines:
                assert done.text.count(line) >= 4
        cases = list(ET.parse(project.path / "junit.xml").iter("testcase"))
        assert len(cases) == 4
        for case in cases:
            values = {it.attrib["name"]: it.attrib["value"] for it in case.iter("property")}
            assert values["metric.training_iteration"] == "3"
        self.check_left_nothing(project)

    def check_kept(self, result: Result) -> None:
        """Find the metrics and the output of a trial that was killed."""
        assert result.metrics is not None
        assert (result.metrics["loss"], result.metrics["training_iteration"]) == (1 / 3, 3)
        output = result.attempt_history[-1].output or ""
        for title, lines in PRINTED.items():
            assert f"--- {title} ---" in output
            for line in lines:
                assert line in output
        assert "Captured stdout teardown" not in output

    @pytest.mark.parametrize("capture", ["sys", "tee-sys"])
    def test_other_captures(self, project: Project, capture: str) -> None:
        """Output is kept whichever way pytest captures it."""
        source = KILLED.replace("LIMIT", "60").replace('["timeout", "kill", "segv", "exit"]', '["kill"]')
        project.write(source)
        (result,) = self.run(project, f"--capture={capture}").grid()
        output = result.attempt_history[-1].output or ""
        for line in ("in setup", "on stdout", "on stderr", "in the log"):
            assert line in output

    def test_an_attempt_that_is_tried_again(self, project: Project) -> None:
        """What an attempt had printed before its process died is stored with it; the next one has its own output and metrics."""
        project.write(RETRIED)
        (result,) = self.run(project).grid()
        assert (str(result.state), result.attempts) == ("TERMINATED", 2)
        assert result.metrics is not None
        assert result.metrics["loss"] == 2.0
        first, second = (attempt.output or "" for attempt in result.attempt_history)
        assert "attempt 1" in first
        assert "attempt 1" not in second

    def test_a_budget(self, project: Project) -> None:
        """A trial that the end of the budget cuts off is INTERRUPTED, and keeps what it reported and printed."""
        project.write(ENDLESS)
        for budget in (
            4,
            8,
            16,
            32,
            64,
        ):  # Processes start as fast as they can: the first budget that is long enough counts.
            done = self.run(project, f"--sweep-budget={budget}s", "--sweep-grace=0")
            assert done.status == 6
            states = done.states()
            if "INTERRUPTED" in states and done.notes:
                break
        assert "INTERRUPTED" in states
        assert set(states) <= {"TERMINATED", "INTERRUPTED", "NOT_RUN"}
        result = done.grid()[states.index("INTERRUPTED")]
        assert result.metrics is not None
        assert result.metrics == result.metrics_history[-1]
        assert "starting" in (result.attempt_history[-1].output or "")
        assert "To continue: pytest --sweep" in done.text

    def test_killed_session(self, project: Project, start: Start) -> None:
        """What ran when the session was killed is INTERRUPTED for who reads it later, with its metrics; the rest is NOT_RUN."""
        project.write(ENDLESS)
        session = start(*self.options()[1:], "-v", *self.session_options, **self.session_environ)
        self.wait_for_reports(session)
        running = session.results()["train"]
        assert [str(result.state) for result in running] == ["TERMINATED", "RUNNING", "PENDING"]
        session.process.kill()
        session.wait()
        first, second, third = session.results()["train"]
        assert [str(first.state), str(second.state), str(third.state)] == ["TERMINATED", "INTERRUPTED", "NOT_RUN"]
        assert second.metrics is not None
        assert second.metrics == second.metrics_history[-1]
        assert [attempt.state for attempt in second.attempt_history] == ["INTERRUPTED"]
        assert not second.state.is_finished

    def check_left_nothing(self, project: Project) -> None:
        """Find no file that was kept for the death of a process."""
        # Not in the folders of other tests, some of which kill a driver.
        folders = [*project.path.rglob("*.lastwords")]
        assert folders == []
