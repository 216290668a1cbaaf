"""What searchers choose from: dimensions with codes, which they work in, and values, which people read. Knows no configurations."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pytest_sweep.errors import SpaceError
from pytest_sweep.model.spread import is_number, judged_float
from pytest_sweep.space.display import shown
from pytest_sweep.space.domains import Domain, Float, Integer, Normal

Plain = str | int | float | bool | None
"""What stands for a value wherever searchers and stores see it: the value itself, or its label where it is no such scalar."""

_TAIL = 1e-9
"""The quantiles of a normal distribution that are searched leave out this share at either end."""


@dataclass(frozen=True)
class Dimension(ABC):
    """One thing to choose.

    A *code* is a number in a plain range, for searchers. A *value* is what people write; it is stored, and is what ``Searcher.ask``
    returns. ``dimension.value(dimension.code(value)) == value`` for each value that a trial can get.

    Attributes:
        name: its name in `Values`: the dotted key, or the keys of ``zip_`` joined by commas. Within a sum of grids it begins with the
            branch: ``branch=1/lr``.
        when: it is chosen only where these other dimensions have these values. Empty: always.
    """

    name: str
    when: tuple[tuple[str, Plain], ...] = ()

    kind: ClassVar[str] = ""
    """``"float"``, ``"integer"`` or ``"categorical"``."""

    @abstractmethod
    def value(self, code: float) -> Plain:
        """Return the value that a code stands for; a code beyond the bounds is taken as the bound."""

    @abstractmethod
    def code(self, value: Any) -> float:
        """Return the code of a value.

        Raises:
            SpaceError: it is no value of the dimension; the text names the dimension.
        """

    @abstractmethod
    def at(self, unit: float) -> Plain:
        """Return the value at that part of the range, from 0 to 1, for searchers that work in the unit cube."""

    def _refuse(self, value: Any, wanted: object) -> SpaceError:
        return SpaceError(f"{self.name!r} cannot be {shown(value)}: it is drawn from {wanted}")


@dataclass(frozen=True)
class FloatDimension(Dimension):
    """A float.

    Attributes:
        low: the least code.
        high: the greatest code, which may be chosen; a value equal to an upper bound becomes the float before it.
        log: whether it is searched on a logarithmic scale.
        domain: the domain. The codes of a normal distribution are its quantiles.
    """

    low: float = 0.0
    high: float = 1.0
    log: bool = False
    domain: Float | Normal = field(default=Float(0.0, 1.0), repr=False)

    kind: ClassVar[str] = "float"

    def value(self, code: float) -> float:  # noqa: D102 - see Dimension
        bounded = min(max(code, self.low), self.high)
        return self.domain.nearest(bounded) if isinstance(self.domain, Float) else self.domain.at(bounded)

    def code(self, value: Any) -> float:  # noqa: D102 - see Dimension
        if not is_number(value) or not math.isfinite(judged_float(value)):
            raise self._refuse(value, self.domain)
        if isinstance(self.domain, Normal):
            return min(max(self.domain.share_below(float(value)), self.low), self.high)
        near = 1e-9 * max(abs(self.low), abs(self.high))
        if not self.low - near <= value <= self.high + near:
            raise self._refuse(value, self.domain)
        return min(max(float(value), self.low), self.high)

    def at(self, unit: float) -> float:  # noqa: D102 - see Dimension
        return self.value(_scaled(self.low, self.high, self.log, unit))


@dataclass(frozen=True)
class IntegerDimension(Dimension):
    """A whole number, a multiple of something, or one of listed numbers in ascending or descending order.

    Attributes:
        low: the least code.
        high: the greatest code, which may be chosen.
        log: whether it is searched on a logarithmic scale.
        domain: an `Integer`, or a `Float` with ``q``, whose codes are counts of ``q``; or the listed values, whose codes are indexes.
    """

    low: int = 0
    high: int = 1
    log: bool = False
    domain: Integer | Float | tuple[Plain, ...] = field(default=(), repr=False)

    kind: ClassVar[str] = "integer"

    def value(self, code: float) -> Plain:  # noqa: D102 - see Dimension
        index = min(max(round(code), self.low), self.high)
        return self.domain[index] if isinstance(self.domain, tuple) else self.domain.multiple(index)

    def code(self, value: Any) -> int:  # noqa: D102 - see Dimension
        if isinstance(self.domain, tuple):
            return _index_of(self, value, self.domain)
        q = self.domain.q
        assert q is not None
        index = round(value / q) if is_number(value) and math.isfinite(judged_float(value)) else self.high + 1
        if not self.low <= index <= self.high or not math.isclose(value, index * q, rel_tol=1e-9, abs_tol=1e-12):
            raise self._refuse(value, self.domain)
        return index

    def at(self, unit: float) -> Plain:  # noqa: D102 - see Dimension
        return self.value(math.floor(_scaled(self.low, self.high + 1, self.log, min(unit, 1 - 2**-53))))


@dataclass(frozen=True)
class CategoricalDimension(Dimension):
    """One of several values without order. Codes are indexes.

    Attributes:
        choices: what stands for each of them: a string, a number, a boolean or None as itself, anything else by its label.
    """

    choices: tuple[Plain, ...] = ()

    kind: ClassVar[str] = "categorical"

    def value(self, code: float) -> Plain:  # noqa: D102 - see Dimension
        return self.choices[min(max(round(code), 0), len(self.choices) - 1)]

    def code(self, value: Any) -> int:  # noqa: D102 - see Dimension
        return _index_of(self, value, self.choices)

    def at(self, unit: float) -> Plain:  # noqa: D102 - see Dimension
        return self.choices[min(int(unit * len(self.choices)), len(self.choices) - 1)]


def dimension_of(
    name: str, domain: Domain, when: tuple[tuple[str, Plain], ...]
) -> FloatDimension | IntegerDimension | None:
    """Return the dimension of a numeric domain; None for one that has no order, or that only a function knows."""
    if isinstance(domain, Normal):
        return FloatDimension(name, when, _TAIL, 1 - _TAIL, False, domain)
    if isinstance(domain, Integer) or (isinstance(domain, Float) and domain.q is not None):
        first, last = domain.indexes
        return IntegerDimension(name, when, first, last, domain.log and first > 0, domain)
    if isinstance(domain, Float):
        return FloatDimension(name, when, domain.lower, domain.upper, domain.log, domain)
    return None


def dimension_of_listed(name: str, choices: Sequence[Plain], when: tuple[tuple[str, Plain], ...]) -> Dimension:
    """Return the dimension of the values of a list: ordered where these are numbers in order, else categorical."""
    numbers: list[Any] = [choice for choice in choices if is_number(choice)]
    rising = all(one < two for one, two in itertools.pairwise(numbers))
    falling = all(one > two for one, two in itertools.pairwise(numbers))
    if len(numbers) == len(choices) > 2 and (rising or falling):
        return IntegerDimension(name, when, 0, len(choices) - 1, False, tuple(choices))
    return CategoricalDimension(name, when, tuple(choices))


def _index_of(dimension: Dimension, value: Any, choices: tuple[Plain, ...]) -> int:
    for index, choice in enumerate(choices):
        if choice == value and isinstance(choice, bool) is isinstance(value, bool):
            return index
    told = ", ".join(map(repr, choices[:10])) + (" and others" if len(choices) > 10 else "")
    raise SpaceError(f"{dimension.name!r} cannot be {shown(value)}: it is one of {told}")


def _scaled(low: float, high: float, log: bool, unit: float) -> float:
    if log:
        return math.exp(math.log(low) + unit * (math.log(high) - math.log(low)))
    return low + unit * (high - low)
