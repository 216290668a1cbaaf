"""Random domains: what a value may be, and how one is drawn from given randomness. How they are written is for `sampling`.

A draw is a function of its `Entropy` alone. Floats are drawn with as many decimals as tell a millionth of the range (of the value
itself on a logarithmic scale): so the node id says the value exactly, and the last bits of ``exp`` and ``log``, in which
mathematical libraries differ, do not give a trial another key on another machine.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import NormalDist
from typing import Any

from pytest_sweep.space.entropy import Entropy

_DIGITS = 6


class Written:
    """What is written in a search space and never reaches a trial."""


class Domain(Written):
    """What the value at a key is drawn from, or worked out from."""


class RandomDomain(Domain, ABC):
    """What a value is drawn from without knowing the rest of the configuration. The functions of `sampling` make them."""

    @abstractmethod
    def draw(self, entropy: Entropy) -> Any:
        """Return a value; equal for equal entropy."""


@dataclass(frozen=True, repr=False)
class Function(Domain):
    """A value that a function returns.

    Attributes:
        function: the function.
        arguments: how many arguments it takes, of: the configuration, a ``random.Random``.
        last: whether it is asked after everything else is known.
    """

    function: Callable[..., Any]
    arguments: int
    last: bool = False

    def call(self, config: Mapping[str, Any], entropy: Entropy) -> Any:
        """Return what the function makes of the configuration so far."""
        if self.last:
            return self.function(config)
        with entropy.seeding_globals() as generator:
            return self.function(*(config, generator)[: self.arguments])

    def __repr__(self) -> str:
        return f"{'derived' if self.last else 'sample_from'}({getattr(self.function, '__qualname__', self.function)})"


@dataclass(frozen=True, repr=False)
class Categorical(RandomDomain):
    """One of `categories`, each as likely as the others."""

    categories: tuple[Any, ...]

    def draw(self, entropy: Entropy) -> Any:
        """Return one of the categories."""
        return self.categories[entropy.below(len(self.categories))]

    def __repr__(self) -> str:
        return f"choice({list(self.categories)!r})"


@dataclass(frozen=True, repr=False)
class Float(RandomDomain):
    """A float in ``[lower, upper)``, uniform or, if `log`, uniform in its logarithm; with `q`, a multiple of it in ``[lower, upper]``."""

    lower: float
    upper: float
    log: bool = False
    q: float | None = None

    def draw(self, entropy: Entropy) -> float:
        """Return a float of the domain."""
        if self.q is None:
            return self.nearest(_between(self.lower, self.upper, self.log, entropy.unit()))
        first, last = self.indexes
        value = _between(first * self.q, last * self.q, self.log, entropy.unit())
        return self.multiple(min(max(round(value / self.q), first), last))

    @property
    def indexes(self) -> tuple[int, int]:
        """The first and the last multiple of `q`, as numbers of times."""
        assert self.q is not None
        return _first_index(self.lower, self.q), _last_index(self.upper, self.q)

    def multiple(self, index: int) -> float:
        """Return `index` times `q`, exact in decimals."""
        assert self.q is not None
        return _multiple(index, self.q)

    def nearest(self, value: float) -> float:
        """Return the float without `q` that stands for `value` in a configuration: within the bounds, with few decimals."""
        value = min(max(value, self.lower), math.nextafter(self.upper, self.lower))
        scale = min(value, self.upper - self.lower) if self.log else self.upper - self.lower
        short = _shortened(value, scale)
        return short if self.lower <= short < self.upper else value

    def __repr__(self) -> str:
        return call_text("uniform", self.log, self.lower, self.upper, self.q)


@dataclass(frozen=True, repr=False)
class Integer(RandomDomain):
    """A multiple of `q` in ``[lower, upper)``, or ``[lower, upper]`` if `q` is not 1; uniform or, if `log`, uniform in its logarithm."""

    lower: int
    upper: int
    log: bool = False
    q: int = 1

    def draw(self, entropy: Entropy) -> int:
        """Return an integer of the domain."""
        first, last = self.indexes
        if not self.log:
            return self.multiple(first + entropy.below(last + 1 - first))
        index = math.floor(_between(first, last + 1, True, entropy.unit()))
        return self.multiple(min(max(index, first), last))

    @property
    def indexes(self) -> tuple[int, int]:
        """The first and the last multiple of `q`, as numbers of times."""
        return -(-self.lower // self.q), self.upper // self.q - (self.q == 1)

    def multiple(self, index: int) -> int:
        """Return `index` times `q`."""
        return index * self.q

    def __repr__(self) -> str:
        return call_text("randint", self.log, self.lower, self.upper, None if self.q == 1 else self.q)


@dataclass(frozen=True, repr=False)
class Normal(RandomDomain):
    """A float of the normal distribution; with `q`, the multiple of it that is nearest."""

    mean: float
    sd: float
    q: float | None = None

    def draw(self, entropy: Entropy) -> float:
        """Return a float of the domain."""
        return self.at(entropy.unit())

    def at(self, unit: float) -> float:
        """Return the float below which that share of the distribution lies, above 0 and below 1."""
        return self.nearest(NormalDist(self.mean, self.sd).inv_cdf(unit))

    def nearest(self, value: float) -> float:
        """Return the float of the domain that is nearest to a number."""
        return _shortened(value, self.sd) if self.q is None else _multiple(round(value / self.q), self.q)

    def share_below(self, value: float) -> float:
        """Return which share of the distribution lies below `value`."""
        return NormalDist(self.mean, self.sd).cdf(value)

    def __repr__(self) -> str:
        return call_text("randn", False, self.mean, self.sd, self.q)


def call_text(name: str, log: bool, one: float, two: float, q: float | None) -> str:
    """Return the call that makes such a domain."""
    return f"{'' if q is None else 'q'}{'log' if log else ''}{name}({one!r}, {two!r}{'' if q is None else f', {q!r}'})"


def _between(lower: float, upper: float, log: bool, unit: float) -> float:
    if log:
        low, high = math.log(lower), math.log(upper)
        return math.exp(low + unit * (high - low))
    return lower + unit * (upper - lower)


def _shortened(value: float, scale: float) -> float:
    """Return `value` with as many decimals as tell a millionth of `scale`."""
    return round(value, _DIGITS - math.floor(math.log10(scale)))


def _index(bound: float, q: float, rounding: Callable[[float], int]) -> int:
    """Return `bound` in multiples of `q`, rounded inwards, unless it is one but for the last bits: 0.3 is three times 0.1."""
    nearest = round(bound / q)
    return nearest if math.isclose(bound / q, nearest) else rounding(bound / q)


def _first_index(lower: float, q: float) -> int:
    return _index(lower, q, math.ceil)


def _last_index(upper: float, q: float) -> int:
    return _index(upper, q, math.floor)


def _multiple(index: int, q: float) -> float:
    return float(Decimal(repr(q)) * index)
