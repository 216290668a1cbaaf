"""What a test that names sweep_results judges: this session's results first; and what the session says of it."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.sessions import Session, wait_for

from .project import Project, output

GATE = """
    import os

    @sweep(grid={"lr": [0.1, 0.2]}, metric="score", mode="max", repeats=2, tolerate=4)
    def train(lr, trial, request):
        if "WAIT" in os.environ:
            import time
            from pathlib import Path
            Path(os.environ["WAIT"] + ".waits").touch()
            while not Path(os.environ["WAIT"]).exists():
                time.sleep(0.05)
        score = float(os.environ["SCORE"]) + lr
        how = os.environ.get("HOW")
        if lr == 0.2 and how == "xfail":
            request.applymarker(pytest.mark.xfail)
            trial.report({"score": 100 * score})
            assert False
        if lr == 0.2 and how == "error":
            trial.report({"score": 100 * score})
            raise ValueError("it broke")
        return {"score": score}

    def test_gate(sweep_results):
        scores = {result.metrics["score"] for result in sweep_results["train"] if str(result.state) == "TERMINATED"}
        wanted = [0.1] if os.environ.get("HOW") else [0.1, 0.2]
        assert scores == {float(os.environ["SCORE"]) + lr for lr in wanted}
"""
ALONE_GATE = GATE.replace(", repeats=2, tolerate=4", ", tolerate=2")
"""The same without replicates."""

INLINE = "--sweep-executor=inline"
ALONE = ("-p", "no:asyncio")
"""Without a plugin that adds an automatic fixture to all trials, which counts as code."""


def judged(text: str) -> list[str]:
    """Return what a session says of the results that were judged."""
    return [line for line in text.splitlines() if line.startswith("judged: ")]


def run_of(text: str) -> str:
    """Return the name of a session's own run."""
    found = re.search(r"^Results: .*/([^/\n]+)$", text, re.MULTILINE)
    assert found is not None, text
    return found[1]


class TestTwoSessions:
    """Sessions in one folder, at once or one after another, wherever their clocks are."""

    @pytest.mark.parametrize("how", ["", "xfail", "error"])
    @pytest.mark.parametrize("replicates", [1, 2])
    @pytest.mark.parametrize("executor", ["inline", "processes"])
    def test_at_once_in_tokyo_and_utc(self, project: Project, executor: str, replicates: int, how: str) -> None:
        """Each gate judges its own run and says so: that which began first and ends last, and the other one."""
        project.write(GATE if replicates == 2 else ALONE_GATE)
        go = project.path / "go"
        arguments = ("-q", *ALONE, f"--sweep-executor={executor}")
        first = Session(project.path, *arguments, TZ="UTC", SCORE="1.0", WAIT=str(go), HOW=how)
        try:
            wait_for(Path(f"{go}.waits").exists, "the first session's trials")
            early = project.path / "output.txt"
            early.rename(project.path / "first.txt")
            second = Session(project.path, *arguments, TZ="Asia/Tokyo", SCORE="2.0", HOW=how)
            try:
                status = second.wait()
                text = second.output
            finally:
                second.close()
            assert status == 0, text
            go.touch()
            assert first.wait() == 0, (project.path / "first.txt").read_text()
            firsts = (project.path / "first.txt").read_text()
        finally:
            first.close()
        assert run_of(firsts) != run_of(text)
        for said in (firsts, text):
            assert judged(said) == [f"judged: train: {2 * replicates} results of this run, {run_of(said)}"]

    @pytest.mark.parametrize("replicates", [1, 2])
    def test_first_in_tokyo_then_in_utc(
        self, project: Project, monkeypatch: pytest.MonkeyPatch, replicates: int
    ) -> None:
        """A later session in a zone whose clocks are behind judges its own results."""
        project.write(GATE if replicates == 2 else ALONE_GATE)
        for zone, score in (("Asia/Tokyo", "1.0"), ("UTC", "0.1"), ("America/Los_Angeles", "0.2")):
            with monkeypatch.context() as patch:
                patch.setenv("TZ", zone)
                patch.setenv("SCORE", score)
                time.tzset()
                result = project.sweep(*ALONE)
            time.tzset()
            result.assert_outcomes(passed=2 * replicates + 1)
            said = output(result)
            assert judged(said) == [f"judged: train: {2 * replicates} results of this run, {run_of(said)}"]


class TestOlderResults:
    @pytest.fixture
    def ran(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
        """The project, with a run."""
        project.write(GATE)
        monkeypatch.setenv("SCORE", "1.0")
        project.sweep(*ALONE).assert_outcomes(passed=5)
        return project

    def gate(self, project: Project, *arguments: str) -> str:
        """Run the gate alone; return what is said of its results."""
        result = project.sweep("-k", "test_gate and not train", *ALONE, *arguments)
        result.assert_outcomes(passed=1, deselected=4)
        (line,) = judged(output(result))
        return line

    def test_which_run_and_how_old(self, ran: Project) -> None:
        """A gate that is run alone says whose results it judges, how old they are, and that nothing differs."""
        line = self.gate(ran)
        name = ran.runs()[0].name
        assert re.fullmatch(
            rf"judged: train: 4 results of an earlier run, {name}, \d+ s old: same code, seed and packages", line
        )
        assert len(ran.runs()) == 1

    @pytest.mark.parametrize("quiet", ["-q", "-qq", "--color=yes"])
    def test_also_where_little_is_written(self, ran: Project, quiet: str) -> None:
        """It is said with -q and -qq, too."""
        result = ran.sweep("-k", "test_gate and not train", *ALONE, quiet)
        assert "judged: train: 4 results of an earlier run" in output(result)

    def test_other_code(self, ran: Project) -> None:
        """After an edit it says that the code differs."""
        source = (ran.path / "test_models.py").read_text()
        (ran.path / "test_models.py").write_text(source.replace("+ lr\n", "+ 1 * lr\n"))
        assert self.gate(ran).endswith(" old: other code (test_models.py::train has changed)")

    def test_other_seed(self, ran: Project) -> None:
        """With another seed it says so."""
        assert self.gate(ran, "--sweep-seed=7").endswith(" old: other seed (0, now 7)")

    def test_other_packages(self, ran: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """After packages were installed, upgraded or removed, it says which."""
        site = ran.path / "site"
        (site / "some_package-2.0.dist-info").mkdir(parents=True)
        monkeypatch.syspath_prepend(str(site))
        assert self.gate(ran).endswith(" old: other packages (some-package not installed, now 2.0)")

    def test_a_run_in_the_future(self, ran: Project) -> None:
        """A run that began in the future, because a clock was wrong, counts as the newest; gates and resumed sessions say so."""
        with closing(sqlite3.connect(ran.runs()[0] / "run.db")) as connection, connection:
            connection.execute("UPDATE run SET started = ?", (time.time() + 7500,))
        future = (
            "by this clock it begins in 2 h, so that it counts as the newest: a clock was set wrongly, here or there"
        )
        assert self.gate(ran).endswith(f": {future}")
        resumed = ran.sweep("--sweep-resume", *ALONE)
        assert f"the run {ran.runs()[0].name}: {future}" in output(resumed)

    def test_a_part_is_of_this_session(self, ran: Project) -> None:
        """Where some trials were not selected, it says how many results are of which run."""
        result = ran.sweep("-k", "test_gate or lr=0.1", *ALONE)
        lines = judged(output(result))
        assert lines[0] == f"judged: train: 2 of 4 results of this run, {run_of(output(result))}"
        assert re.match(r"judged: train: 2 of 4 results of an earlier run, \S+, \d+ s old: same code", lines[1])

    def test_what_is_cached_is_old(self, ran: Project) -> None:
        """Results that were taken from an earlier run are that run's, also after they were taken once more."""
        name = ran.runs()[0].name
        for _ in range(2):
            result = ran.sweep("--sweep-resume", *ALONE)
            (line,) = judged(output(result))
            assert line.startswith(f"judged: train: 4 results of an earlier run, {name}, ")

    def test_what_is_not_looked_up(self, ran: Project) -> None:
        """Of sweeps that no test looks up nothing is said."""
        ran.write("def test_nothing(sweep_results):\n    assert len(sweep_results) == 1\n", "test_other.py")
        assert judged(output(ran.sweep("-k", "test_nothing", *ALONE))) == []

    def test_a_newer_start_counts(self, ran: Project) -> None:
        """Of two earlier runs, the one that began later is judged, whatever their folders are called."""
        ran.runs()[0].rename(ran.path / "sweep_results" / "9999-01-01_00-00-00_zzzz")
        ran.sweep("-k", "train and not gate", *ALONE).assert_outcomes(passed=4, deselected=1)
        newest = min(ran.runs()).name
        assert f"of an earlier run, {newest}, " in self.gate(ran)


def test_a_running_run_is_no_cache(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """--sweep-cache takes nothing from a run that another session drives, and names it."""
    project.write(
        """
        import os, time
        from pathlib import Path

        @sweep(grid={"n": [1, 2]})
        def train(n):
            while n == 2 and "WAIT" in os.environ:
                Path(os.environ["WAIT"]).touch()
                time.sleep(0.05)
        """
    )
    waits = project.path / "waits"
    session = Session(project.path, INLINE, *ALONE, WAIT=str(waits))
    try:
        wait_for(waits.exists, "the second trial")
        monkeypatch.delenv("WAIT", raising=False)
        result = project.sweep("--sweep-cache", *ALONE)
        result.assert_outcomes(passed=2)
        assert re.search(
            rf"cache: passed over: the run \S+ still goes on \(process {session.process.pid} on", output(result)
        )
    finally:
        session.close()
    assert os.environ.get("WAIT") is None
