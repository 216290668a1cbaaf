"""A grid answers which result is best, and becomes a table."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.errors import MissingExtraError, NoResultsError, SweepError
from pytest_sweep.model import TrialState
from pytest_sweep.model.events import Accepted
from pytest_sweep.results import QueryError, Result, ResultGrid, load_results
from pytest_sweep.testing.samples import SWEEP, finished, make_trial, reported, started
from tests.support.stored import store_run

Make = Callable[..., ResultGrid]


@pytest.fixture
def grid_of(tmp_path: Path) -> Make:
    """A function that stores a run and reads it: one trial for each argument, a list of values or one final value."""

    def make(*losses: Any, metric: str = "loss", config: dict[str, Any] | None = None) -> ResultGrid:
        trials = [make_trial(number, **(config or {})) for number in range(len(losses))]
        events: list[Accepted] = []
        for trial, values in zip(trials, losses, strict=True):
            rows = [{metric: value} for value in values] if isinstance(values, list) else []
            events += [reported(trial, iteration, **row) for iteration, row in enumerate(rows, 1)]
            last = {**rows[-1], "training_iteration": len(rows)} if rows else values
            final = last if last is None or isinstance(last, dict) else {metric: last}
            events.append(finished(trial, metrics=final))
        path = store_run(tmp_path, trials, events)
        return load_results(path)["train_model"]

    return make


def test_a_grid_is_a_sequence(grid_of: Make) -> None:
    """Results are in the order of collection; a slice is a grid that knows its sweep."""
    grid = grid_of(3, 1, 2)
    assert [result.metrics for result in grid] == [{"loss": 3}, {"loss": 1}, {"loss": 2}]
    assert (len(grid), grid[-1].metrics) == (3, {"loss": 2})
    assert isinstance(grid[0], Result)
    part = grid[1:]
    assert isinstance(part, ResultGrid)
    assert (len(part), part.sweep, part.metric, part.mode) == (2, SWEEP.id, "loss", "min")
    assert repr(part) == "<ResultGrid test_models.py::train_model: 2 trials, 2 TERMINATED, min loss>"


def test_outcomes_are_counted(tmp_path: Path) -> None:
    """What a stop rule ended or a cache held finished well; only failures are errors."""
    states = [TrialState.TERMINATED, TrialState.STOPPED, TrialState.CACHED, TrialState.SKIPPED, TrialState.ERROR]
    trials = [make_trial(number) for number in range(7)]
    events = [
        finished(trial, state, error="ValueError: boom" if state is TrialState.ERROR else None)
        for trial, state in zip(trials, states, strict=False)
    ]
    grid = load_results(store_run(tmp_path, trials, [*events, started(trials[5])]))["train_model"]
    assert (grid.num_terminated, grid.num_errors, grid.errors, len(grid)) == (3, 1, ["ValueError: boom"], 7)


def test_the_best_by_the_sweep_s_own_metric(grid_of: Make) -> None:
    """Without arguments the sweep's metric and mode decide, by final values; of equals the first wins."""
    grid = grid_of([0.1, 3.0], [9.0, 2.0], [2.0])
    assert grid.get_best_result() is grid[1]
    assert grid.get_best_result(mode="max") is grid[0]


def test_the_best_by_another_metric(grid_of: Make) -> None:
    """Another metric takes a mode of its own, nested ones are named with slashes."""
    grid = grid_of({"val": {"acc": 0.5}}, {"val": {"acc": 0.75}})
    assert grid.get_best_result("val/acc", "max") is grid[1]
    with pytest.raises(
        QueryError, match=r"'val/acc' is not the metric of .*train_model, so say mode='min' or mode='max'"
    ):
        grid.get_best_result("val/acc")


def test_scopes(grid_of: Make) -> None:
    """The final value, the best of the history and its mean choose different trials."""
    grid = grid_of([5.0, 5.0, 1.0], [0.0, 9.0, 9.0], [2.0, 2.0, 2.0])
    assert [grid.get_best_result(scope=scope) for scope in ("last", "all", "avg")] == [grid[0], grid[1], grid[2]]


def test_final_metrics_are_part_of_the_history(tmp_path: Path) -> None:
    """A trial that only returns has a history of one for every scope, and its last report is not counted twice."""
    trials = [make_trial(0), make_trial(1)]
    events: list[Accepted] = [
        finished(trials[0], metrics={"loss": 2.5, "training_iteration": 1}),
        *(reported(trials[1], iteration, loss=loss) for iteration, loss in ((1, 1.0), (2, 3.0))),
        finished(trials[1], metrics={"loss": 3.0, "training_iteration": 2}),
    ]
    grid = load_results(store_run(tmp_path, trials, events))["train_model"]
    assert grid.get_best_result(scope="avg") is grid[1]
    assert grid[:1].get_best_result(scope="all") is grid[0]


@pytest.mark.parametrize(("others", "best"), [(2.1, 0), (1.9, 1)])
@pytest.mark.parametrize("final", [{"loss": 3.0}, {"loss": 3.0, "accuracy": 0.5}, {"accuracy": 0.5}])
def test_the_last_report_counts_once_in_a_mean(
    tmp_path: Path, final: dict[str, float], others: float, best: int
) -> None:
    """The mean of the reports 1 and 3 is 2, whether the body returns the last value again, other metrics, or both."""
    trials = [make_trial(0), make_trial(1)]
    last = {"loss": 3.0, **final, "training_iteration": 2}  # What the body returns completes its last report.
    events: list[Accepted] = [
        *(reported(trials[0], iteration, loss=loss) for iteration, loss in ((1, 1.0), (2, 3.0))),
        finished(trials[0], metrics=last),
        reported(trials[1], 1, loss=others),
        finished(trials[1], metrics={"loss": others, "training_iteration": 1}),
    ]
    grid = load_results(store_run(tmp_path, trials, events))["train_model"]
    assert grid.get_best_result("loss", "min", scope="avg") is grid[best]
    assert grid.get_best_result("loss", "max", scope="avg") is grid[1 - best]


@pytest.mark.parametrize("scope", ["last", "all", "avg"])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_what_never_wins(grid_of: Make, scope: Any, mode: Any) -> None:
    """NaN, infinities, text, None and missing metrics never win, in any place of the order."""
    grid = grid_of([math.nan], {"other": 1}, [math.inf], ["0"], [5.0], None, [None], [-math.inf], {})
    assert grid.get_best_result(mode=mode, scope=scope) is grid[4]


def test_one_nan_spoils_a_mean(grid_of: Make) -> None:
    """A history with NaN has no mean, while its best value still counts."""
    grid = grid_of([0.0, math.nan, 1.0], [3.0, 3.0, 3.0])
    assert grid.get_best_result(scope="avg") is grid[1]
    assert grid.get_best_result(scope="all") is grid[0]


def test_no_best_result(grid_of: Make) -> None:
    """Where no trial has the metric, the text names it and lists those there are."""
    with pytest.raises(NoResultsError, match=r"has a finite number as 'acc': there are 'loss', 'lr'"):
        grid_of({"loss": 1.0, "lr": 2}).get_best_result("acc", "max")
    with pytest.raises(NoResultsError, match=r"no trial has metrics"):
        grid_of(None).get_best_result()


def test_questions_that_make_no_sense() -> None:
    """A misspelt mode or scope, or no metric at all, is a ValueError that says what there is."""
    grid = ResultGrid([], sweep="t.py::f", metric="loss")
    with pytest.raises(QueryError, match="mode='lowest': choose 'min' or 'max'"):
        grid.get_best_result(mode="lowest")  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="scope='first': choose 'last', 'avg', 'last-5-avg', 'last-10-avg' or 'all'"):
        grid.get_best_result(scope="first")  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="has no metric of its own, so name one"):
        ResultGrid([], sweep="t.py::f").get_best_result()
    assert issubclass(QueryError, ValueError)
    assert issubclass(QueryError, SweepError)


def test_the_data_frame(grid_of: Make) -> None:
    """One row a trial, those without metrics included; nested names are joined by slashes."""
    config = {"lr": 0.1, "model": {"depth": 2, "extra": {}}}
    frame = grid_of({"loss": 1.0, "val": {"acc": 0.5}}, None, config=config).get_dataframe()
    assert list(frame.columns) == [
        "trial_id", "name", "state", "seed", "replicate", "loss", "val/acc", "config/lr", "config/model/depth", "config/model/extra",
    ]  # fmt: skip
    assert list(frame["trial_id"]) == [f"{SWEEP.id}[lr=0]", f"{SWEEP.id}[lr=1]"]
    assert list(frame["name"]) == ["train_model[lr=0]", "train_model[lr=1]"]
    assert list(frame["state"]) == ["TERMINATED", "TERMINATED"]
    assert (list(frame["seed"]), list(frame["replicate"])) == ([7, 7], [0, 0])
    assert (frame["loss"][0], math.isnan(frame["loss"][1]), frame["config/model/depth"][1]) == (1.0, True, 2)


def test_the_data_frame_of_best_reports(grid_of: Make) -> None:
    """With a filter each row is the report that was best, and the last one where none qualifies."""
    grid = grid_of([3.0, 1.0, 2.0], [math.nan, math.nan])
    frame = grid.get_dataframe("loss")
    assert list(frame["training_iteration"]) == [2, 2]
    assert list(grid.get_dataframe("loss", "max")["training_iteration"]) == [1, 2]
    assert list(grid.get_dataframe()["training_iteration"]) == [3, 2]


def test_no_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pandas the error names the extra to install."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(
        MissingExtraError, match=r"get_dataframe\(\) needs pandas: pip install 'pytest-sweep\[pandas\]'"
    ):
        ResultGrid([], sweep="t.py::f").get_dataframe()


class TestSeveralMetrics:
    """What is best by several metrics, and under conditions."""

    def test_the_front_of_several_metrics(self, grid_of: Make) -> None:
        """Results that none beats are returned in order; one that lacks a metric or is not feasible is no candidate."""
        rows = [
            {"loss": 1.0, "speed": 1.0, "memory": 1},
            {"loss": 2.0, "speed": 2.0, "memory": 1},
            {"loss": 3.0, "speed": 1.0, "memory": 1},
            {"loss": 0.1, "memory": 1},
            {"loss": 0.1, "speed": 9.0, "memory": 10},
        ]
        grid = grid_of(*rows)
        several = ResultGrid(
            grid,
            sweep=grid.sweep,
            metric="loss",
            mode="min",
            objectives=[("loss", "min"), ("speed", "max")],
            feasible=["memory < 9"],
        )
        assert [result.metrics["loss"] for result in several.get_best_results() if result.metrics] == [1.0, 2.0]
        with pytest.raises(QueryError, match=r"has several metrics \('loss', 'speed'\).*get_best_results"):
            several.get_best_result()
        assert several.get_best_result("speed").metrics == {**rows[1]}
        assert several[:2].objectives == several.objectives

    def test_a_single_metric_has_a_front_of_equals(self, grid_of: Make) -> None:
        """With one metric it is the best result, and those that are as good."""
        assert len(grid_of(2.0, 1.0, 1.0).get_best_results()) == 2

    def test_no_result_meets_the_conditions(self, grid_of: Make) -> None:
        """Where all are infeasible, the error says which conditions they miss."""
        grid = grid_of({"loss": 1.0, "memory": 10})
        strict = ResultGrid(grid, sweep=grid.sweep, metric="loss", mode="min", feasible=["memory < 9"])
        for ask in (strict.get_best_result, strict.get_best_results):
            with pytest.raises(NoResultsError, match=r"no trial of .* meets feasible=\['memory < 9'\]"):
                ask()

    def test_without_a_metric_nothing_is_better(self, grid_of: Make) -> None:
        """A sweep without a metric has no front."""
        grid = ResultGrid(grid_of(1.0), sweep="train")
        with pytest.raises(QueryError, match="has no metric"):
            grid.get_best_results()
