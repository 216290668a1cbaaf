"""Trials that a scheduler judges while they run: where they end, what is kept of them, and what a death changes."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

import pytest

from tests.acceptance.project import Project

from .base import Executor

STOPS = """
    from pytest_sweep import asha

    @sweep(grid={"a": [5, 1, 4, 2, 3]}, metric="x", mode="min", scheduler=asha(max_t=9, grace_period=1, reduction_factor=3))
    def train(a, trial):
        for number in range(1, 10):
            try:
                trial.report({"x": a / number})
            except Exception:
                continue
"""
LEGS = """
    from pytest_sweep import asha

    @sweep(grid={"a": [2, 1, 3]}, metric="x", mode="min", scheduler=asha(max_t=9, grace_period=1, reduction_factor=3))
    def train(a, trial, record_property):
        start = 0 if trial.checkpoint is None else int((trial.checkpoint / "number").read_text())
        print(f"goes on from {start}")
        record_property("start", start)
        for number in range(start + 1, 10):
            (trial.dir / "number").write_text(str(number))
            trial.report({"x": a / number}, trial.dir / "number")
"""
TRIES = """
    @sweep(configs=[{}], retries=2)
    def train(trial, record_property):
        print(f"this is attempt {trial.attempt}")
        record_property("start", trial.attempt)
        assert trial.attempt == 3
"""
DIES = """
    import os, threading
    from pathlib import Path
    from pytest_sweep import asha

    def dies_once(name):
        there = Path(__file__).with_name(name)
        if (Path(__file__).with_name("deadly")).exists() and not there.exists():
            there.touch()
            threading.Timer(0.0, os.kill, (os.getpid(), 9)).start()

    @pytest.fixture
    def torn_down(trial):
        yield
        if trial.config["a"] == 1 and (trial.metrics or {}).get("training_iteration") == 3:
            dies_once("after")
            threading.Event().wait(0.5)

    @sweep(grid={"a": [5, 1, 4, 2, 3]}, metric="x", mode="min", worker_retries=5,
           scheduler=asha(max_t=9, grace_period=1, reduction_factor=3))
    def train(a, trial, torn_down):
        start = 0 if trial.checkpoint is None else int((trial.checkpoint / "number").read_text())
        for number in range(start + 1, 10):
            (trial.dir / "number").write_text(str(number))
            if a in (4, 2) and number == 1:
                dies_once(f"at-{a}")
            trial.report({"x": a / number}, None if a == 3 else trial.dir / "number")
"""


class Judged(Executor):
    """Trials that are judged."""

    def test_it_ends_at_its_rung(self, project: Project) -> None:
        """Each trial ends at the very report at which it was judged, so that with one worker histories are the same everywhere."""
        project.write(STOPS)
        done = self.run(project)
        assert done.status == 0, done.text
        histories = [[report["training_iteration"] for report in trial.metrics_history] for trial in done.grid()]
        assert [len(history) for history in histories] == [9, 9, 1, 9, 1], done.text
        assert all(history == list(range(1, len(history) + 1)) for history in histories)

    @pytest.mark.parametrize("source", [LEGS, TRIES])
    def test_each_attempt_is_kept_for_itself(self, project: Project, source: str) -> None:
        """Output and properties are those of one attempt, whether it was paused or failed, and not those of earlier ones, too."""
        project.write(source)
        done = self.run(project, "--junitxml=junit.xml", "-o", "junit_family=xunit1")
        assert done.status == 0, done.text
        trial = max(done.grid(), key=lambda trial: trial.attempts)
        outputs = [attempt.output or "" for attempt in trial.attempt_history]
        assert len(outputs) == 3
        assert [len(re.findall("goes on from|this is attempt", output)) for output in outputs] == [1, 1, 1]
        cases = {case.attrib["name"]: case for case in ET.parse(project.path / "junit.xml").iter("testcase")}
        starts = [prop.attrib["value"] for prop in cases[trial.name].iter("property") if prop.attrib["name"] == "start"]
        assert starts == ["3"]

    def test_legs_are_no_retries(self, project: Project) -> None:
        """A trial that was paused goes on from its checkpoint, and is neither rerun nor flaky; iterations and time count on."""
        project.write(LEGS)
        done = self.run(project)
        assert "rerun" not in done.text
        assert "flaky" not in done.text
        (best,) = [trial for trial in done.grid() if trial.config["a"] == 1]
        assert [report["training_iteration"] for report in best.metrics_history] == list(range(1, 10))
        assert [attempt.state for attempt in best.attempt_history][:2] == ["PAUSED", "PAUSED"]
        spent = [report["time_this_iter_s"] for report in best.metrics_history]
        total = [report["time_total_s"] for report in best.metrics_history]
        assert total == pytest.approx(list(itertools.accumulate(spent)), abs=1e-6)

    def test_a_worker_dies_at_a_rung(self, project: Project) -> None:
        """Whether it dies while a report waits, or after the pause, in a tear-down: the verdicts are those of a run without a death."""
        if not self.hosted:
            pytest.skip("the trial's process is the driver's")
        project.write(DIES)
        undisturbed = self.ends(project)
        (project.path / "deadly").touch()
        assert self.ends(project) == undisturbed
        assert {path.name for path in project.path.glob("a*-*")} | {"after"} == {"at-4", "at-2", "after"}
        assert (project.path / "after").exists()

    def ends(self, project: Project) -> list[tuple[str, int, str | None]]:
        """Return how the trials of a session end: their states, iterations and reasons."""
        done = self.run(project)
        assert done.status == 0, done.text
        return [
            (str(trial.state), (trial.metrics or {}).get("training_iteration", 0), trial.reason)
            for trial in done.grid()
        ]
