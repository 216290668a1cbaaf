"""What a running trial sees and says: reports, numbers, stop rules, its folder and its checkpoints."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.errors import MetricsError, SweepError
from pytest_sweep.model import Resources, StopRule, Sweep, Task, Trial
from pytest_sweep.model.events import TrialReported
from pytest_sweep.worker.trial import ActiveTrial, TrialStopped, activated, current_trial, report


class Running:
    """A trial with what it has emitted."""

    def __init__(
        self, folder: Path, *stop: StopRule, attempt: int = 1, checkpoint: str | None = None, iteration: int = 0
    ) -> None:
        sweep = Sweep("test_models.py::train", "train", stop=stop)
        trial = Trial("0" * 16, "test_models.py::train[a=1]", "train[a=1]", sweep, {"a": 1}, Resources(cpu=2), seed=7)
        self.folder = folder / "trial"
        self.emitted: list[Any] = []
        task = Task(trial, attempt, str(self.folder), checkpoint, iteration)
        self.trial = ActiveTrial(task, self.emitted.append)

    @property
    def reports(self) -> list[dict[str, Any]]:
        """The metrics that were reported, without times."""
        times = ("time_total_s", "time_this_iter_s", "timestamp")
        return [
            {name: value for name, value in event.metrics.items() if name not in times}
            for event in self.emitted
            if isinstance(event, TrialReported)
        ]


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(tmp_path)


class TestAttributes:
    def test_what_it_is(self, running: Running) -> None:
        """A trial knows its names, configuration, resources, seed and attempt."""
        trial = running.trial
        assert (trial.id, trial.name, trial.key) == ("test_models.py::train[a=1]", "train[a=1]", "0" * 16)
        assert (trial.config, trial.resources, trial.seed, trial.attempt) == ({"a": 1}, Resources(cpu=2), 7, 1)
        assert (trial.checkpoint, trial.metrics, trial.should_stop) == (None, None, False)

    def test_the_folder_is_made_on_first_use(self, running: Running) -> None:
        """A trial that writes nothing leaves no folder."""
        running.trial.report({"a": 1})
        assert not running.folder.exists()
        assert running.trial.dir == running.folder
        assert running.folder.is_dir()
        assert running.trial.dir == running.folder

    def test_a_checkpoint_to_restore_from(self, tmp_path: Path) -> None:
        """A later attempt gets the path of the newest checkpoint, and goes on counting from it."""
        running = Running(tmp_path, attempt=2, checkpoint="/results/checkpoint", iteration=5)
        assert running.trial.checkpoint == Path("/results/checkpoint")
        running.trial.report({"a": 1})
        assert running.reports == [{"a": 1, "training_iteration": 6}]


class TestReport:
    def test_reports_are_numbered(self, running: Running) -> None:
        """Each report counts as an iteration and carries its times, which add up."""
        running.trial.begin()
        for loss in (0.5, 0.25):
            running.trial.report({"loss": loss})
        assert running.reports == [{"loss": 0.5, "training_iteration": 1}, {"loss": 0.25, "training_iteration": 2}]
        first, second = (event.metrics for event in running.emitted)
        assert first["time_total_s"] + second["time_this_iter_s"] == pytest.approx(second["time_total_s"])
        assert 0 <= first["time_total_s"] < 60
        assert first["timestamp"] <= second["timestamp"]

    def test_events_carry_the_attempt(self, tmp_path: Path) -> None:
        """A report names its trial and its attempt."""
        running = Running(tmp_path, attempt=3)
        running.trial.report({})
        (event,) = running.emitted
        assert (event.key, event.attempt, event.checkpoint) == ("0" * 16, 3, None)

    def test_the_last_metrics(self, running: Running) -> None:
        """The metrics of the last report are those of the trial; what was given is not held on to."""
        given = {"loss": [1]}
        running.trial.report(given)
        given["loss"].append(2)
        assert running.trial.metrics is not None
        assert running.trial.metrics["loss"] == [1]

    def test_the_count_is_ours(self, running: Running) -> None:
        """training_iteration cannot be reported, and such a report counts as none."""
        with pytest.raises(MetricsError, match="'training_iteration' is counted for you, one a report"):
            running.trial.report({"training_iteration": 3})
        with pytest.raises(MetricsError, match="metrics are a dict"):
            running.trial.report(0.5)  # type: ignore[arg-type]
        running.trial.report({"loss": 1})
        assert running.reports == [{"loss": 1, "training_iteration": 1}]

    def test_from_threads(self, running: Running) -> None:
        """Reports of many threads are numbered without gaps or doubles, in the order in which they leave."""

        def talk() -> None:
            for _ in range(200):
                running.trial.report({"a": 1})

        threads = [threading.Thread(target=talk) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert [metrics["training_iteration"] for metrics in running.reports] == list(range(1, 1601))

    def test_after_the_end(self, running: Running) -> None:
        """A thread that lives longer than its trial is told so."""
        running.trial.end()
        with pytest.raises(SweepError, match=r"train\[a=1\] has ended, so that it can report no more"):
            running.trial.report({"a": 1})
        assert running.emitted == []


class TestFinish:
    def test_final_metrics_complete_the_last_report(self, running: Running) -> None:
        """What the body returns is added to the last report, and is no report of its own."""
        running.trial.report({"loss": 0.5, "lr": 1})
        running.trial.finish({"loss": 0.25, "size": 3})
        assert running.trial.metrics is not None
        assert {"loss": 0.25, "lr": 1, "size": 3, "training_iteration": 1}.items() <= running.trial.metrics.items()
        assert len(running.reports) == 1

    @pytest.mark.parametrize("final", [{"loss": 0}, {}])
    def test_final_metrics_without_reports(self, running: Running, final: dict[str, Any]) -> None:
        """Where nothing was reported, what the body returns is the only report, an empty dict too."""
        running.trial.finish(final)
        assert running.reports == [{**final, "training_iteration": 1}]

    def test_nothing_returned(self, running: Running) -> None:
        """None adds nothing."""
        running.trial.finish(None)
        assert running.trial.metrics is None
        running.trial.report({"loss": 1})
        running.trial.finish(None)
        assert len(running.reports) == 1


class TestStopRules:
    def test_the_report_that_meets_one(self, tmp_path: Path) -> None:
        """The first report that meets a rule is kept and ends the trial there."""
        running = Running(tmp_path, StopRule("loss", "<", 0.3), StopRule("training_iteration", ">=", 9))
        running.trial.report({"loss": 0.5})
        with pytest.raises(TrialStopped, match=r"loss < 0\.3"):
            running.trial.report({"loss": 0.2})
        assert running.reports[-1] == {"loss": 0.2, "training_iteration": 2}
        assert running.trial.should_stop
        assert running.trial.stopped_by == StopRule("loss", "<", 0.3)

    def test_our_own_metrics_count(self, tmp_path: Path) -> None:
        """A rule may judge training_iteration."""
        running = Running(tmp_path, StopRule("training_iteration", ">=", 2))
        running.trial.report({})
        with pytest.raises(TrialStopped):
            running.trial.report({})

    def test_except_exception_lets_it_pass(self) -> None:
        """A body that catches Exception does not catch the end of its trial."""
        assert not issubclass(TrialStopped, Exception)

    def test_in_a_thread(self, tmp_path: Path) -> None:
        """A thread is not ended by a met rule: the body sees it in should_stop."""
        running = Running(tmp_path, StopRule("a", ">=", 1))
        raised: list[BaseException] = []

        def body() -> None:
            try:
                running.trial.report({"a": 1})
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join(10)
        assert raised == []
        assert running.trial.should_stop

    def test_rules_that_were_never_judged(self, tmp_path: Path) -> None:
        """A rule on a metric that no report has is named; without any report there is nothing to say."""
        running = Running(tmp_path, StopRule("los", "<", 0.3), StopRule("loss", "<", 0.0))
        assert running.trial.unknown_stop_metrics() == []
        running.trial.report({"loss": 1})
        assert running.trial.unknown_stop_metrics() == ["los"]


class TestCheckpoints:
    def test_a_complete_copy(self, running: Running, tmp_path: Path) -> None:
        """A checkpoint is copied before report returns: what the trial does with its own file later does not matter."""
        source = tmp_path / "model.pt"
        source.write_text("one")
        running.trial.report({"a": 1}, checkpoint=source)
        source.write_text("two")
        running.trial.report({"a": 2}, checkpoint=str(source))
        first, second = (Path(event.checkpoint) for event in running.emitted)
        assert (first.name, second.name) == ("000001-1", "000002-1")
        assert ((first / "model.pt").read_text(), (second / "model.pt").read_text()) == ("one", "two")
        assert first.parent == running.folder / "checkpoints"

    def test_attempts_keep_apart(self, tmp_path: Path) -> None:
        """The same iteration of two attempts has two checkpoints."""
        (tmp_path / "model.pt").touch()
        paths = []
        for attempt in (1, 2):
            running = Running(tmp_path, attempt=attempt)
            running.trial.report({}, checkpoint=tmp_path / "model.pt")
            paths.append(running.emitted[0].checkpoint)
        assert len(set(paths)) == 2

    def test_a_checkpoint_that_fails(self, running: Running, tmp_path: Path) -> None:
        """A report whose checkpoint does not exist is no report, and takes no number."""
        with pytest.raises(SweepError, match="does not exist: write the file or folder before you report it"):
            running.trial.report({"a": 1}, checkpoint=tmp_path / "absent")
        running.trial.report({"a": 2})
        assert running.reports == [{"a": 2, "training_iteration": 1}]


class TestCurrent:
    def test_from_anywhere(self, running: Running) -> None:
        """Code without the fixture finds the running trial, in every thread."""
        with activated(running.trial) as trial:
            assert current_trial() is trial
            thread = threading.Thread(target=report, args=({"a": 1},))
            thread.start()
            thread.join(10)
            report({"a": 2})
        assert [metrics["a"] for metrics in running.reports] == [1, 2]

    def test_outside_a_trial(self) -> None:
        """Where no trial runs, it is an error that says so."""
        for call in (current_trial, lambda: report({})):
            with pytest.raises(SweepError, match="no trial is running in this process"):
                call()

    def test_it_ends_there(self, running: Running) -> None:
        """When its context is left, by an exception too, a trial takes no more reports and is not the current one."""
        with pytest.raises(ValueError, match="boom"), activated(running.trial):
            raise ValueError("boom")
        with pytest.raises(SweepError, match="has ended"):
            running.trial.report({})
        with pytest.raises(SweepError, match="no trial"):
            current_trial()
