"""Means and standard deviations, also of what no textbook has."""

from __future__ import annotations

import copy
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.model.spread import Spread, is_number


# No smaller ones: squares of these are floats, and up to Python 3.10 `statistics.stdev` needs that.
@given(st.lists(st.floats(-1e9, 1e9).map(lambda number: round(number, 6)), min_size=2, max_size=12))
def test_it_is_what_statistics_says(values: list[float]) -> None:
    """Mean and sample standard deviation agree with the standard library to the last digits."""
    spread = Spread.of(values)
    # The mean of equal values is that value, of which `fmean` may miss the last digit.
    assert float(spread) == (values[0] if len(set(values)) == 1 else statistics.fmean(values))
    assert spread.std == pytest.approx(statistics.stdev(values), rel=1e-12, abs=0)
    assert spread.count == len(values)


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=12), st.sampled_from([0.0, 1e6, 1e12]))
def test_it_is_what_numpy_says(values: list[int], offset: float) -> None:
    """Mean and sample standard deviation agree with numpy, and do not suffer from a large mean."""
    spread = Spread.of([value + offset for value in values])
    assert float(spread) == pytest.approx(np.mean(values) + offset)
    assert spread.std == pytest.approx(np.std(values, ddof=1))


@given(st.lists(st.floats() | st.integers(), min_size=1, max_size=6))
def test_no_numbers_raise(values: list[float]) -> None:
    """NaN, infinities, overflow and underflow have a mean and a deviation; NaN is never hidden."""
    spread = Spread.of(values)
    std = spread.std
    if any(map(math.isnan, values)):
        assert math.isnan(spread)
    assert (std is None) == (len(values) == 1)
    assert std is None or std >= 0 or math.isnan(std)


@pytest.mark.parametrize(
    ("values", "mean", "std"),
    [
        ([0.5], 0.5, None),
        ([0.1, 0.1], 0.1, 0.0),
        ([1, math.nan], math.nan, math.nan),
        ([1, math.inf], math.inf, math.nan),
        ([math.inf, -math.inf], math.nan, math.nan),
        ([1e308, 1e308], 1e308, 0.0),
        ([1e300, -1e300], 0.0, math.sqrt(2) * 1e300),
        ([1e-200, 2e-200], 1.5e-200, math.sqrt(0.5) * 1e-200),
        ([1.0, math.nextafter(1.0, 2.0)], 1.0, math.sqrt(0.5) * 2**-52),
        ([2**2000, 1], math.inf, math.nan),
        ([-(2**2000)], -math.inf, None),
    ],
)
def test_at_the_borders_of_floats(values: list[float], mean: float, std: float | None) -> None:
    """What is too large, too small or too close together for the usual formula is right all the same."""
    spread = Spread.of(values)
    assert float(spread) == pytest.approx(mean, nan_ok=True)
    assert spread.std == pytest.approx(std, abs=0, nan_ok=True)


def test_it_is_a_float() -> None:
    """It is computed with, formatted and copied as the mean that it is."""
    spread = Spread.of([1.0, 2.0])
    assert (spread + 1, f"{spread:.2f}", spread == 1.5) == (2.5, "1.50", True)
    assert copy.deepcopy(spread).std == spread.std


def test_what_is_a_number() -> None:
    """Integers and floats are numbers; truth values, text and None are none."""
    assert [is_number(value) for value in (1, 0.5, math.nan, True, "1", None, [1])] == [True] * 3 + [False] * 4
