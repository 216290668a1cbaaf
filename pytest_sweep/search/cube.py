"""The dimensions of a space as columns of numbers, for searchers that model numbers. Knows no results. Needs numpy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_sweep.search.dimensions import CategoricalDimension, Dimension, FloatDimension, IntegerDimension, Plain

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_NEAREST, _FARTHEST = 0.01, 0.3
"""How far a row is changed, as a part of each range: drawn from between these, on a logarithmic scale."""


@dataclass(frozen=True)
class _Column:
    """How the codes of a dimension are numbers.

    Attributes:
        low: the least code.
        high: the greatest code.
        log: whether the scale is logarithmic.
        is_whole: whether codes are whole numbers.
        is_choice: whether it has no order: the number is the code itself.
    """

    low: float
    high: float
    log: bool = False
    is_whole: bool = True
    is_choice: bool = False

    @property
    def absent(self) -> float:
        """What stands where the dimension's branch is not chosen."""
        return -1.0 if self.is_choice else 0.5

    def number(self, code: Any) -> Any:
        """Return the number of a code, or of an array of them."""
        if self.is_choice:
            return code
        if self.log:
            return (np.log(code) - math.log(self.low)) / math.log(self.high / self.low)
        return (code - self.low) / (self.high - self.low)

    def code(self, number: Any) -> Any:
        """Return the code of a number, or of an array of them."""
        if self.is_choice:
            return number
        if self.log:
            code = np.exp(math.log(self.low) + number * math.log(self.high / self.low))
        else:
            code = self.low + number * (self.high - self.low)
        return np.clip(np.rint(code) if self.is_whole else code, self.low, self.high)


class Cube:
    """Rows of numbers instead of values: a column for each dimension.

    The number of a dimension with order is a part of its range, from 0 to 1, on the scale that it is searched on. A choice without order is
    its index. The numbers of a list or of ``choice`` have an order if they ascend.

    Args:
        dimensions: of the space; those with a single value are left out.

    Attributes:
        choices: of each column without order, how many numbers it has; 0 for the others.
    """

    def __init__(self, dimensions: Mapping[str, Dimension]) -> None:
        branches = {name for dimension in dimensions.values() for name, _ in dimension.when}
        columns = {name: _column(dimension, branches) for name, dimension in dimensions.items()}
        self._columns = {name: column for name, column in columns.items() if column.low < column.high}
        self._dimensions = dimensions
        self.choices = [round(column.high) + 1 if column.is_choice else 0 for column in self._columns.values()]

    def row(self, values: Mapping[str, Any]) -> Floats:
        """Return the row of values."""
        return np.array(
            [
                column.number(self._dimensions[name].code(values[name])) if name in values else column.absent
                for name, column in self._columns.items()
            ],
            dtype=np.float64,
        )

    def values(self, row: Floats) -> dict[str, Plain]:
        """Return the values of a row."""
        found: dict[str, Plain] = {}
        numbers = dict(zip(self._columns, row.tolist(), strict=True))
        for name, dimension in self._dimensions.items():
            if all(found.get(other) == value for other, value in dimension.when):
                column = self._columns.get(name)
                code = dimension.code(dimension.at(0.5)) if column is None else float(column.code(numbers[name]))
                found[name] = dimension.value(code)
        return found

    def drawn(self, chance: np.random.Generator, count: int) -> Floats:
        """Return so many rows, drawn evenly."""
        return self._settled(self._anything(chance, count))

    def near(self, rows: Floats, chance: np.random.Generator) -> Floats:
        """Return rows that differ a little from these, each in one column or more."""
        count, width = rows.shape
        found = np.where(self._absent(rows), self._anything(chance, count), rows)
        changed = chance.random((count, width)) < np.maximum(1.5 / width, chance.random((count, 1)))
        scale = np.exp(chance.uniform(math.log(_NEAREST), math.log(_FARTHEST), count))
        for index, column in enumerate(self._columns.values()):
            if column.is_choice:
                others = chance.integers(0, round(column.high) + 1, count).astype(np.float64)
                moved = np.where(chance.random(count) < 0.5, others, found[:, index])
            else:
                least = 0.7 / (column.high - column.low) if column.is_whole else 0.0
                moved = found[:, index] + np.maximum(scale, least) * chance.standard_normal(count)
            found[:, index] = np.where(changed[:, index], moved, found[:, index])
        return self._settled(np.where(np.array(self.choices) > 0, found, np.clip(found, 0.0, 1.0)))

    def _anything(self, chance: np.random.Generator, count: int) -> Floats:
        rows = chance.random((count, len(self._columns)))
        for index, column in enumerate(self._columns.values()):
            if column.is_choice:
                rows[:, index] = np.floor(rows[:, index] * (column.high + 1))
        return rows

    def _settled(self, rows: Floats) -> Floats:
        """Return rows whose numbers are of codes, and of chosen branches only."""
        for index, column in enumerate(self._columns.values()):
            rows[:, index] = column.number(column.code(rows[:, index]))
        absent = np.array([column.absent for column in self._columns.values()])
        return np.where(self._absent(rows), absent, rows)

    def _absent(self, rows: Floats) -> Bools:
        """Return which numbers belong to branches that are not chosen."""
        found = np.zeros(rows.shape, dtype=bool)
        places = {name: index for index, name in enumerate(self._columns)}
        for name, index in places.items():
            for other, value in self._dimensions[name].when:
                if other in places:
                    wanted = self._dimensions[other].code(value)
                    found[:, index] |= (rows[:, places[other]] != wanted) | found[:, places[other]]
        return found


def _column(dimension: Dimension, branches: Collection[str]) -> _Column:
    if isinstance(dimension, FloatDimension):
        return _Column(dimension.low, dimension.high, dimension.log, is_whole=False)
    if isinstance(dimension, IntegerDimension):
        return _Column(dimension.low, dimension.high, dimension.log)
    assert isinstance(dimension, CategoricalDimension)
    is_choice = dimension.name in branches or not _ascends(dimension.choices)
    return _Column(0, len(dimension.choices) - 1, is_choice=is_choice)


def _ascends(choices: tuple[Any, ...]) -> bool:
    if len(choices) < 3 or any(isinstance(one, bool) or not isinstance(one, (int, float)) for one in choices):
        return False
    return all(one < two for one, two in itertools.pairwise(choices))
