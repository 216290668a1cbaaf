"""What is known of each trial, event by event."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_sweep.model import Resources, Sweep, Trial, TrialState
from pytest_sweep.model.events import (
    HookFailed,
    OutputWritten,
    TrialFinished,
    TrialNotRun,
    TrialReported,
    TrialRetried,
    TrialStarted,
)
from pytest_sweep.reporting import Progress

SWEEP = Sweep("test_m.py::train", "train", metric="loss", mode="min", varying=("lr",))
ONE_CPU = Resources()


def trial(number: int, sweep: Sweep = SWEEP, resources: Resources = ONE_CPU) -> Trial:
    name = f"{sweep.name}[lr={number}]"
    return Trial(f"{sweep.id}{number}", f"{sweep.id}[lr={number}]", name, sweep, {"lr": number}, resources)


def started(one: Trial, attempt: int = 1) -> TrialStarted:
    return TrialStarted(one.key, attempt, 100.0, "127.0.0.1:42")


def finished(
    one: Trial,
    state: TrialState = TrialState.TERMINATED,
    metrics: dict[str, Any] | None = None,
    error: str | None = None,
    attempt: int = 1,
) -> TrialFinished:
    return TrialFinished(one.key, attempt, state, metrics, error, 2.5, 102.5)


def test_a_trial_goes_from_pending_over_running_to_its_end() -> None:
    """Counts follow each event, and name no state that no trial is in."""
    one = trial(1)
    progress = Progress([one, trial(2)])
    assert progress.counts() == {TrialState.PENDING: 2}
    progress.update(started(one))
    assert progress.counts() == {TrialState.PENDING: 1, TrialState.RUNNING: 1}
    assert [entry.trial for entry in progress.running()] == [one]
    progress.update(finished(one))
    assert progress.counts() == {TrialState.PENDING: 1, TrialState.TERMINATED: 1}
    assert progress.running() == []


def test_a_report_tells_iteration_time_and_metrics() -> None:
    """What a trial reported last is what is known of it."""
    one = trial(1)
    progress = Progress([one])
    progress.update(started(one))
    metrics = {"loss": 0.5, "training_iteration": 3, "time_total_s": 1.5}
    progress.update(TrialReported(one.key, 1, metrics))
    entry = progress.of(one.key)
    assert (entry.iteration, entry.total_time, entry.metrics) == (3, 1.5, metrics)
    assert (entry.location, entry.started, entry.attempt) == ("127.0.0.1:42", 100.0, 1)


def test_the_duration_stands_in_where_no_time_was_reported() -> None:
    """A trial that reports nothing still has a total time when it ends."""
    one = trial(1)
    progress = Progress([one])
    progress.update(started(one))
    progress.update(finished(one))
    assert progress.of(one.key).total_time == 2.5
    assert progress.of(one.key).metrics is None


@pytest.mark.parametrize(("reported", "shown"), [(90.0, 90.0), (1.5, 2.5), ("long", 2.5), (float("nan"), 2.5)])
def test_a_failure_takes_no_time_of_earlier_legs_away(reported: object, shown: float) -> None:
    """One that fails long after its last report shows its duration, unless its report counts what earlier legs took."""
    one = trial(1)
    progress = Progress([one])
    progress.update(started(one, attempt=2))
    progress.update(TrialReported(one.key, 2, {"training_iteration": 3, "time_total_s": reported}))
    progress.update(finished(one, TrialState.ERROR, error="boom", attempt=2))
    assert (progress.of(one.key).total_time, progress.of(one.key).duration) == (shown, 2.5)


def test_an_end_without_metrics_keeps_those_reported() -> None:
    """A worker that dies takes no reported metrics with it."""
    one = trial(1)
    progress = Progress([one])
    progress.update(started(one))
    progress.update(TrialReported(one.key, 1, {"loss": 0.5}))
    progress.update(finished(one, TrialState.ERROR, None, "died"))
    assert progress.of(one.key).metrics == {"loss": 0.5}
    assert progress.of(one.key).error == "died"


def test_a_retried_trial_waits_again_and_keeps_its_error() -> None:
    """A failed attempt leaves its error and nothing that could be taken for the next attempt's."""
    one = trial(1)
    progress = Progress([one])
    progress.update(started(one))
    progress.update(TrialReported(one.key, 1, {"loss": 0.5, "training_iteration": 1}))
    progress.update(TrialRetried(finished(one, TrialState.ERROR, None, "ValueError: bad")))
    entry = progress.of(one.key)
    assert (entry.state, entry.attempt, entry.error) == (TrialState.PENDING, 2, "ValueError: bad")
    assert (entry.location, entry.iteration, entry.metrics, entry.started) == (None, None, None, None)
    progress.update(started(one, 2))
    progress.update(finished(one, attempt=2))
    assert (entry.state, entry.attempt, entry.error) == (TrialState.TERMINATED, 2, None)


def test_a_trial_that_was_not_run_says_why() -> None:
    """A trial that was cut off is NOT_RUN, with a reason, and holds nothing."""
    one = trial(1)
    progress = Progress([one])
    progress.update(started(one))
    progress.update(TrialNotRun(one.key, "interrupted"))
    assert progress.of(one.key).state is TrialState.NOT_RUN
    assert progress.of(one.key).reason == "interrupted"
    assert progress.resources_in_use() == Resources(cpu=0.0)


@pytest.mark.parametrize("state", [state for state in TrialState if state.is_finished])
def test_a_trial_may_end_without_having_been_seen_to_start(state: TrialState) -> None:
    """A cached result, or a worker that died at once, changes no resources."""
    one = trial(1)
    progress = Progress([one])
    progress.update(finished(one, state))
    assert progress.counts() == {state: 1}
    assert progress.resources_in_use() == Resources(cpu=0.0)


def test_resources_are_those_of_the_running_trials() -> None:
    """Every start adds what the trial holds, and every end of an attempt takes it away."""
    held = Resources(2, 0.1, 2**30, (("tpu", 1.0),))
    trials = [trial(number, resources=held) for number in range(10)]
    progress = Progress(trials)
    for one in trials:
        progress.update(started(one))
    assert progress.resources_in_use() == Resources(20, 1.0, 10 * 2**30, (("tpu", 10.0),))
    for one in trials[1:]:
        progress.update(finished(one))
    assert progress.resources_in_use() == held
    progress.update(TrialRetried(finished(trials[0], TrialState.ERROR)))
    assert progress.resources_in_use().as_dict() == {}


def test_events_of_the_session_change_nothing() -> None:
    """What is not about a trial's course is ignored."""
    progress = Progress([trial(1)])
    progress.update(OutputWritten(None, "text"))
    progress.update(HookFailed("hook", "plugin", "error"))
    assert progress.counts() == {TrialState.PENDING: 1}
    assert progress.latest is None


def test_trials_are_added_once_and_kept_in_order() -> None:
    """Iteration follows collection; a trial that is known already keeps what is known of it."""
    one, two = trial(1), trial(2)
    progress = Progress([two])
    progress.update(started(two))
    progress.add([two, one])
    assert [entry.trial.name for entry in progress] == ["train[lr=2]", "train[lr=1]"]
    assert len(progress) == 2
    assert progress.counts() == {TrialState.RUNNING: 1, TrialState.PENDING: 1}


def test_an_unknown_key_is_an_error() -> None:
    """An event about a trial that was never added is a mistake, and is not swallowed."""
    with pytest.raises(KeyError):
        Progress([]).update(started(trial(1)))


def test_metric_names_leave_out_what_fits_no_cell() -> None:
    """The sweep's metric comes first; automatic, nested, long and missing ones do not come."""
    one = trial(1)
    progress = Progress([one])
    metrics = {
        "note": "x" * 21, "training_iteration": 1, "per_class": [1], "nested": {"a": 1}, "none": None,
        "accuracy": 0.5, "loss": 0.1, "phase": "warm", "done": False, "more": 1,
    }  # fmt: skip
    progress.update(TrialReported(one.key, 1, metrics))
    assert progress.metric_names(4) == ["loss", "accuracy", "phase", "done"]


def test_names_that_two_sweeps_share_become_node_ids() -> None:
    """Where two files have a sweep of the same name, its trials are told apart by their node ids."""
    other = Sweep("test_n.py::train", "train")
    progress = Progress([trial(1), trial(1, other)])
    assert [progress.label(entry.trial) for entry in progress] == ["test_m.py::train[lr=1]", "test_n.py::train[lr=1]"]
    assert progress.sweep_label(other) == "test_n.py::train"
    assert Progress([trial(1)]).label(trial(1)) == "train[lr=1]"
