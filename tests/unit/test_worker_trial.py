"""What a running trial sees and says: reports, numbers, stop rules, its folder and its checkpoints."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.errors import MetricsError, SweepError
from pytest_sweep.model import Resources, StopRule, Sweep, Task, Trial
from pytest_sweep.model.events import CheckpointDamaged, TrialReported
from pytest_sweep.worker.current import activated, current_trial, report
from pytest_sweep.worker.judgement import TrialStopped
from pytest_sweep.worker.trial import ActiveTrial


class Running:
    """A trial with what it has emitted."""

    def __init__(
        self,
        folder: Path,
        *stop: StopRule,
        attempt: int = 1,
        checkpoint: str | None = None,
        iteration: int = 0,
        reported: tuple[int, int] = (0, 0),
        keep: int | None = None,
    ) -> None:
        sweep = Sweep("test_models.py::train", "train", stop=stop)
        trial = Trial("0" * 16, "test_models.py::train[a=1]", "train[a=1]", sweep, {"a": 1}, Resources(cpu=2), seed=7)
        self.folder = folder / "trial"
        self.emitted: list[Any] = []
        directory = str(self.folder)
        task = Task(trial, attempt, directory, checkpoint, iteration, keep_checkpoints=keep, reported=reported)
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
        assert (first.name, second.name) == ("1-000001", "1-000002")
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


class TestRestoring:
    """What an attempt finds of the attempt before, of which the driver has heard only a part."""

    @pytest.fixture
    def saved(self, tmp_path: Path) -> list[TrialReported]:
        """The reports of a first attempt, of which the second and the fourth have a checkpoint."""
        first = Running(tmp_path)
        for number in range(1, 6):
            (tmp_path / "state").write_text(str(number))
            first.trial.report({"n": number}, checkpoint=tmp_path / "state" if number in (2, 4) else None)
        return first.emitted

    def second(self, tmp_path: Path, known: TrialReported | None, heard: int, **options: Any) -> Running:
        """Return the second attempt of a trial of which the driver has heard so many reports."""
        address, iteration = (known.checkpoint, known.metrics["training_iteration"]) if known else (None, 0)
        second = Running(
            tmp_path,
            attempt=2,
            checkpoint=address,
            iteration=iteration,
            reported=(1, heard) if heard else (0, 0),
            **options,
        )
        self.warnings = second.trial.restore(tmp_path / "scratch")
        return second

    def test_what_the_driver_knows(self, tmp_path: Path, saved: list[TrialReported]) -> None:
        """A later attempt gets the newest checkpoint and goes on counting from it; nothing is reported twice."""
        second = self.second(tmp_path, saved[3], 5)
        assert second.trial.checkpoint == Path(str(saved[3].checkpoint))
        assert (second.emitted, self.warnings) == ([], [])
        second.trial.report({"n": 50})
        assert second.reports == [{"n": 50, "training_iteration": 5}]

    @pytest.mark.parametrize("heard", [0, 1, 2, 3])
    def test_what_the_driver_has_not_heard(self, tmp_path: Path, saved: list[TrialReported], heard: int) -> None:
        """What was reported up to the checkpoint and not heard is reported now, each once, with the checkpoints that it had."""
        second = self.second(tmp_path, saved[1] if heard >= 2 else None, heard)
        assert [event.metrics["n"] for event in second.emitted] == list(range(heard + 1, 5))
        assert [event.metrics for event in second.emitted] == [event.metrics for event in saved[heard:4]]
        assert [event.checkpoint for event in second.emitted] == [event.checkpoint for event in saved[heard:4]]
        assert {event.attempt for event in second.emitted} == {2}
        second.trial.report({"n": 50})
        assert second.emitted[-1].metrics["training_iteration"] == 5

    def test_a_recovery_that_is_lost(self, tmp_path: Path, saved: list[TrialReported]) -> None:
        """What an attempt recovers is recovered by the next one, too, if the driver has not heard of it."""
        second = self.second(tmp_path, None, 0)
        (tmp_path / "state").write_text("50")
        second.trial.report({"n": 50}, checkpoint=tmp_path / "state")
        third = Running(tmp_path, attempt=3)
        third.trial.restore(tmp_path / "scratch")
        assert [event.metrics["n"] for event in third.emitted] == [1, 2, 3, 4, 50]
        assert [event.checkpoint for event in third.emitted] == [event.checkpoint for event in second.emitted]
        heard = Running(tmp_path, attempt=3, checkpoint=saved[3].checkpoint, iteration=4, reported=(2, 4))
        heard.trial.restore(tmp_path / "scratch")
        assert [event.metrics["n"] for event in heard.emitted] == [50]

    def test_a_recovery_that_is_heard_in_part(self, tmp_path: Path, saved: list[TrialReported]) -> None:
        """Of a recovery that broke off the next attempt makes up for the rest."""
        third = Running(tmp_path, attempt=3, checkpoint=saved[1].checkpoint, iteration=2, reported=(2, 3))
        third.trial.restore(tmp_path / "scratch")
        assert [event.metrics["n"] for event in third.emitted] == [4]

    def test_an_old_report_is_not_carried(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A checkpoint carries the reports of the last seconds only: the older ones have arrived."""
        monkeypatch.setattr("pytest_sweep.worker.trial.RECENT_SECONDS", 0.0)
        (tmp_path / "state").touch()
        first = Running(tmp_path)
        first.trial.report({})
        first.trial.report({}, checkpoint=tmp_path / "state")
        second = self.second(tmp_path, None, 0)
        assert [event.metrics["training_iteration"] for event in second.emitted] == [2]

    def test_a_damaged_one(self, tmp_path: Path, saved: list[TrialReported]) -> None:
        """A damaged checkpoint is named with what is wrong and what is taken instead, from which counting goes on."""
        (Path(str(saved[3].checkpoint)) / "state").write_text("?")
        second = self.second(tmp_path, saved[3], 5)
        (warning,) = self.warnings
        assert warning == (
            f"checkpoint {saved[3].checkpoint} of train[a=1] is damaged: state has been changed: its sha256 is another one. "
            f"Attempt 2 goes on from {saved[1].checkpoint}"
        )
        key = "0" * 16
        assert second.emitted == [CheckpointDamaged(key, str(saved[3].checkpoint), str(saved[1].checkpoint), 2)]
        second.trial.report({"n": 50})
        assert second.emitted[-1].metrics["training_iteration"] == 3

    def test_nothing_is_left(self, tmp_path: Path, saved: list[TrialReported]) -> None:
        """Where no good one is left, the attempt starts from the beginning and says so."""
        for event in (saved[1], saved[3]):
            (Path(str(event.checkpoint)) / "state").unlink()
        second = self.second(tmp_path, saved[3], 5)
        assert second.trial.checkpoint is None
        assert [text.rpartition(". ")[2] for text in self.warnings] == ["Attempt 2 starts from the beginning"] * 2
        second.trial.report({"n": 50})
        assert second.emitted[-1].metrics["training_iteration"] == 1

    def test_final_metrics(self, tmp_path: Path, saved: list[TrialReported]) -> None:
        """An attempt that has nothing more to report ends with the metrics that it was restored with."""
        second = self.second(tmp_path, saved[3], 5)
        assert second.trial.metrics is None
        assert second.trial.final_metrics == saved[3].metrics
        second.trial.report({"n": 50})
        assert (second.trial.final_metrics or {})["n"] == 50

    def test_what_is_kept(self, tmp_path: Path, saved: list[TrialReported]) -> None:
        """A report says which checkpoints there are, where older ones are deleted."""
        second = self.second(tmp_path, saved[3], 5, keep=2)
        second.trial.report({}, checkpoint=tmp_path / "state")
        assert second.emitted[0].kept == (saved[3].checkpoint, second.emitted[0].checkpoint)
        assert not Path(str(saved[1].checkpoint)).exists()
        second.trial.report({})
        assert second.emitted[1].kept is None


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


@pytest.mark.parametrize(("behind", "iterations"), [(0.0, []), (3600.0, [1, 2, 3])])
def test_what_has_not_arrived_goes_into_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind: float, iterations: list[int]
) -> None:
    """Behind a cut link a checkpoint has all reports since the cut, however long that is; else only the latest ones."""
    monkeypatch.setattr("pytest_sweep.worker.trial.RECENT_SECONDS", 0.0)
    sweep = Sweep("test_models.py::train", "train")
    trial = Trial("0" * 16, "test_models.py::train[a=1]", "train[a=1]", sweep, {"a": 1})
    emitted: list[object] = []
    active = ActiveTrial(Task(trial, 1, str(tmp_path / "trial")), emitted.append, behind=lambda: behind)
    for _ in range(3):
        active.report({"a": 1})
    (tmp_path / "state").touch()
    active.report({"a": 1}, checkpoint=tmp_path / "state")
    manifest = json.loads((tmp_path / "trial" / "checkpoints" / "1-000004.json").read_text())
    assert [report["metrics"]["training_iteration"] for report in manifest["recent"]] == iterations
