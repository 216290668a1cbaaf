"""Data frames: their columns, all reports, and names that collide."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.model import Trial
from pytest_sweep.model.events import Accepted
from pytest_sweep.results import QueryError, ResultGrid, load_results
from pytest_sweep.testing.samples import finished, make_replicates, make_trial, reported
from tests.support.stored import store_run


def grid_of(results_dir: Path, trials: list[Trial], events: list[Accepted]) -> ResultGrid:
    return load_results(store_run(results_dir, trials, events))["train_model"]


@pytest.fixture
def curves(tmp_path: Path) -> ResultGrid:
    """Two replicates with curves, and a trial that reported nothing."""
    trials = [*make_replicates(1, 2), replace(make_trial(2), params={"fold": 0})]
    events: list[Accepted] = [
        reported(trials[0], 1, loss=0.5),
        reported(trials[0], 2, loss=0.25),
        finished(trials[0], metrics={"loss": 0.25, "training_iteration": 2, "size": 7}),
        reported(trials[1], 1, loss=0.75),
        finished(trials[1], metrics={"loss": 0.75, "training_iteration": 1}),
    ]
    return grid_of(tmp_path, trials, events)


def test_a_row_a_trial(curves: ResultGrid) -> None:
    """Each row says which trial it is: id, name, state, seed, replicate, configuration and parameters."""
    frame = curves.get_dataframe()
    assert list(frame["name"]) == ["train_model[lr=1]", "train_model[lr=1#2]", "train_model[lr=2]"]
    assert list(frame["replicate"]) == [0, 1, 0]
    assert list(frame["seed"]) == [7, 7, 7]
    assert list(frame["config/lr"]) == [1, 1, 2]
    assert frame["params/fold"][2] == 0
    assert list(frame.columns)[:5] == ["trial_id", "name", "state", "seed", "replicate"]


def test_the_history_has_what_was_returned(curves: ResultGrid) -> None:
    """In `metrics_history` and `metrics_dataframe` the last report is completed by what the body returned, as in all reports."""
    history = curves[0].metrics_history
    assert history == [
        {"loss": 0.5, "training_iteration": 1},
        {"loss": 0.25, "training_iteration": 2, "size": 7},
    ]
    assert history[-1] == curves[0].metrics
    assert curves[0].metrics_dataframe["size"].tolist()[1:] == [7]
    assert curves[2].metrics_history == []


def test_what_was_returned_hides_no_report(tmp_path: Path) -> None:
    """A returned value of a metric that was reported is an entry of its own: the report stays, and counts among all."""
    trial = make_trial(1)
    events: list[Accepted] = [
        reported(trial, 1, loss=0.5, other=math.nan),
        reported(trial, 2, loss=0.05, other=math.nan),
        finished(trial, metrics={"loss": 0.9, "other": math.nan, "training_iteration": 2}),
    ]
    grid = grid_of(tmp_path, [trial], events)
    assert [report["loss"] for report in grid[0].metrics_history] == [0.5, 0.05, 0.9]
    assert list(grid.get_dataframe(all_reports=True)["loss"]) == [0.5, 0.05, 0.9]
    assert list(grid.get_dataframe("loss", "min")["loss"]) == [0.05]


def test_the_history_of_a_trial_that_only_returned(tmp_path: Path) -> None:
    """Where nothing was reported, the returned metrics are the only entry of the history."""
    trial = make_trial(1)
    (result,) = grid_of(tmp_path, [trial], [finished(trial, metrics={"loss": 3, "training_iteration": 1})])
    assert result.metrics_history == [{"loss": 3, "training_iteration": 1}]
    assert result.metrics_dataframe.to_dict("records") == result.metrics_history


def test_the_history_of_the_best_of_replicates(curves: ResultGrid) -> None:
    """The best result has the mean as its metric, and the history of its best replicate, without the mean."""
    best = curves.get_best_result("loss", "min")
    assert best.metrics is not None
    assert best.metrics["loss"] == 0.5
    assert best.metrics_history == curves[0].metrics_history
    assert [report["loss"] for report in best.metrics_history] == [0.5, 0.25]


@pytest.mark.parametrize("field", ["config", "params", "metrics"])
def test_changing_what_a_result_gives_changes_nothing(tmp_path: Path, field: str) -> None:
    """Whoever changes the configuration, parameters or metrics of a result, also within them, changes a copy."""
    content: dict[str, Any] = {"loss": 1, "layers": [1, {"units": [2]}]}
    trial = replace(make_trial(1, **content), params=dict(content))
    grid = grid_of(tmp_path, [trial], [finished(trial, metrics=dict(content))])
    frame, best = grid.get_dataframe(), grid.get_best_result("loss", "min")
    for result in (grid[0], best, best.replicates[0]):
        changed = getattr(result, field)
        changed["layers"][1]["units"].append(3)
        changed["layers"].append(4)
        del changed["loss"]
        assert content.items() <= getattr(result, field).items()
    assert grid.get_dataframe().to_dict("records") == frame.to_dict("records")
    assert grid.get_best_result("loss", "min").metrics == best.metrics


def test_all_reports(curves: ResultGrid) -> None:
    """With all_reports there is a row for each report, the last one completed by what the body returned."""
    frame = curves.get_dataframe(all_reports=True)
    assert list(zip(frame["name"], frame["training_iteration"].fillna(0), frame["loss"].fillna(0), strict=True)) == [
        ("train_model[lr=1]", 1, 0.5),
        ("train_model[lr=1]", 2, 0.25),
        ("train_model[lr=1#2]", 1, 0.75),
        ("train_model[lr=2]", 0, 0),
    ]
    assert (math.isnan(frame["size"][0]), frame["size"][1]) == (True, 7)


def test_a_row_a_configuration(curves: ResultGrid) -> None:
    """With by="configuration" replicates are one row of means."""
    frame = curves.get_dataframe(by="configuration")
    assert list(frame["name"]) == ["train_model[lr=1]", "train_model[lr=2]"]
    assert (list(frame["replicates"]), frame["loss"][0]) == ([2, 1], 0.5)


def test_arguments_that_contradict_each_other(curves: ResultGrid) -> None:
    """They are refused with a sentence, as are unknown values."""
    with pytest.raises(QueryError, match="all_reports=True and filter_metric= contradict each other"):
        curves.get_dataframe("loss", all_reports=True)
    with pytest.raises(QueryError, match="by='configuration' averages final metrics: leave out"):
        curves.get_dataframe(all_reports=True, by="configuration")
    with pytest.raises(QueryError, match="by='trial': choose 'configuration' or 'replicate'"):
        curves.get_dataframe(by="trial")  # type: ignore[call-overload,unused-ignore,arg-type]


def test_metrics_with_the_names_of_columns(tmp_path: Path) -> None:
    """A metric that is called like a column gets a prefix, in every row, and both are kept; so does a nested one like a plain one."""
    trials = [make_trial(1), make_trial(2)]
    metrics = {
        "state": "good", "seed": 3, "name": "n", "trial_id": "t", "replicate": 9, "config/lr": 5, "metrics/seed": 4, "a/b": 1,
        "a": {"b": 2},
    }  # fmt: skip
    frame = grid_of(
        tmp_path, trials, [finished(trials[0], metrics=metrics), finished(trials[1], metrics={"seed": 4})]
    ).get_dataframe()
    assert list(frame["state"]) == ["TERMINATED", "TERMINATED"]
    assert frame["metrics/state"][0] == "good"
    assert list(frame["seed"]) == [7, 7]
    assert list(frame["metrics/metrics/seed"]) == [3, 4]
    assert frame["metrics/seed"][0] == 4
    assert list(frame["config/lr"]) == [1, 2]
    assert frame["metrics/config/lr"][0] == 5
    assert (frame["metrics/name"][0], frame["metrics/trial_id"][0], frame["metrics/replicate"][0]) == ("n", "t", 9)
    assert (frame["a/b"][0], frame["metrics/a/b"][0]) == (1, 2)
