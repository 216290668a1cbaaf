"""The contract of a store, as a suite: subclass `StoreContract`, say how one is made, and let pytest collect it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.errors import StoreError
from pytest_sweep.model import Sweep, Trial, TrialState
from pytest_sweep.model.events import CheckpointDamaged, OutputWritten, TrialNotRun, TrialReported, TrialRetried
from pytest_sweep.store import RunReader, RunStore, StoredTrial
from pytest_sweep.testing.samples import SWEEP, finished, make_replicates, make_trial, reported, started


class StoreContract(ABC):
    """What every store does. Each test gets a `store` to which `trials` were added."""

    @abstractmethod
    def make_store(self, results_dir: Path) -> RunStore:
        """Return a new store in `results_dir`, which may be absent."""

    @pytest.fixture
    def store(self, tmp_path: Path, trials: list[Trial]) -> Iterator[RunStore]:
        """A store that knows `trials`."""
        store = self.make_store(tmp_path / "sweep_results")
        store.add_trials(trials)
        yield store
        store.close()

    @pytest.fixture
    def trials(self) -> list[Trial]:
        """Three trials of one sweep."""
        return [make_trial(number) for number in (3, 1, 2)]

    def stored(self, store: RunStore, trial: Trial) -> StoredTrial:
        """Return what a reader sees of `trial` now."""
        (found,) = RunReader(store.path).trials(keys=[trial.key])
        return found

    def test_added_trials_are_pending(self, store: RunStore, trials: list[Trial]) -> None:
        """A trial is stored with all that identifies it before anything happens."""
        found = self.stored(store, trials[0])
        assert (found.state, found.attempts, found.metrics) == (TrialState.PENDING, 0, None)
        assert (found.node_id, found.name, found.sweep_id) == (trials[0].id, trials[0].name, SWEEP.id)
        assert (found.config, found.resources, found.seed) == ({"lr": 3}, {"cpu": 2.0}, 7)
        assert found.folder == trials[0].path_name

    def test_replicates_know_each_other(self, store: RunStore) -> None:
        """A replicate is stored with its number and the key of the first, also where the first is not in the run."""
        _, second, third = make_replicates(9, 3)
        store.add_trials([second, third, alone := make_trial(8)])
        stored = [self.stored(store, trial) for trial in (second, third, alone)]
        assert [(found.replicate, found.group_key) for found in stored] == [
            (1, make_trial(9).key),
            (2, make_trial(9).key),
            (0, alone.key),
        ]

    def test_trials_keep_the_order_of_collection(self, store: RunStore) -> None:
        """Trials that are added later come after those that are there, whatever their keys."""
        other = Sweep("test_other.py::tune", "tune")
        store.add_trials([make_trial(0, other), make_trial(9)])
        reader = RunReader(store.path)
        assert [int(trial.key, 16) for trial in reader.trials()] == [3, 1, 2, 0, 9]
        assert [int(trial.key, 16) for trial in reader.trials(sweep_id=SWEEP.id)] == [3, 1, 2, 9]
        assert [(sweep.id, sweep.metric, sweep.varying) for sweep in reader.sweeps()] == [
            (SWEEP.id, "loss", ("lr",)),
            (other.id, None, ()),
        ]

    def test_a_started_trial_is_running(self, store: RunStore, trials: list[Trial]) -> None:
        """A start is stored with its place and time, for the trial and for the attempt."""
        store.record([started(trials[0])])
        found = self.stored(store, trials[0])
        assert (found.state, found.attempts, found.location, found.started) == (
            TrialState.RUNNING,
            1,
            "10.0.0.1:42",
            100,
        )
        (attempt,) = RunReader(store.path).attempts(trials[0].key)
        assert (attempt.number, attempt.state, attempt.started, attempt.finished) == (1, "RUNNING", 100, None)

    def test_a_finished_trial_has_its_metrics(self, store: RunStore, trials: list[Trial]) -> None:
        """The end of a trial is stored with its final metrics, its time and its duration."""
        store.record([started(trials[0])])
        store.record([finished(trials[0], metrics={"loss": 0})])
        found = self.stored(store, trials[0])
        assert (found.state, found.metrics, found.error) == (TrialState.TERMINATED, {"loss": 0}, None)
        assert (found.started, found.finished, found.duration) == (100, 102, 2)
        (attempt,) = RunReader(store.path).attempts(trials[0].key)
        assert (attempt.state, attempt.location, attempt.duration) == ("TERMINATED", "10.0.0.1:42", 2)

    def test_no_metrics_are_not_empty_metrics(self, store: RunStore, trials: list[Trial]) -> None:
        """None and an empty dict are told apart."""
        store.record([finished(trials[0], metrics=None), finished(trials[1], metrics={})])
        assert self.stored(store, trials[0]).metrics is None
        assert self.stored(store, trials[1]).metrics == {}

    @pytest.mark.parametrize("state", [TrialState.ERROR, TrialState.SKIPPED, TrialState.STOPPED])
    def test_each_end_is_kept(self, store: RunStore, trials: list[Trial], state: TrialState) -> None:
        """Whatever ended a trial is stored as it was, its text included."""
        store.record([started(trials[0]), finished(trials[0], state, error="E   boom\nValueError: \ud800 boom")])
        found = self.stored(store, trials[0])
        assert found.state is state
        assert found.error == "E   boom\nValueError: \\ud800 boom"

    def test_an_end_without_a_start(self, store: RunStore, trials: list[Trial]) -> None:
        """An attempt whose start got lost is stored all the same, its start reckoned from its duration."""
        store.record([finished(trials[0])])
        (attempt,) = RunReader(store.path).attempts(trials[0].key)
        assert (attempt.number, attempt.state, attempt.started, attempt.location) == (1, "TERMINATED", 100, None)
        assert self.stored(store, trials[0]).attempts == 1

    def test_reports_are_the_history(self, store: RunStore, trials: list[Trial]) -> None:
        """Reports are read back in their order, and only those of the trial that was asked for."""
        store.record([reported(trials[0], 1, loss=0.5), reported(trials[1], 1, loss=9.0)])
        store.record([reported(trials[0], 2, loss=0.25)])
        assert RunReader(store.path).history(trials[0].key) == [
            {"loss": 0.5, "training_iteration": 1},
            {"loss": 0.25, "training_iteration": 2},
        ]
        assert RunReader(store.path).history(trials[2].key) == []

    def test_numbers_survive(self, store: RunStore, trials: list[Trial]) -> None:
        """NaN, infinities, large integers and other alphabets are read back as they were reported."""
        metrics: dict[str, Any] = {
            "inf": -math.inf,
            "big": 2**70,
            "tiny": 5e-324,
            "text": "π \ud800",
            "list": [1, [None, True]],
        }
        store.record([reported(trials[0], 1, nan=math.nan, **metrics)])
        (found,) = RunReader(store.path).history(trials[0].key)
        assert math.isnan(found.pop("nan"))
        assert found == {**metrics, "training_iteration": 1}

    def test_checkpoints_that_were_deleted(self, store: RunStore, trials: list[Trial]) -> None:
        """What a report says is kept is what the trial has; the reports stay, and other trials keep theirs."""
        first, second = trials[:2]
        inside = [str(store.path / "trial" / f"1-00000{number}") for number in range(4)]
        store.record([reported(first, 1, checkpoint=inside[1]), reported(second, 1, checkpoint="s3://bucket/1")])
        store.record([reported(first, 2, checkpoint=inside[2])])
        store.record([TrialReported(first.key, 1, {"training_iteration": 3}, inside[3], kept=(inside[1], inside[3]))])
        reader = RunReader(store.path)
        assert [place for place, _ in reader.checkpoints(first.key)] == [inside[1], inside[3]]
        assert [metrics["training_iteration"] for _, metrics in reader.checkpoints(first.key)] == [1, 3]
        assert [place for place, _ in reader.checkpoints(second.key)] == ["s3://bucket/1"]
        assert len(reader.history(first.key)) == 3

    def test_a_damaged_checkpoint(self, store: RunStore, trials: list[Trial]) -> None:
        """One that is damaged is none any more: the one before is the newest, for the history too."""
        trial = trials[0]
        store.record(
            [started(trial), *(reported(trial, i, checkpoint=f"/c/{i}" if i != 2 else None) for i in (1, 2, 3))]
        )
        store.record([started(trial, attempt=2), CheckpointDamaged(trial.key, "/c/3", "/c/1", 1)])
        assert self.stored(store, trial).checkpoint == "/c/1"
        assert [report["training_iteration"] for report in RunReader(store.path).history(trial.key)] == [1]
        store.record([CheckpointDamaged(trial.key, "/c/1", None, 0)])
        assert self.stored(store, trial).checkpoint is None

    def test_the_newest_checkpoint_is_the_trial_s(self, store: RunStore, trials: list[Trial]) -> None:
        """A report without a checkpoint does not take the last one away; a path in the run's folder moves with it."""
        inside = str(store.path / "trial" / "checkpoint_2")
        store.record(
            [reported(trials[0], 1, checkpoint="/elsewhere/1"), reported(trials[1], 1, checkpoint="s3://bucket/1")]
        )
        store.record([reported(trials[0], 2, checkpoint=inside), reported(trials[0], 3)])
        assert self.stored(store, trials[0]).checkpoint == inside
        assert self.stored(store, trials[1]).checkpoint == "s3://bucket/1"

    def test_a_retried_trial_waits_again(self, store: RunStore, trials: list[Trial]) -> None:
        """A failed attempt keeps its error, while its trial is PENDING again and not failed."""
        store.record([started(trials[0]), TrialRetried(finished(trials[0], TrialState.ERROR, error="boom"))])
        found = self.stored(store, trials[0])
        assert (found.state, found.attempts, found.error) == (TrialState.PENDING, 1, None)
        store.record([started(trials[0], 2, 110.0), finished(trials[0], attempt=2)])
        attempts = RunReader(store.path).attempts(trials[0].key)
        assert [(one.number, one.state, one.error) for one in attempts] == [
            (1, "ERROR", "boom"),
            (2, "TERMINATED", None),
        ]
        assert self.stored(store, trials[0]).attempts == 2

    def test_a_restored_attempt_goes_on_counting(self, store: RunStore, trials: list[Trial]) -> None:
        """What an attempt reported after the checkpoint that the next one was restored from is not counted twice."""
        trial = trials[0]
        store.record([reported(trial, i, loss=i, checkpoint="/c" if i == 2 else None) for i in (1, 2, 3)])
        store.record([TrialRetried(finished(trial, TrialState.ERROR)), started(trial, 2)])
        assert [row["training_iteration"] for row in RunReader(store.path).history(trial.key)] == [1, 2]
        store.record([reported(trial, i, 2, loss=10 * i) for i in (3, 4)])
        assert [row["loss"] for row in RunReader(store.path).history(trial.key)] == [1, 2, 30, 40]

    def test_an_attempt_from_the_start_replaces_the_history(self, store: RunStore, trials: list[Trial]) -> None:
        """Where nothing was restored, only what the last attempt reported counts, even when that is nothing."""
        trial = trials[0]
        store.record([reported(trial, 1, loss=1), reported(trial, 2, loss=2)])
        store.record([TrialRetried(finished(trial, TrialState.ERROR)), started(trial, 2)])
        assert RunReader(store.path).history(trial.key) == []
        store.record([reported(trial, 1, 2, loss=10)])
        assert [row["loss"] for row in RunReader(store.path).history(trial.key)] == [10]

    def test_a_trial_that_was_not_run(self, store: RunStore, trials: list[Trial]) -> None:
        """A trial that never began is NOT_RUN with its reason, and has no attempt."""
        store.record([TrialNotRun(trials[0].key, "the budget of 2 h was used up")])
        found = self.stored(store, trials[0])
        assert (found.state, found.reason) == (TrialState.NOT_RUN, "the budget of 2 h was used up")
        assert RunReader(store.path).attempts(trials[0].key) == []

    def test_an_attempt_that_was_cut_off(self, store: RunStore, trials: list[Trial]) -> None:
        """Only the running attempt is INTERRUPTED, and what it reported is kept."""
        trial = trials[0]
        store.record([started(trial), TrialRetried(finished(trial, TrialState.ERROR))])
        store.record([started(trial, 2), reported(trial, 1, 2), TrialNotRun(trial.key, "interrupted")])
        assert self.stored(store, trial).state is TrialState.NOT_RUN
        assert [one.state for one in RunReader(store.path).attempts(trial.key)] == ["ERROR", "INTERRUPTED"]
        assert len(RunReader(store.path).history(trial.key)) == 1

    def test_events_of_the_session_are_ignored(self, store: RunStore) -> None:
        """What concerns no trial changes nothing, nor does an empty batch."""
        before = RunReader(store.path).trials()
        store.record([OutputWritten(None, "text")])
        store.record([])
        assert RunReader(store.path).trials() == before

    def test_a_batch_is_stored_whole_or_not_at_all(self, store: RunStore, trials: list[Trial]) -> None:
        """One event that cannot be stored takes the others of its batch with it, and the store goes on working."""
        with pytest.raises(StoreError):
            store.record([started(trials[0]), reported(trials[0], 1), reported(make_trial(99), 1)])
        assert self.stored(store, trials[0]).state is TrialState.PENDING
        assert RunReader(store.path).history(trials[0].key) == []
        store.record([started(trials[0])])
        assert self.stored(store, trials[0]).state is TrialState.RUNNING

    def test_a_reader_reads_while_the_store_writes(self, store: RunStore, trials: list[Trial]) -> None:
        """A reader that was made before sees each batch as soon as it is recorded."""
        reader = RunReader(store.path)
        for iteration in range(1, 20):
            store.record([reported(trials[0], iteration)])
            assert len(reader.history(trials[0].key)) == iteration

    def test_the_run_and_its_end(self, store: RunStore) -> None:
        """A run without an end is told apart from one that has ended, with pytest's exit status and the time."""
        run = RunReader(store.path).run()
        assert (run.name, run.seed, run.command) == (store.run.name, store.run.seed, store.run.command)
        assert (run.finished, run.exit_status) == (None, None)
        store.finish(1, now=200.0)
        run = RunReader(store.path).run()
        assert (run.finished, run.exit_status) == (200.0, 1)

    def test_a_closed_store_is_readable(self, store: RunStore, trials: list[Trial]) -> None:
        """Closing loses nothing, and closing twice is no mistake; a trial that had not ended was cut off."""
        store.record([started(trials[0])])
        store.close()
        store.close()
        assert self.stored(store, trials[0]).state is TrialState.INTERRUPTED
