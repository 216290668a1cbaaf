"""The best result of configurations with replicates, of failures, and over several scopes."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.errors import NoResultsError
from pytest_sweep.model import Sweep, Trial, TrialState
from pytest_sweep.model.events import Accepted
from pytest_sweep.model.judging import Goal
from pytest_sweep.results import QueryError, ResultGrid, load_results, newest_results
from pytest_sweep.results.best import configuration_results
from pytest_sweep.testing.samples import SWEEP, finished, make_replicates, make_trial, reported, started
from tests.support.stored import store_run

ACC = replace(SWEEP, metric="acc", mode="max")


def grid_of(results_dir: Path, trials: Sequence[Trial], events: Sequence[Accepted]) -> ResultGrid:
    return load_results(store_run(results_dir, trials, events))["train_model"]


def folds(number: int, count: int, sweep: Sweep = replace(ACC, average_over=("fold",))) -> list[Trial]:  # noqa: B008
    """Return the trials of one configuration of a cross-validation, as collection makes them."""
    return [
        replace(
            make_trial(number * 100 + fold, sweep),
            name=f"train_model[lr={number}-{fold}]",
            id=f"{sweep.id}[lr={number}-{fold}]",
            config={"lr": number},
            params={"fold": fold},
            group=f"{number:016x}",
            configuration=f"train_model[lr={number}]",
        )
        for fold in range(count)
    ]


@pytest.fixture
def steady_and_lucky(tmp_path: Path) -> ResultGrid:
    """Three replicates each: of the first configuration all good, of the second one better and two bad ones."""
    trials = [*make_replicates(1, 3, ACC), *make_replicates(2, 3, ACC)]
    values = [0.8, 0.8, 0.8, 0.1, 0.99, 0.1]
    events = [
        finished(trial, metrics={"acc": value, "training_iteration": 4, "net": {"size": 10 * value}, "kind": "cnn"})
        for trial, value in zip(trials, values, strict=True)
    ]
    return grid_of(tmp_path, trials, events)


def test_replicates_are_judged_by_their_mean(steady_and_lucky: ResultGrid) -> None:
    """A single lucky seed does not win; the mean is in the metrics, and is what best_value says."""
    best = steady_and_lucky.get_best_result()
    assert (best.config, best.name, best.metrics and best.metrics["acc"]) == ({"lr": 1}, "train_model[lr=1]", 0.8)
    assert best.replicates == tuple(steady_and_lucky[:3])
    assert (steady_and_lucky.best_value, steady_and_lucky.best_params) == (0.8, {"lr": 1})
    worst = steady_and_lucky.get_best_result(mode="min")
    assert worst.metrics == {
        "acc": pytest.approx(1.19 / 3),
        "training_iteration": 4,
        "net": {"size": pytest.approx(11.9 / 3)},
        "kind": "cnn",
    }
    # What only a single trial has is that of the best replicate, here by the lowest value.
    assert worst.key == steady_and_lucky[3].key


def test_the_text_of_a_configuration(steady_and_lucky: ResultGrid) -> None:
    """It has the name of the configuration and the number of replicates, and nothing that only one of them has."""
    text = repr(steady_and_lucky.get_best_result())
    assert text.startswith("Result(\n  name='train_model[lr=1]',\n  replicates=3,\n  metrics={")
    assert not any(f"  {name}=" in text for name in ("trial_id", "state", "path"))
    assert repr(steady_and_lucky.get_best_result(by="replicate")).startswith("Result(\n  trial_id=")


def test_a_single_replicate_can_be_asked_for(steady_and_lucky: ResultGrid) -> None:
    """With by="replicate" the luckiest trial is the best one, as it was reported."""
    best = steady_and_lucky.get_best_result(by="replicate")
    assert best is steady_and_lucky[4]
    assert (best.name, best.replicates) == ("train_model[lr=2#2]", (best,))
    with pytest.raises(QueryError, match="by='seed': choose 'configuration' or 'replicate'"):
        steady_and_lucky.get_best_result(by="seed")  # type: ignore[arg-type]


def test_replicates_that_failed_do_not_count(tmp_path: Path) -> None:
    """The mean is over the replicates that ended well; with include_failed over all that ended."""
    trials = [*make_replicates(1, 2, ACC), *make_replicates(2, 2, ACC)]
    events = [
        finished(trials[0], metrics={"acc": 0.5}),
        finished(trials[1], TrialState.ERROR, {"acc": 0.1}, "died"),
        finished(trials[2], metrics={"acc": 0.4}),
        finished(trials[3], metrics={"acc": 0.4}),
    ]
    grid = grid_of(tmp_path, trials, events)
    assert grid.best_value == 0.5
    assert len(grid.get_best_result().replicates) == 2
    assert grid.get_best_result(include_failed=True).config == {"lr": 2}


def test_a_replicate_that_diverged_is_not_hidden(tmp_path: Path) -> None:
    """A configuration of which one replicate only reported NaN is no candidate, unless that is asked for."""
    trials = [*make_replicates(1, 2), *make_replicates(2, 2)]
    values = [0.1, math.nan, 3.0, 4.0]
    grid = grid_of(
        tmp_path, trials, [finished(one, metrics={"loss": v}) for one, v in zip(trials, values, strict=True)]
    )
    assert grid.get_best_result().config == {"lr": 2}
    assert grid.get_best_result(by="replicate").config == {"lr": 1}


def test_what_failed_is_no_candidate(tmp_path: Path) -> None:
    """An error and an expected failure never win unless failures are asked for, and then the text says how to ask."""
    trials = [make_trial(number) for number in range(6)]
    events: list[Accepted] = [
        finished(trials[0], TrialState.SKIPPED, {"loss": 0.01}, "xfail: it diverges"),
        finished(trials[1], TrialState.ERROR, {"loss": 0.02}, "RuntimeError"),
        finished(trials[2], metrics={"loss": 0.9}),
        started(trials[3]),
        reported(trials[3], 1, loss=0.001),
    ]
    grid = grid_of(tmp_path, trials, events)
    assert grid.get_best_result() is grid[2]
    assert grid.get_best_result(include_failed=True) is grid[0]
    with pytest.raises(NoResultsError, match=r"no trial of .* ended well \(1 SKIPPED, 1 ERROR\); include_failed=True"):
        grid[:2].get_best_result()
    with pytest.raises(NoResultsError, match=r"no trial of .* ended \(2 NOT_RUN, 1 INTERRUPTED\)$"):
        grid[3:].get_best_result(include_failed=True)


def test_the_last_value_and_not_the_last_report(tmp_path: Path) -> None:
    """A metric that is missing in the last reports is judged by its last finite value; the mean of replicates shows it."""
    trials = [*make_replicates(1, 2, ACC), make_trial(9, ACC)]
    events: list[Accepted] = []
    for trial, values in zip(trials, ([0.1, 0.7], [0.9, 0.3], [0.4, math.nan]), strict=True):
        events += [reported(trial, number, acc=value) for number, value in enumerate(values, 1)]
        events += [reported(trial, 3, loss=1.0), finished(trial, metrics={"loss": 1.0, "training_iteration": 3})]
    grid = grid_of(tmp_path, trials, events)
    assert (grid.best_value, grid.get_best_result().metrics) == (
        0.5, {"loss": 1.0, "training_iteration": 3, "acc": 0.5},
    )  # fmt: skip
    assert grid[2:].best_value == 0.4
    assert [record["acc/mean"] for record in grid.aggregate()] == [0.5, 0.4]


def test_a_nested_metric_of_replicates(tmp_path: Path) -> None:
    """The mean of a nested metric stands where the metric does."""
    trials = make_replicates(1, 2, replace(ACC, metric="val/acc"))
    events: list[Accepted] = []
    for trial, value in zip(trials, (0.2, 0.4), strict=True):
        events += [reported(trial, 1, val={"acc": value}), finished(trial, metrics={"loss": 1})]
    best = grid_of(tmp_path, trials, events).get_best_result()
    assert best.metrics == {"loss": 1, "val": {"acc": pytest.approx(0.3)}}


def test_averages_over_folds(tmp_path: Path) -> None:
    """With average_over the folds are replicates: one record, one row and one result a configuration, without the fold."""
    trials = [*folds(1, 3), *folds(2, 3)]
    values = [0.8, 0.8, 0.8, 0.99, 0.1, 0.1]
    grid = grid_of(tmp_path, trials, [finished(one, metrics={"acc": v}) for one, v in zip(trials, values, strict=True)])
    best = grid.get_best_result()
    assert (best.name, best.config, best.params, len(best.replicates)) == ("train_model[lr=1]", {"lr": 1}, {}, 3)
    assert [one.params for one in best.replicates] == [{"fold": 0}, {"fold": 1}, {"fold": 2}]
    assert [(row["name"], row["trials"], row["acc/mean"]) for row in grid.aggregate()] == [
        ("train_model[lr=1]", 3, 0.8), ("train_model[lr=2]", 3, pytest.approx(1.19 / 3)),
    ]  # fmt: skip
    frame = grid.get_dataframe()
    assert list(frame.columns) == ["name", "state", "replicates", "done", "acc", "config/lr"]
    assert list(frame["acc"]) == [0.8, pytest.approx(1.19 / 3)]
    every = grid.get_dataframe(by="replicate")
    assert list(every["params/fold"]) == [0, 1, 2, 0, 1, 2]
    assert grid[1:2].get_best_result().name == "train_model[lr=1]"


def test_a_metric_that_is_no_number(tmp_path: Path) -> None:
    """The error says what the metric is instead of a number."""
    trials = [make_trial(number, ACC) for number in (1, 2)]
    events = [finished(one, metrics={"acc": value}) for one, value in zip(trials, ([0.5], "high"), strict=True)]
    with pytest.raises(NoResultsError, match="has a number as 'acc': it is a list or a string"):
        grid_of(tmp_path, trials, events).get_best_result()


LOST_FOLDS: list[tuple[TrialState, dict[str, Any] | None]] = [
    (TrialState.ERROR, {"acc": 0.9}),
    (TrialState.SKIPPED, None),
    (TrialState.TERMINATED, {"other": 1}),
]


def lost_fold(results_dir: Path, state: TrialState, metrics: dict[str, Any] | None) -> ResultGrid:
    """Return two configurations of three folds: of the second one, which is better, the last fold ended so."""
    trials = [*folds(1, 3), *folds(2, 3)]
    events = [
        *[finished(one, metrics={"acc": value}) for one, value in zip(trials, (0.8, 0.8, 0.2, 0.9, 0.9), strict=False)],
        finished(trials[-1], state, metrics, None if state is TrialState.TERMINATED else "gone"),
    ]
    return grid_of(results_dir, trials, events)


@pytest.mark.parametrize(("state", "metrics"), LOST_FOLDS)
def test_a_configuration_needs_all_folds(tmp_path: Path, state: TrialState, metrics: dict[str, Any] | None) -> None:
    """A configuration that lost a fold has no mean, and is no candidate unless failures are."""
    grid = lost_fold(tmp_path, state, metrics)
    assert grid.get_best_result().config == {"lr": 1}
    assert grid.get_best_result(include_failed=True).config == {"lr": 2}
    assert grid.get_best_result(by="replicate").config == {"lr": 2}
    with pytest.raises(
        NoResultsError, match=r"'acc' of all its trials, .*average_over.*: train_model\[lr=2\] \(2 of 3\);"
    ):
        grid[3:].get_best_result()


@pytest.mark.parametrize(("state", "metrics"), LOST_FOLDS)
def test_tables_say_which_folds_are_missing(tmp_path: Path, state: TrialState, metrics: dict[str, Any] | None) -> None:
    """Data frame and records have no mean of a configuration that lost a fold, and count the trials that finished well."""
    grid, done = lost_fold(tmp_path, state, metrics), 3 if state is TrialState.TERMINATED else 2
    frame = grid.get_dataframe()
    assert list(frame["done"]) == [3, done]
    assert list(frame["acc"].isna()) == [False, True]
    records = [(row["trials"], row["done"], row["acc/mean"], row["acc/std"]) for row in grid.aggregate()]
    assert records[1] == (3, done, None, None)
    assert records[0][2] == pytest.approx(0.6)


def test_the_session_decides_what_is_averaged(tmp_path: Path) -> None:
    """Stored results are grouped as the sweep is written now, whatever it averaged over when they were made."""
    now = folds(1, 2)
    before = [replace(trial, sweep=ACC, group="", configuration="", params={}) for trial in now]
    events = [finished(trial, metrics={"acc": value}) for trial, value in zip(before, (0.2, 0.4), strict=True)]
    store_run(tmp_path, before, events)
    grid = newest_results(tmp_path, {ACC.id: now})["train_model"]
    assert grid.best_value == pytest.approx(0.3)
    assert grid[0].params == {"fold": 0}
    apart = newest_results(tmp_path, {ACC.id: before})["train_model"]
    assert apart.best_value == 0.4


def test_best_params_have_stacked_parameters(tmp_path: Path) -> None:
    """Without average_over a stacked parameter is one of the parameters of the best trial."""
    trials = [replace(one, sweep=ACC, group="", configuration="") for one in folds(1, 2)]
    grid = grid_of(tmp_path, trials, [finished(one, metrics={"acc": one.params["fold"]}) for one in trials])
    assert grid.best_params == {"lr": 1, "fold": 1}
    assert "params={'fold': 1}" in repr(grid.get_best_result())


@pytest.mark.parametrize("scope", ["last-5-avg", "last-10-avg"])
def test_means_of_the_last_reports(tmp_path: Path, scope: Any) -> None:
    """The mean of the last few reports chooses another trial than the last one does."""
    trials = [make_trial(0), make_trial(1)]
    events: list[Accepted] = []
    for trial, values in zip(trials, ([9.0] * 11 + [0.0], [5.0] * 12), strict=True):
        events += [reported(trial, number, loss=value) for number, value in enumerate(values, 1)]
        events.append(finished(trial, metrics={"loss": values[-1], "training_iteration": 12}))
    grid = grid_of(tmp_path, trials, events)
    assert grid.get_best_result() is grid[0]
    assert grid.get_best_result(scope=scope) is grid[1]


def test_infinite_values_on_request(tmp_path: Path) -> None:
    """As in Tune, filter_nan_and_inf=False lets an infinity win."""
    trials = [make_trial(0), make_trial(1)]
    grid = grid_of(
        tmp_path, trials, [finished(trials[0], metrics={"loss": 1.0}), finished(trials[1], metrics={"loss": -math.inf})]
    )
    assert grid.get_best_result() is grid[0]
    assert grid.get_best_result(filter_nan_and_inf=False) is grid[1]


def test_a_configuration_can_be_pickled(steady_and_lucky: ResultGrid) -> None:
    """The means are plain numbers, and the result travels together with its replicates."""
    best = pickle.loads(pickle.dumps(steady_and_lucky.get_best_result(mode="min")))
    assert type(best.metrics["acc"]) is float
    assert [one.key for one in best.replicates] == [one.key for one in steady_and_lucky[3:]]


def test_a_configuration_without_the_metric(tmp_path: Path) -> None:
    """One of which no fold has the metric gets none; one of which only some have it has None in its place."""
    trials = [*folds(1, 2), *folds(2, 2)]
    events = [
        *(finished(trial, metrics={"other": 1.0}) for trial in trials[:2]),
        finished(trials[2], metrics={"acc": 0.5}),
        finished(trials[3], metrics={"other": 1.0}),
    ]
    grid = grid_of(tmp_path, trials, events)
    without, partly = configuration_results(grid, grid.average_over, Goal("acc", "max"))
    assert without.metrics == {"other": 1.0}
    assert partly.metrics == {"acc": None, "other": 1.0}
