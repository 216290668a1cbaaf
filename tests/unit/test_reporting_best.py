"""What the terminal takes for the best trial, event by event, and the metrics that no trial reported."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pytest_sweep.model import Sweep, Trial, TrialState
from pytest_sweep.model.events import Accepted, TrialRetried
from pytest_sweep.plugin.session.verdict import exit_status
from pytest_sweep.reporting import Progress, best_lines, final_table, missing_metric_lines
from pytest_sweep.reporting.best import best_entries, judged_value
from pytest_sweep.testing.samples import SWEEP, finished, make_trial, reported, started

ACC = replace(SWEEP, metric="acc", mode="max", varying=())


def progress_of(trials: list[Trial], *events: Accepted) -> Progress:
    progress = Progress(trials)
    for event in events:
        progress.update(event)
    return progress


def value_of(progress: Progress, trial: Trial) -> float | None:
    return judged_value(progress.of(trial.key))


def test_the_last_value_and_not_the_last_report() -> None:
    """A trial whose last report lacks the metric is judged by the last finite value, and the table shows it."""
    one, two = trials = [make_trial(1, ACC), make_trial(2, ACC)]
    progress = progress_of(
        trials,
        reported(one, 1, acc=0.5),
        reported(one, 2, acc=math.nan),
        reported(one, 3, loss=1.0),
        finished(one, metrics={"loss": 1.0}),
        finished(two, metrics={"acc": 0.25}),
    )
    assert best_lines(progress)[0].startswith("Best trial of train_model: train_model[lr=1] with acc=0.5 (max)")
    assert "0.5" in final_table(progress).splitlines()[3]


@pytest.mark.parametrize("state", [TrialState.SKIPPED, TrialState.ERROR])
def test_what_failed_is_not_the_best(state: TrialState) -> None:
    """An expected failure and an error have values, and are not best."""
    trial = make_trial(1, ACC)
    progress = progress_of([trial], finished(trial, state, {"acc": 0.9}, "failed"))
    assert value_of(progress, trial) is None
    assert [best.entry for best in best_entries(progress)] == [None]


def retried(trial: Trial) -> TrialRetried:
    return TrialRetried(finished(trial, TrialState.ERROR, error="died"))


def test_a_retry_goes_on_from_its_checkpoint() -> None:
    """Values of a failed attempt count up to the checkpoint that the next one goes on from, as in the history."""
    trial = make_trial(1, ACC)
    before: list[Accepted] = [
        started(trial),
        reported(trial, 1, acc=0.1),
        reported(trial, 2, checkpoint="/c/2", loss=1),
        reported(trial, 3, acc=0.9),
        retried(trial),
    ]
    continued = progress_of(
        [trial], *before, started(trial, 2), reported(trial, 3, 2, loss=2), finished(trial, attempt=2)
    )
    assert value_of(continued, trial) == 0.1
    anew = progress_of([trial], *before, started(trial, 2), reported(trial, 1, 2, loss=2), finished(trial, attempt=2))
    assert value_of(anew, trial) is None
    without = progress_of(
        [trial], started(trial), reported(trial, 1, acc=0.1), retried(trial), finished(trial, attempt=2)
    )
    assert value_of(without, trial) is None


def test_what_an_earlier_run_reported() -> None:
    """A trial that is taken, or continued, is judged by what it reported in the earlier run."""
    taken, continued = trials = [make_trial(1, ACC), make_trial(2, ACC)]
    progress = progress_of(trials, finished(taken, TrialState.CACHED, {"loss": 1}))
    reports = [{"training_iteration": 1, "acc": 0.1}, {"training_iteration": 2, "acc": 0.3}]
    progress.recall(taken.key, reports)
    progress.recall(continued.key, reports, checkpoint=1)
    progress.update(reported(continued, 2, 2, loss=1))
    progress.update(finished(continued, metrics={"loss": 1}, attempt=2))
    assert [value_of(progress, trial) for trial in trials] == [0.3, 0.1]


LOSS = Sweep("t.py::other", "other", "accuracy", "max")


def test_a_metric_that_no_trial_reported() -> None:
    """The line names the metric and what was reported instead, and the session fails."""
    trials = [make_trial(number, LOSS) for number in (1, 2)]
    progress = progress_of(
        trials,
        finished(trials[0], metrics={"acc": 0.5, "val": {"f1": 1}, "training_iteration": 3, "timestamp": 1.0}),
        finished(trials[1], metrics={"acc": 0.5}),
    )
    assert missing_metric_lines(progress) == ["other: no trial reported 'accuracy'; reported: acc, val/f1"]
    assert exit_status(0, 0, {}, progress, cut_short=False, unstored=False) == 1
    assert exit_status(2, 0, {}, progress, cut_short=False, unstored=False) == 2
    nothing = progress_of(trials[:1], finished(trials[0]))
    assert missing_metric_lines(nothing) == ["other: no trial reported 'accuracy'; reported: nothing"]


@pytest.mark.parametrize(
    "end",
    [
        (TrialState.TERMINATED, {"accuracy": math.nan}),
        (TrialState.ERROR, {"acc": 1}),
        (TrialState.SKIPPED, None),
    ],
)
def test_metrics_that_are_not_missing(end: tuple[TrialState, dict[str, object] | None]) -> None:
    """NaN is a number; where no trial ended well, that says enough."""
    trial = make_trial(1, LOSS)
    assert missing_metric_lines(progress_of([trial], finished(trial, *end))) == []


@pytest.mark.parametrize(("value", "kind"), [("good", "a string"), ([1.0], "a list"), (None, "None"), ({}, "a dict")])
def test_a_metric_that_is_no_number(value: object, kind: str) -> None:
    """The session fails, and one line says what the metric was instead of a number, also if the last report lacks it."""
    trial = make_trial(1, LOSS)
    last = progress_of([trial], finished(trial, metrics={"accuracy": value}))
    earlier = progress_of([trial], reported(trial, 1, accuracy=value), finished(trial, metrics={"loss": 1}))
    for progress in (last, earlier):
        assert missing_metric_lines(progress) == [f"other: no trial reported a number as 'accuracy': it was {kind}"]
        assert best_lines(progress) == []
        assert exit_status(0, 0, {}, progress, cut_short=False, unstored=False) == 1


def test_a_metric_that_is_a_dict_of_numbers() -> None:
    """The names of its numbers are listed, of which one is the metric that was meant."""
    trial = make_trial(1, LOSS)
    progress = progress_of([trial], finished(trial, metrics={"accuracy": {"top1": 0.5}}))
    assert missing_metric_lines(progress) == ["other: no trial reported 'accuracy'; reported: accuracy/top1"]


def test_one_trial_that_reports_it_is_enough() -> None:
    """Trials may differ in what they report."""
    one, two = trials = [make_trial(1, LOSS), make_trial(2, LOSS)]
    progress = progress_of(trials, finished(one, metrics={"acc": 1}), finished(two, metrics={"accuracy": 1}))
    assert missing_metric_lines(progress) == []
