"""Learning curves in few bytes: what each trial has reported, thinned out, as 16-bit numbers between its lowest and highest value.

Pure; the format is described at `CurveWriter.document`, and read by ``page/data.js``.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Mapping, Sequence
from operator import sub
from typing import Any, TypeAlias

from pytest_sweep.model.metrics import metric_value
from pytest_sweep.model.spread import judged_number

TOP = 65532
NAN, PLUS, MINUS = 65535, 65534, 65533
"""What stands for NaN and the infinities; values are 0 to `TOP`."""

_WIDE = 1000.0
"""A curve whose values differ more than by this factor is stored by their logarithms."""

_KNOTS = 9
_TIME, _ITERATION = "time_total_s", "training_iteration"
_LARGEST_STEP = 2**32 - 1

_Curve: TypeAlias = "tuple[int, array[int], array[int], tuple[float, float], int]"


def thinned(count: int, most: int) -> list[int]:
    """Return at most `most` of the places 0 to `count` - 1, evenly spread, with the first and the last."""
    if count <= most:
        return list(range(count))
    if most == 1:
        return [count - 1]
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]


class CurveWriter:
    """Collects the curves of one sweep.

    Args:
        metrics: whose curves.
        points: how many points a curve has at the most.
    """

    def __init__(self, metrics: Sequence[str], points: int) -> None:
        self._metrics = list(metrics)
        self._points = points
        self._rows, self._counts = array("I"), array("H")
        self._ranges, self._scales = array("f"), array("B")
        self._steps, self._values = array("I"), array("H")
        self._made: list[list[_Curve]] = [[] for _ in metrics]
        self._timed, self._totals, self._spans = array("I"), array("f"), array("I")
        self._knots = array("H")
        self._longest = 0

    def add(self, row: int, reports: Sequence[Mapping[str, Any]]) -> None:
        """Add the curves of a trial, the place of which among the trials of its sweep is `row`."""
        iterations = _iterations(reports)
        for number, metric in enumerate(self._metrics):
            values = [report[metric] if metric in report else metric_value(report, metric) for report in reports]
            if not all(type(value) is float for value in values):
                points = [(at, its) for at, value in enumerate(values) if (its := judged_number(value)) is not None]
            else:
                points = list(enumerate(values))
            if points:
                kept = [points[place] for place in thinned(len(points), self._points)]
                self._add(number, row, [iterations[at] for at, _ in kept], [value for _, value in kept])
        self._add_times(row, iterations, reports)

    def document(self) -> tuple[dict[str, Any], bytes]:
        """Return the directory of the curves, and their bytes, little-endian, sections one after the other.

        The directory has ``metrics`` (for each its name and how many curves it has, which follow each other), ``curves``, ``points`` and
        ``timed``, the lengths of the sections: rows (uint32, a curve each), scale (float32 lowest, float32 highest), steps (uint32,
        from one iteration to the next), values (uint16), rows with times (uint32), seconds in all (float32), first and last iteration
        (uint32), knots (uint16, `_KNOTS` a trial: share of the seconds at evenly spread iterations), counts (uint16), kinds (uint8: 1 is
        logarithmic).
        """
        for made in self._made:
            for row, steps, values, limits, scale in made:
                self._rows.append(row)
                self._counts.append(len(values))
                self._ranges.extend(limits)
                self._scales.append(scale)
                self._steps.extend(steps)
                self._values.extend(values)
        sections = (
            self._rows,
            self._ranges,
            self._steps,
            self._timed,
            self._totals,
            self._spans,
            self._values,
            self._knots,
            self._counts,
            self._scales,
        )
        directory = {
            "metrics": [
                {"name": name, "curves": len(made)} for name, made in zip(self._metrics, self._made, strict=True)
            ],
            "curves": len(self._rows),
            "points": len(self._values),
            "timed": len(self._timed),
            "knots": _KNOTS,
            "longest": self._longest,
        }
        return directory, b"".join(_little_endian(section) for section in sections)

    def _add(self, metric: int, row: int, iterations: Sequence[int], values: Sequence[float]) -> None:
        steps = array("I", map(sub, iterations, [0, *iterations]))
        numbers, limits, scale = quantized(values)
        self._made[metric].append((row, steps, numbers, limits, scale))
        self._longest = max(self._longest, len(numbers))

    def _add_times(self, row: int, iterations: Sequence[int], reports: Sequence[Mapping[str, Any]]) -> None:
        known = [
            (iterations[place], seconds)
            for place in thinned(len(reports), 4 * _KNOTS)
            if (seconds := _seconds(reports[place].get(_TIME))) is not None
        ]
        if not known or known[-1][1] <= 0:
            return
        first, last, total = known[0][0], known[-1][0], max(seconds for _, seconds in known)
        self._timed.append(row)
        self._totals.append(total)
        self._spans.extend((min(first, _LARGEST_STEP), min(last, _LARGEST_STEP)))
        place = 0
        for knot in range(_KNOTS):
            at = first + (last - first) * knot / (_KNOTS - 1)
            while place + 1 < len(known) and known[place + 1][0] <= at:
                place += 1
            seconds = known[place][1]
            if place + 1 < len(known) and known[place + 1][0] > known[place][0]:
                share = (at - known[place][0]) / (known[place + 1][0] - known[place][0])
                seconds += max(share, 0.0) * (known[place + 1][1] - seconds)
            self._knots.append(round(TOP * min(max(seconds / total, 0.0), 1.0)))


def quantized(values: Sequence[float]) -> tuple[array[int], tuple[float, float], int]:
    """Return values as 16-bit numbers, the lowest and highest finite one (or their logarithms), and 1 for logarithms."""
    floats = [_float(value) for value in values]
    finite = [value for value in floats if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    is_log = low > 0 and high / low > _WIDE
    if is_log:
        low, high = math.log(low), math.log(high)
    low, high = _clamped(low), _clamped(high)
    span = high - low
    if span > 0 and len(finite) == len(floats) and not is_log:
        return array("H", [min(max(int(TOP * (value - low) / span + 0.5), 0), TOP) for value in floats]), (low, high), 0
    numbers = array("H")
    for value in floats:
        if math.isfinite(value):
            place = ((math.log(value) if is_log else value) - low) / span if span > 0 else 0.0
            numbers.append(round(TOP * min(max(place, 0.0), 1.0)))
        else:
            numbers.append(NAN if math.isnan(value) else PLUS if value > 0 else MINUS)
    return numbers, (low, high), int(is_log)


def _iterations(reports: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return at which iteration each report was, never less than the one before; where that is not known, its number."""
    found: list[int] = []
    last = 0
    for number, report in enumerate(reports, 1):
        given = report.get(_ITERATION)
        iteration = given if type(given) is int and 0 <= given <= _LARGEST_STEP else number
        last = max(last, iteration)
        found.append(last)
    return found


def _seconds(value: object) -> float | None:
    number = judged_number(value)
    if number is None:
        return None
    seconds = _float(number)
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _clamped(value: float) -> float:
    """Return a value that a 32-bit float holds."""
    return min(max(value, -3.4e38), 3.4e38)


def _little_endian(section: array[Any]) -> bytes:
    if sys.byteorder == "big":
        section = section[:]
        section.byteswap()
    return section.tobytes()
