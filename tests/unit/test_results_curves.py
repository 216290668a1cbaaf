"""What a function returned completes its last report, unless it says something else."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_sweep.results.curves import completed


@pytest.mark.parametrize(
    ("final", "count"),
    [
        ({"loss": math.nan}, 1),
        ({"loss": math.nan, "acc": 0.5}, 1),
        ({"loss": 1.0}, 2),
        ({"acc": math.nan}, 1),
        ({"training_iteration": 1, "loss": math.nan}, 1),
        ({"training_iteration": 2}, 2),
        ({}, 1),
        (None, 1),
    ],
)
def test_not_a_number_is_no_other_value(final: dict[str, Any] | None, count: int) -> None:
    """NaN that is returned after NaN was reported is the same report; a number is one more."""
    reports = [{"loss": math.nan, "training_iteration": 1}]
    found = completed(reports, final)
    assert len(found) == count
    assert set(found[-1]) == {*(final or {}), *(reports[0] if count == 1 else ())}


def test_a_number_after_another() -> None:
    """So is NaN after a number."""
    reports = [{"loss": 1.0, "training_iteration": 1}]
    assert len(completed(reports, {"loss": math.nan})) == 2
    assert len(completed(reports, {"loss": 1.0})) == 1
