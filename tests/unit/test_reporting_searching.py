"""What is known and shown of trials that are chosen, paused and stopped while the run goes on, and of several metrics."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from pytest_sweep.model import Sweep, Trial, TrialState
from pytest_sweep.model.events import (
    Accepted,
    TrialConfigured,
    TrialFinished,
    TrialJudged,
    TrialReported,
    TrialResumed,
    TrialRetried,
    TrialStarted,
)
from pytest_sweep.model.search_events import Proposed
from pytest_sweep.model.study import Objective, Observation, Resumption, Verdict, VerdictKind
from pytest_sweep.plugin.session.verdict import exit_status
from pytest_sweep.reporting import (
    Progress,
    best_lines,
    default_columns,
    final_table,
    flaky_line,
    junit_suite_properties,
    missing_metric_lines,
    missing_metrics,
    summary_line,
)
from pytest_sweep.reporting.front import fronts, objective_values

SWEEP = Sweep("test_m.py::train", "train", metric="loss", mode="min", varying=("lr",), search="tpe", scheduler="asha")
SEVERAL = replace(SWEEP, objectives=(Objective("loss", "min"), Objective("speed", "max")), feasible=("memory < 9",))


def slots(count: int, sweep: Sweep = SWEEP) -> list[Trial]:
    return [
        Trial(
            f"key{n}",
            f"{sweep.id}[trial={n}]",
            f"train[trial={n}]",
            sweep,
            {},
            label=f"trial={n}",
            study=sweep.id,
            slot=n,
        )
        for n in range(count)
    ]


def configured(slot: Trial, lr: float) -> TrialConfigured:
    return TrialConfigured(1, Proposed(slot.key, {"lr": lr}, f"lr={lr}", f"point{lr}"), SWEEP.id)


def ended(
    slot: Trial, state: TrialState = TrialState.TERMINATED, error: str | None = None, attempt: int = 1, **metrics: Any
) -> TrialFinished:
    return TrialFinished(slot.key, attempt, state, metrics or None, error, 2.0, 102.0)


def progress_of(trials: list[Trial], *happened: Accepted) -> Progress:
    progress = Progress(trials)
    for event in happened:
        progress.update(event)
    return progress


def started(slot: Trial, attempt: int = 1) -> TrialStarted:
    return TrialStarted(slot.key, attempt, 100.0, "127.0.0.1:42")


def test_a_slot_has_columns_when_it_is_configured() -> None:
    """Its cells are empty before, and filled from then on."""
    one, two = slots(2)
    table = final_table(progress_of([one, two], configured(one, 0.5), started(one), ended(one, loss=1.0)))
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| train")
    ]
    assert rows[0][:3] == ["train[trial=0]", "0.5", "TERMINATED"]
    assert rows[1][:3] == ["train[trial=1]", "", "PENDING"]


def test_what_paused_in_an_earlier_run_has_its_metrics_when_the_engine_ends_it() -> None:
    """A trial that paused before the run was resumed, and never goes on, is shown with what it had reported there."""
    (trial,) = slots(1)
    end = ended(trial, TrialState.STOPPED, "asha: 2 at iteration 3, needed 1 of 9", loss=2.0, training_iteration=3)
    entry = progress_of([trial], configured(trial, 0.5), end).of(trial.key)
    assert (entry.iteration, entry.judged, entry.metrics) == (3, 2.0, {"loss": 2.0, "training_iteration": 3})


def test_an_explored_configuration_is_shown() -> None:
    """The table and the line of the best trial have the configuration with which a trial goes on, not the one before."""
    trial = replace(slots(1)[0], config={"lr": 0.1}, slot=None)
    explored = TrialResumed(2, Resumption(trial.key, donor="key9", config={"lr": 0.08}), SWEEP.id)
    progress = progress_of([trial], started(trial), explored, ended(trial, loss=1.0, training_iteration=8))
    assert "0.08" in final_table(progress)
    assert "config: lr=0.08" in "\n".join(best_lines(progress))


def test_a_paused_trial_has_not_ended_and_its_next_leg_is_no_second_try() -> None:
    """It is counted as PAUSED, keeps its metrics, is not flaky when it passes, and frees what it held."""
    (one,) = slots(1)
    progress = progress_of([one], configured(one, 0.5), started(one), ended(one, TrialState.PAUSED, loss=3.0))
    assert progress.counts() == {TrialState.PAUSED: 1}
    assert progress.ended == []
    assert progress.resources_in_use().cpu == 0
    assert progress.of(one.key).metrics == {"loss": 3.0}
    assert "1 PAUSED" in summary_line(progress, 1.0, 101.0)
    progress.update(started(one, 2))
    progress.update(ended(one, attempt=2, loss=1.0))
    assert progress.counts() == {TrialState.TERMINATED: 1}
    assert flaky_line(progress) == ""


def test_what_the_engine_ends_has_its_reason() -> None:
    """A paused trial that does not go on is STOPPED and keeps what it reported; a slot that is not needed is SKIPPED."""
    one, two = slots(2)
    progress = progress_of(
        [one, two],
        configured(one, 0.5),
        started(one),
        ended(one, TrialState.PAUSED, loss=3.0),
        ended(one, TrialState.STOPPED, "asha: 3 at iteration 1, needed 2 of 9"),
        ended(two, TrialState.SKIPPED, "no better for 10 trials"),
    )
    first, second = progress.of(one.key), progress.of(two.key)
    assert (first.state, first.stopped_by, first.error, first.judged) == (
        TrialState.STOPPED, "asha: 3 at iteration 1, needed 2 of 9", None, 3.0,
    )  # fmt: skip
    assert (second.state, second.reason, second.error, second.total_time) == (
        TrialState.SKIPPED, "no better for 10 trials", None, None,
    )  # fmt: skip


def test_a_verdict_says_why_a_trial_was_stopped() -> None:
    """The reason of a verdict to stop is known; other verdicts say nothing."""
    one, two = slots(2)
    seen = Observation(one.key, 3, (7.0,))
    progress = progress_of(
        [one, two],
        TrialJudged(1, 1, seen, Verdict(VerdictKind.STOP, "too high")),
        TrialJudged(2, 1, replace(seen, key=two.key), Verdict(VerdictKind.PAUSE, "later")),
    )
    assert [progress.of(its.key).stopped_by for its in (one, two)] == ["too high", ""]


def test_the_front_is_marked_and_told() -> None:
    """Of several metrics, the trials that none beats have a star, one line names them, and junit does; infeasible ones are never best."""
    some = slots(4, SEVERAL)
    values = [(1.0, 1.0, 5), (2.0, 2.0, 5), (3.0, 1.0, 5), (0.1, 9.0, 10)]
    happened = [
        event
        for one, (loss, speed, memory) in zip(some, values, strict=True)
        for event in (configured(one, loss), started(one), ended(one, loss=loss, speed=speed, memory=memory))
    ]
    progress = progress_of(some, *happened)
    (star,) = (column for column in default_columns(progress) if column.name == "best")
    assert [star.value(entry) for entry in progress] == ["*", "*", None, None]
    (line,) = best_lines(progress)
    assert line.startswith(
        "Best trials of train: 2 trials that none beats in loss (min) and speed (max), of those that meet memory < 9: "
    )
    assert line.endswith(": train[trial=0] with loss=1, speed=1; train[trial=1] with loss=2, speed=2")
    assert junit_suite_properties(progress) == [("sweep.best.train", "train[trial=0], train[trial=1]")]


def test_no_front() -> None:
    """Where no trial has all metrics, the line says so."""
    (one,) = slots(1, SEVERAL)
    progress = progress_of([one], configured(one, 1.0), started(one), ended(one, loss=1.0, speed=math.nan, memory=1))
    expected = (
        "Best trials of train: none, because no trial that meets memory < 9 ended well with a finite value of loss (min) and "
        "speed (max)"
    )
    assert best_lines(progress) == [expected]


def test_all_metrics_are_judged_by_their_last_finite_values() -> None:
    """A metric that the last report lacks, or has as NaN, is judged by the last finite value, as results judge it; for a retry, too."""
    one, two = slots(2, replace(SEVERAL, feasible=()))
    reports = [
        TrialReported(one.key, 1, metrics)
        for metrics in ({"loss": 2.0, "speed": 3.0}, {"loss": 1.0, "speed": math.nan})
    ]
    progress = progress_of([one, two], started(one), *reports, ended(one, loss=1.0))
    assert [entry.trial.name for entry in fronts(progress)["test_m.py::train"]] == ["train[trial=0]"]
    assert objective_values(progress.of(one.key)) == [1.0, 3.0]
    failed = ended(two, TrialState.ERROR, "boom", loss=9.0, speed=9.0)
    progress = progress_of(
        [one, two], started(two), TrialReported(two.key, 1, {"loss": 9.0, "speed": 9.0}), TrialRetried(failed)
    )
    assert progress.of(two.key).others == ()
    progress.recall(two.key, [{"loss": 1.0, "speed": 2.0}, {"loss": 3.0}])
    assert (progress.of(two.key).judged, progress.of(two.key).others) == (3.0, (2.0,))


def test_a_metric_that_nobody_reports() -> None:
    """It is an error of the session, whichever of several metrics it is, and named."""
    (one,) = slots(1, SEVERAL)
    progress = progress_of([one], configured(one, 1.0), started(one), ended(one, loss=1.0, memory=1))
    assert [its.metric for its in missing_metrics(progress)] == ["speed"]
    assert missing_metric_lines(progress) == ["train: no trial reported 'speed'; reported: loss, memory"]
    progress = progress_of([one], started(one), ended(one, loss=1.0, speed="fast"))
    assert missing_metric_lines(progress) == ["train: no trial reported a number as 'speed': it was a string"]
    assert best_lines(progress) == []
    assert exit_status(0, 0, {}, progress, cut_short=False, unstored=False) == 1


def test_an_infeasible_trial_is_not_the_best() -> None:
    """With one metric, too, the best trial is one that meets the conditions."""
    sweep = replace(SWEEP, feasible=("memory < 9",))
    one, two = slots(2, sweep)
    progress = progress_of(
        [one, two],
        configured(one, 0.1), started(one), ended(one, loss=0.1, memory=10),
        configured(two, 0.2), started(two), ended(two, loss=0.2, memory=5),
    )  # fmt: skip
    assert best_lines(progress)[0].startswith("Best trial of train: train[trial=1] with loss=0.2")
