"""The mean of a number over replicates, and how far they scatter. Knows nothing of trials."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from typing_extensions import TypeIs


def is_number(value: object) -> TypeIs[int | float]:
    """Say whether `value` can be averaged: an integer or a float, NaN and infinities included, but no boolean."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def judged_number(value: object) -> int | float | None:
    """Return the number that a trial is judged by where it has reported `value`: a boolean is 0 or 1, as in Tune; None where it is none."""
    if isinstance(value, bool):
        return int(value)
    return value if is_number(value) else None


def judged_float(value: object) -> float:
    """Return the same as a float; NaN where `value` is no number, or an integer that no float can hold."""
    number = judged_number(value)
    try:
        return math.nan if number is None else float(number)
    except OverflowError:
        return math.nan


def is_nan(value: float) -> bool:
    """Say whether a number is NaN; unlike ``math.isnan`` it takes integers that no float can hold."""
    return value != value  # noqa: PLR0124 - which is true of NaN only


def is_finite(value: float) -> bool:
    """Say whether a number is neither NaN nor an infinity; unlike ``math.isfinite`` it takes integers that no float can hold."""
    return isinstance(value, int) or math.isfinite(value)


class Spread(float):
    """The arithmetic mean of some numbers, which it is used as, with what is needed to say how far they scatter.

    One NaN makes the mean NaN, rather than being hidden by the others; so do infinities of both signs. With infinities of one sign
    the mean is that infinity.
    """

    __slots__ = ("_values",)
    _values: tuple[float, ...]

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Spread:
        """Return the spread of one or more numbers; an integer that no float can hold counts as an infinity."""
        try:
            values = tuple(map(float, numbers))
        except OverflowError:
            values = tuple(map(_as_float, numbers))
        spread = cls(_mean(values))
        spread._values = values
        return spread

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return len(self._values)

    @property
    def std(self) -> float | None:
        """The sample standard deviation, with n - 1 in its denominator; None for one number, NaN unless all are finite."""
        # Made only when it is asked for: thousands are ranked by their mean, of which few are shown.
        if len(self._values) < 2:
            return None
        return _deviation(self._values)


def merged(metrics: Sequence[Mapping[str, Any]], only: Collection[str] | None = None) -> dict[str, Any]:
    """Return the metrics of several trials as one dict: of numbers their mean, of other values the one that all agree on, else None.

    Args:
        metrics: those of each trial; a trial that lacks a metric does not take part in it.
        only: the names to keep; None keeps all.

    Returns:
        Means of several numbers are `Spread` objects; a number that only one trial has is kept as it is.
    """
    names = dict.fromkeys(name for one in metrics for name in one if only is None or name in only)
    return {name: _together([one[name] for one in metrics if name in one]) for name in names}


def _together(values: Sequence[Any]) -> Any:
    if numbers := [value for value in values if is_number(value)]:
        return numbers[0] if len(numbers) == 1 else Spread.of(numbers)
    if nested := [value for value in values if isinstance(value, Mapping)]:
        return merged(nested)
    return values[0] if all(value == values[0] for value in values) else None


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _mean(values: Sequence[float]) -> float:
    if values.count(values[0]) == len(values):
        return values[0]  # The mean of three times 0.8 is 0.8, not the sum of rounded numbers.
    try:
        return statistics.fmean(values)
    except ValueError:  # Infinities of both signs.
        return math.nan
    except OverflowError:  # Their sum is no float, though their mean may be.
        return statistics.mean(values)


def _deviation(values: Sequence[float]) -> float:
    if not all(map(math.isfinite, values)):
        return math.nan
    # Scaled by a power of two, which rounds nothing, so that no square is too large or too small for a float. `statistics.stdev`
    # takes ten times as long, and up to Python 3.10 fails where a square is.
    exponent = math.frexp(max(map(abs, values)))[1]
    scaled = [math.ldexp(value, -exponent) for value in values]
    mean = statistics.fmean(scaled)
    away = [value - mean for value in scaled]
    # What is subtracted makes up for the rounding of the mean; it is rounded itself, and may be the larger of two zeros.
    square = math.fsum([one * one for one in away]) - math.fsum(away) ** 2 / len(away)
    try:
        return math.ldexp(math.sqrt(max(square, 0.0) / (len(away) - 1)), exponent)
    except OverflowError:  # It is no float.
        return math.inf
