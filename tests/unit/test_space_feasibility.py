"""Conditions on metrics: whether they are met, and by how much they are missed."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_sweep.errors import SpaceError
from pytest_sweep.space import Feasibility


@pytest.mark.parametrize(
    ("condition", "metrics", "violation"),
    [
        ("memory < 8", {"memory": 10}, 2.0),
        ("memory < 8", {"memory": 5}, -3.0),
        ("accuracy >= 0.5", {"accuracy": 0.25}, 0.25),
        ("accuracy >= 0.5", {"accuracy": 0.75}, -0.25),
        ("val.loss <= 2 * train.loss", {"val": {"loss": 5.0}, "train": {"loss": 2.0}}, 1.0),
        ("kind == 'small'", {"kind": "large"}, 1.0),
        ("kind == 'small'", {"kind": "small"}, -1.0),
        ("memory < 8", {}, math.inf),
        ("memory < 8", {"memory": "much"}, math.inf),
        ("memory < 8", {"memory": math.nan}, math.inf),
        ("memory < 8", None, math.inf),
        ("1 < memory < 8", {"memory": 9}, 1.0),
    ],
)
def test_how_far_a_condition_is_from_being_met(
    condition: str, metrics: dict[str, Any] | None, violation: float
) -> None:
    """It is the difference of the two sides, at most 0 where the condition holds, and infinite where nothing can be compared."""
    feasible = Feasibility([condition])
    assert feasible.violations(metrics) == (violation,)
    assert feasible.holds(metrics) is (violation <= 0)


def test_a_bound_that_is_just_missed() -> None:
    """A value that equals an open bound misses it by next to nothing, and meets a closed one."""
    assert 0 < Feasibility(["x < 1"]).violations({"x": 1})[0] < 1e-6
    assert Feasibility(["x <= 1"]).violations({"x": 1}) == (0.0,)


def test_each_part_counts_for_itself() -> None:
    """Parts that ``and`` joins, and the conditions of a list, are looked at one by one."""
    feasible = Feasibility(["a < 1 and b > 2", "c < 3"])
    assert feasible.violations({"a": 2, "b": 3, "c": 3.5}) == (1.0, -1.0, 0.5)
    assert not feasible.holds({"a": 0, "b": 3, "c": 3.5})
    assert feasible.holds({"a": 0, "b": 3, "c": 2})
    assert feasible.names == {"a", "b", "c"}


def test_what_is_no_condition() -> None:
    """A text that is no condition is refused when it is read."""
    with pytest.raises(SpaceError, match="is a value and no condition"):
        Feasibility(["memory + 1"])
