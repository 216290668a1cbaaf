"""What Ray Tune's OptunaSearch has wrong (SEARCH.md, section 1, number 7) and tpe() has not: one test each."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_sweep.model.study import Objective, Observation, Outcome
from pytest_sweep.search.settings import tpe
from pytest_sweep.search.space import SearchSpace
from pytest_sweep.space import grid
from pytest_sweep.space.sampling import qloguniform, randn, uniform

LOSS = (Objective("loss", "min"),)
TWO = (Objective("loss", "min"), Objective("score", "max"))


@pytest.fixture(autouse=True)
def _needs_optuna() -> None:
    pytest.importorskip("optuna", minversion="5.0")


def make(written: Any = None, objectives: tuple[Objective, ...] = LOSS, **options: Any) -> tuple[Any, SearchSpace]:
    space = SearchSpace({"x": uniform(0, 1)} if written is None else written, seed=1, **options)
    return tpe(n_startup_trials=2).make(space, objectives, 1, 30), space


def states(searcher: Any) -> dict[float, list[str]]:
    """Return the states of the trials of each rung's study."""
    return {rung: [trial.state.name for trial in study._study.trials] for rung, study in searcher._studies.items()}


def test_a_stopped_trial_is_no_result() -> None:
    """A trial that was stopped at iteration 1 is a value of that rung only, and none of those that ran to the end."""
    searcher, _ = make()
    searcher.ask("a", 0)
    searcher.tell(Observation("a", 1, (0.5,)))
    searcher.tell(Observation("a", 1, (0.5,), Outcome.STOPPED))
    assert states(searcher) == {1: ["COMPLETE"]}


def test_nan_leaves_no_zombie() -> None:
    """A trial whose metric is NaN does not stay RUNNING for ever."""
    searcher, _ = make()
    for slot in range(6):
        searcher.ask(str(slot), slot)
        value = math.nan if slot % 2 else 0.5
        searcher.tell(Observation(str(slot), 1, (value,), Outcome.COMPLETED))
    searcher.ask("x", 6)
    assert "RUNNING" not in states(searcher)[math.inf]
    assert states(searcher)[math.inf].count("COMPLETE") == 6


def test_a_missing_objective_leaves_no_zombie() -> None:
    """A trial that lacks one of two objectives is told, as the worst in that one."""
    searcher, _ = make(objectives=TWO)
    for slot in range(6):
        searcher.ask(str(slot), slot)
        searcher.tell(Observation(str(slot), 1, (0.5, math.nan if slot % 2 else 0.5), Outcome.COMPLETED))
    searcher.ask("x", 6)
    assert states(searcher)[math.inf].count("COMPLETE") == 6
    assert "RUNNING" not in states(searcher)[math.inf]


def test_an_error_leaves_no_zombie() -> None:
    """A trial that failed is not RUNNING any more, and counts as the worst."""
    searcher, _ = make()
    for slot in range(6):
        searcher.ask(str(slot), slot)
        outcome = Outcome.FAILED if slot % 2 else Outcome.COMPLETED
        searcher.tell(Observation(str(slot), 1, (0.5 if slot % 2 == 0 else math.nan,), outcome))
    searcher.ask("x", 6)
    assert "RUNNING" not in states(searcher)[math.inf]


def test_q_is_kept() -> None:
    """Qloguniform gives multiples of q, also where the estimator chooses."""
    searcher, _ = make({"x": qloguniform(0.1, 10, 0.1)})
    for slot in range(20):
        x = searcher.ask(str(slot), slot)["x"]
        assert x == round(x * 10) / 10
        searcher.tell(Observation(str(slot), 1, (x,), Outcome.COMPLETED))


def test_randn_is_taken() -> None:
    """Randn is searched, over its quantiles."""
    searcher, space = make({"x": randn(3, 2)})
    assert list(space.dimensions) == ["x"]
    for slot in range(20):
        x = searcher.ask(str(slot), slot)["x"]
        searcher.tell(Observation(str(slot), 1, (abs(x - 4),), Outcome.COMPLETED))
    assert -9 < x < 15


def test_points_to_evaluate_in_a_conditional_space() -> None:
    """Points to evaluate are taken where parameters depend on a choice, too."""
    written = grid(kind=["a"], momentum=uniform(0, 1)) + grid(kind=["b"], beta=uniform(0, 1))
    searcher, space = make(written, points_to_evaluate=[{"kind": "b", "beta": 0.25}])
    found = space.complete(searcher.ask("a", 0), 0)
    assert found is not None
    assert found.config == {"kind": "b", "beta": 0.25}
