"""The contract of an executor about verdicts: how trials are judged while they run. A part of `ExecutorContract`.

A script judges the trials in the place of the engine (`pytest_sweep.testing.judging`), so that only the executor is tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest

from pytest_sweep.testing import verdict_project
from pytest_sweep.testing.sessions import FinishedSession, run_session


class VerdictContract:
    """What every executor does about milestones, verdicts and pauses. The session runs once for the class.

    Attributes:
        arguments: what to run pytest with, besides ``--sweep``.
        in_driver: whether trials run in the driver's own process: then verdicts reach them at milestones only, on the main thread.
    """

    arguments: ClassVar[Sequence[str]]
    in_driver: ClassVar[bool] = False

    @pytest.fixture(scope="class")
    @classmethod
    def verdicts(cls, tmp_path_factory: pytest.TempPathFactory) -> FinishedSession:
        """The session with all judged trials."""
        files = {
            "pytest.ini": "[pytest]\n",
            "conftest.py": verdict_project.CONFTEST,
            "sweep_judged.py": verdict_project.MODELS,
            "sweep_load.py": verdict_project.LOAD,
        }
        if not cls.in_driver:
            files["sweep_elsewhere.py"] = verdict_project.ELSEWHERE
        return run_session(tmp_path_factory.mktemp("verdicts"), files, cls.arguments)

    def became(self, session: FinishedSession, name: str) -> tuple[str, list[object]]:
        """Return the state and the reports of a trial."""
        assert session.status == 0, session.output
        return str(session.trials[name].state), session.history(name, "x")

    @pytest.mark.parametrize("sweep", ["judged", "generator"])
    def test_a_verdict_is_obeyed_at_its_milestone(self, verdicts: FinishedSession, sweep: str) -> None:
        """A trial that is stopped ends at the report that was judged, whatever it catches; the others run to their ends."""
        assert self.became(verdicts, f"{sweep}[a=1]") == ("STOPPED", [1, 2, 3])
        assert self.became(verdicts, f"{sweep}[a=2]") == ("TERMINATED", [1, 2, 3, 4, 5])

    def test_a_verdict_under_load(self, verdicts: FinishedSession) -> None:
        """While another trial reports and prints without a pause, each verdict arrives within a second."""
        metrics = verdicts.trials["measures[{}]"].metrics
        assert metrics is not None, verdicts.output
        assert metrics["longest"] < 0.9, metrics

    def test_a_verdict_that_comes_late(self, verdicts: FinishedSession) -> None:
        """It is obeyed with the next report."""
        assert self.became(verdicts, "late[{}]") == ("STOPPED", [1, 2])

    def test_a_verdict_for_an_older_attempt(self, verdicts: FinishedSession) -> None:
        """The next attempt ignores it."""
        assert self.became(verdicts, "is_tried_again[{}]") == ("TERMINATED", [1, 2, 3, 4, 5])
        assert verdicts.trials["is_tried_again[{}]"].attempts == 2

    def test_a_pause_by_the_task(self, verdicts: FinishedSession) -> None:
        """The attempt ends at the report that its task names, if that has a checkpoint: fixtures are torn down, and it is a pause."""
        assert self.became(verdicts, "pauses[{}]") == ("TERMINATED", [1, 2])  # As the script tells it to the engine.
        assert verdicts.noted("down pauses[{}] 1") == 1

    def test_a_pause_by_a_verdict(self, verdicts: FinishedSession) -> None:
        """A verdict may pause a trial, too. Each pause is told as one, with pytest's reports of the attempt."""
        assert self.became(verdicts, "is_paused[{}]")[1] == [1, 2]
        assert verdicts.noted("paused 2 3") == 2

    def test_a_pause_without_a_checkpoint(self, verdicts: FinishedSession) -> None:
        """Without a checkpoint the report is judged as at any milestone, and the trial goes on."""
        assert self.became(verdicts, "keeps_nothing[{}]") == ("TERMINATED", [1, 2, 3, 4, 5])

    def test_a_stop_rule_comes_first(self, verdicts: FinishedSession) -> None:
        """A stop rule that is met at a report ends the trial as stopped, though it was to be paused or judged there."""
        assert self.became(verdicts, "stops_by_rule[a=1]") == ("STOPPED", [1, 2, 3])

    def test_clocks_that_stand_still(self, verdicts: FinishedSession) -> None:
        """A trial may patch the functions of `time`: it waits for its verdict all the same."""
        assert self.became(verdicts, "has_no_clock[{}]") == ("TERMINATED", [1, 2, 3])

    def test_other_threads(self, verdicts: FinishedSession) -> None:
        """A report on another thread waits, too, and its body sees the verdict in should_stop."""
        self.skip_in_driver()
        assert self.became(verdicts, "in_a_thread[a=1]") == ("STOPPED", [1, 2, 3])
        assert self.became(verdicts, "in_a_thread[a=2]") == ("TERMINATED", [1, 2, 3, 4, 5])

    @pytest.mark.parametrize("sweep", ["later", "never_waits"])
    def test_between_milestones(self, verdicts: FinishedSession, sweep: str) -> None:
        """A trial that does not wait, or not that long, obeys at a later report, whether or not that is a milestone."""
        self.skip_in_driver()
        state, reports = self.became(verdicts, f"{sweep}[{{}}]")
        assert state == "STOPPED"
        assert 2 <= len(reports) < 500

    def test_nobody_answers(self, verdicts: FinishedSession) -> None:
        """A report waits a second at the most."""
        self.skip_in_driver()
        metrics = verdicts.trials["unanswered[{}]"].metrics
        assert metrics is not None, verdicts.output
        assert 0.9 <= metrics["waited"] < 3

    def test_a_trial_that_has_ended_before(self, verdicts: FinishedSession) -> None:
        """A trial that reports no more before its verdict comes has run to its own end."""
        self.skip_in_driver()
        assert self.became(verdicts, "is_over[{}]") == ("TERMINATED", [1])

    def test_a_worker_that_dies_at_a_milestone(self, verdicts: FinishedSession) -> None:
        """What was reported there has arrived, and the next attempt is judged for itself."""
        self.skip_in_driver()
        assert self.became(verdicts, "killed_there[{}]") == ("TERMINATED", [2])
        assert verdicts.trials["killed_there[{}]"].attempts == 2
        assert verdicts.noted("heard of attempt 1") == verdicts.noted("heard of attempt 2") == 1

    def skip_in_driver(self) -> None:
        """Skip a test of what needs another process."""
        if self.in_driver:
            pytest.skip("trials run in the driver's own process")
