"""Replicates become one record a configuration."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.model import Trial, TrialState
from pytest_sweep.results import Result, ResultGrid, load_results
from pytest_sweep.store import RunReader, RunStore
from pytest_sweep.testing.samples import finished, make_replicates, make_trial

Ends = Sequence[tuple[Trial, TrialState, dict[str, Any] | None]]
WELL = TrialState.TERMINATED


@pytest.fixture
def grid_of(tmp_path: Path) -> Callable[[Ends], ResultGrid]:
    """A function that stores how trials ended, and reads it."""

    def make(ends: Ends) -> ResultGrid:
        store = RunStore.create(
            tmp_path, seed=1, command="", executor="inline", rootdir=tmp_path, versions={}, git=None
        )
        store.add_trials([trial for trial, _, _ in ends])
        store.record([finished(trial, state, metrics) for trial, state, metrics in ends])
        store.close()
        return load_results(store.path)["train_model"]

    return make


def well(trials: Sequence[Trial], *metrics: dict[str, Any]) -> Ends:
    return [(trial, WELL, one) for trial, one in zip(trials, metrics, strict=True)]


def result(number: int, replicate: int, metrics: dict[str, Any] | None, state: TrialState = WELL) -> Result:
    trial = make_replicates(number, replicate + 1)[replicate]
    return Result(
        metrics=metrics, config=dict(trial.config), error=None, checkpoint=None, state=state, trial_id=trial.id,
        key=trial.key, name=trial.name, attempts=1, duration=1.0, seed=0, replicate=replicate, group=trial.group_key,
        _folder="", _reader=RunReader(Path("/nowhere")),
    )  # fmt: skip


def test_a_record_a_configuration(grid_of: Callable[[Ends], ResultGrid]) -> None:
    """Means and sample standard deviations stand beside name, counts and configuration, nested names joined by slashes."""
    trials = make_replicates(1, 2, lr=0.1, model={"depth": 2})
    alone = make_trial(5)
    grid = grid_of(
        [
            *well(trials[:1], {"loss": 1.0, "val": {"acc": 1}}),
            *well([alone], {"loss": 7}),
            *well(trials[1:], {"loss": 2.0, "val": {"acc": 2}}),
        ]
    )
    half = math.sqrt(0.5)
    assert grid.aggregate() == [
        {
            "name": "train_model[lr=1]", "trials": 2, "done": 2,
            "loss/mean": 1.5, "loss/std": half, "val/acc/mean": 1.5, "val/acc/std": half,
            "config/lr": 0.1, "config/model/depth": 2,
        },
        {"name": "train_model[lr=5]", "trials": 1, "done": 1, "loss/mean": 7.0, "loss/std": None, "config/lr": 5},
    ]  # fmt: skip
    assert list(grid.aggregate()[0])[:4] == ["name", "trials", "done", "loss/mean"]
    assert ResultGrid([], sweep="t.py::f").aggregate() == []


def test_only_what_ended_well_counts(grid_of: Callable[[Ends], ResultGrid]) -> None:
    """Stopped and cached trials are done; failed, skipped and unfinished ones are counted, and take no part in a mean."""
    states = [WELL, TrialState.STOPPED, TrialState.CACHED, TrialState.ERROR, TrialState.SKIPPED, TrialState.NOT_RUN]
    (record,) = grid_of(
        [(one, state, {"loss": float(n)}) for n, (one, state) in enumerate(zip(make_replicates(1, 6), states, strict=True))]
    ).aggregate()  # fmt: skip
    assert (record["trials"], record["done"], record["loss/mean"], record["loss/std"]) == (6, 3, 1.0, 1.0)


def test_a_configuration_without_an_end_has_a_record(grid_of: Callable[[Ends], ResultGrid]) -> None:
    """Where no replicate ended well there are no metrics, and all the rest."""
    first, second = make_replicates(1, 2)
    grid = grid_of([(first, TrialState.ERROR, {"loss": 1.0}), (second, TrialState.ERROR, None)])
    assert grid.aggregate() == [{"name": "train_model[lr=1]", "trials": 2, "done": 0, "config/lr": 1}]


def test_the_first_replicate_may_be_missing(grid_of: Callable[[Ends], ResultGrid]) -> None:
    """The name has no number where only further replicates were run."""
    _, second, third = make_replicates(1, 3)
    (record,) = grid_of(well([second, third], {"loss": 1}, {"loss": 3})).aggregate()
    assert (record["name"], record["trials"], record["loss/mean"]) == ("train_model[lr=1]", 2, 2.0)


def test_what_is_no_number_is_left_out() -> None:
    """Truth values, text, lists and None are no metrics here; where only some replicates have a number, those count."""
    grid = ResultGrid(
        [
            result(1, 0, {"loss": 1.0, "flag": True, "phase": "a", "per": [1], "none": None, "odd": "x"}),
            result(1, 1, {"loss": 2.0, "flag": False, "phase": "b", "per": [2], "none": None, "odd": 4, "late": 5}),
            result(1, 2, None),
        ],
        sweep="t.py::f",
    )
    (record,) = grid.aggregate()
    assert {name for name in record if name.endswith("/mean")} == {"loss/mean", "odd/mean", "late/mean"}
    assert (record["done"], record["odd/mean"], record["odd/std"], record["late/mean"]) == (3, 4.0, None, 5.0)


def test_automatic_metrics() -> None:
    """Iterations and the total time are averaged; a mean of time stamps would say nothing."""
    automatic = {"training_iteration": 3, "time_total_s": 1.5, "time_this_iter_s": 0.5, "timestamp": 1_700_000_000}
    (record,) = ResultGrid([result(1, 0, automatic)], sweep="t.py::f").aggregate()
    assert [name for name in record if name.endswith("/mean")] == ["training_iteration/mean", "time_total_s/mean"]


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        ([0.5, math.nan, 0.5], math.nan),
        ([math.inf, 1.0], math.inf),
        ([math.inf, -math.inf], math.nan),
        ([2**2000, 1], math.inf),
    ],
)
def test_nan_and_infinities_are_not_hidden(values: list[float], mean: float) -> None:
    """One NaN makes the mean NaN, an infinity makes it infinite, and none of them raises."""
    results = [result(1, number, {"loss": value}) for number, value in enumerate(values)]
    (record,) = ResultGrid(results, sweep="t.py::f").aggregate()
    assert record["loss/mean"] == pytest.approx(mean, nan_ok=True)
    assert math.isnan(record["loss/std"])


# No smaller ones: squares of these are floats, and up to Python 3.10 `statistics.stdev` needs that.
NUMBERS = st.floats(-1e6, 1e6).map(lambda number: round(number, 6))


@given(
    st.lists(st.lists(st.tuples(st.none() | NUMBERS, st.booleans()), min_size=1, max_size=5), min_size=1, max_size=4)
)
def test_against_statistics_and_numpy(groups: list[list[tuple[float | None, bool]]]) -> None:
    """Whatever failed or lacks the metric, each record is what statistics and numpy make of the rest."""
    results = [
        result(number, replicate, {} if value is None else {"loss": value}, WELL if good else TrialState.ERROR)
        for number, group in enumerate(groups)
        for replicate, (value, good) in enumerate(group)
    ]
    records = ResultGrid(results, sweep="t.py::f").aggregate()
    assert [record["config/lr"] for record in records] == list(range(len(groups)))
    for record, group in zip(records, groups, strict=True):
        assert (record["trials"], record["done"]) == (len(group), sum(good for _, good in group))
        values = [value for value, good in group if good and value is not None]
        assert ("loss/mean" in record) == bool(values)
        if values:
            assert record["loss/mean"] == pytest.approx(statistics.fmean(values), rel=1e-15, abs=0)
        if len(values) > 1:
            assert record["loss/std"] == pytest.approx(statistics.stdev(values), rel=1e-12, abs=0)
            assert record["loss/std"] == pytest.approx(np.std(values, ddof=1), rel=1e-6, abs=1e-6)
        elif values:
            assert record["loss/std"] is None


def test_the_records_are_a_table() -> None:
    """A data frame of the records has one row a configuration; of a single value pandas shows the deviation as NaN."""
    results = [result(1, 0, {"loss": 1.0}), result(1, 1, {"loss": 3.0}), result(2, 0, {"loss": 5})]
    frame = pd.DataFrame(ResultGrid(results, sweep="t.py::f").aggregate())
    assert list(frame.columns) == ["name", "trials", "done", "loss/mean", "loss/std", "config/lr"]
    assert (list(frame["loss/mean"]), list(frame["config/lr"])) == ([2.0, 5.0], [1, 2])
    assert math.isnan(frame["loss/std"][1])
