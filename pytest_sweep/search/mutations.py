"""How population based training changes a configuration: what is drawn anew, and what numbers are multiplied with. Pure."""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_sweep.errors import DefinitionError, SpaceError
from pytest_sweep.search.dimensions import FloatDimension, IntegerDimension, dimension_of
from pytest_sweep.space.canonical import identity_text
from pytest_sweep.space.copies import own_containers
from pytest_sweep.space.display import shown
from pytest_sweep.space.domains import Categorical, Normal, RandomDomain
from pytest_sweep.space.entropy import Entropy
from pytest_sweep.space.points import Choice
from pytest_sweep.space.templates import as_domain

_FAR = 1e100
"""A number that is so large is not rounded to a step: how many steps it has may be no float."""


@dataclass(frozen=True)
class Mutation:
    """How the value at one dotted key changes.

    Attributes:
        key: the key.
        dimension: the range of a number; None where values are listed, or drawn only.
        listed: the values of a list, in order.
        domain: what is drawn from; None for a list.
    """

    key: str
    dimension: FloatDimension | IntegerDimension | None
    listed: tuple[Any, ...]
    domain: RandomDomain | None


@dataclass(frozen=True)
class Mutations:
    """How configurations change.

    Attributes:
        each: by key.
        resample_probability: how often a value is drawn anew.
        factors: what numbers are multiplied with otherwise.
    """

    each: tuple[Mutation, ...]
    resample_probability: float
    factors: tuple[float, float]

    def explored(self, config: Mapping[str, Any], entropy: str) -> dict[str, Any]:
        """Return a changed copy of `config`; equal texts change it equally.

        A number is multiplied with one of the factors and clipped to its domain; in a list, the value before or after is taken.
        """
        changed = dict(own_containers(config))
        for mutation in self.each:
            path = _path(changed, mutation.key) or ()
            level: Any = changed
            for key in path[:-1]:
                level = level[key]
            level[path[-1]] = self._mutated(mutation, level[path[-1]], f"{entropy}/{mutation.key}")
        return changed

    def check(self, config: Mapping[str, Any]) -> None:
        """Raise DefinitionError if the configuration lacks a key that is to change, or has no number where one is to be multiplied."""
        for mutation in self.each:
            path = _path(config, mutation.key)
            if path is None:
                raise DefinitionError(
                    f"pbt(): hyperparam_mutations has {mutation.key!r}, which is no key of the configuration {shown(config)}"
                )
            value: Any = config
            for key in path:
                value = value[key]
            if mutation.dimension is not None and not _can_be_multiplied(value):
                raise DefinitionError(
                    f"pbt(): hyperparam_mutations multiplies numbers of {mutation.domain}, and {mutation.key!r} is {shown(value)} in a "
                    f"configuration: give a list of values for {mutation.key!r}, or numbers in the space"
                )

    def _mutated(self, mutation: Mutation, value: Any, entropy: str) -> Any:
        anew = Entropy(f"{entropy}/anew").unit() < self.resample_probability
        draw = Entropy(f"{entropy}/value")
        if mutation.listed:
            at = _index(mutation.listed, value)
            if anew or at is None:
                return mutation.listed[draw.below(len(mutation.listed))]
            return mutation.listed[min(max(at + (1 if draw.below(2) else -1), 0), len(mutation.listed) - 1)]
        assert mutation.domain is not None
        if anew or mutation.dimension is None:
            drawn = mutation.domain.draw(draw)
            return drawn.value if isinstance(drawn, Choice) else drawn
        return _clipped(mutation.dimension, value, self.factors[draw.below(2)])


def read_mutations(written: Mapping[str, Any], resample_probability: float, factors: tuple[float, ...]) -> Mutations:
    """Return what ``hyperparam_mutations=written`` says.

    Raises:
        DefinitionError: an entry is neither a domain nor a list.
    """
    each = []
    for key, entry in _flat(written, ""):
        domain = as_domain(entry)
        if isinstance(domain, Categorical):
            entry, domain = list(domain.categories), None  # noqa: PLW2901 - a choice is a list here, as in Tune
        if domain is None and isinstance(entry, (list, tuple)) and entry:
            listed = tuple(value.value if isinstance(value, Choice) else value for value in entry)
            each.append(Mutation(key, None, listed, None))
        elif isinstance(domain, RandomDomain):
            each.append(Mutation(key, dimension_of(key, domain, ()), (), domain))
        else:
            raise DefinitionError(
                f"pbt(): hyperparam_mutations[{key!r}] is {shown(entry)}: give a domain such as uniform(0, 1), or a list of values"
            )
    return Mutations(tuple(each), resample_probability, (factors[0], factors[1]))


def _flat(written: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, entry in written.items():
        found += _flat(entry, f"{prefix}{key}.") if isinstance(entry, dict) else [(f"{prefix}{key}", entry)]
    return found


def _path(config: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    """Return the keys that lead to the value at a dotted key; None where there is none."""
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        first = ".".join(parts[:length])
        if first in config:
            if length == len(parts):
                return (first,)
            rest = _path(config[first], ".".join(parts[length:])) if isinstance(config[first], Mapping) else None
            return None if rest is None else (first, *rest)
    return None


def _index(listed: Sequence[Any], value: Any) -> int | None:
    try:
        wanted = identity_text(value)
        return next((number for number, one in enumerate(listed) if identity_text(one) == wanted), None)
    except SpaceError:
        return next((number for number, one in enumerate(listed) if one is value), None)


def _clipped(dimension: FloatDimension | IntegerDimension, value: float, factor: float) -> Any:
    """Return `value` times `factor`, within the domain, which `value` need not be in; a whole number changes by one at least."""
    if isinstance(dimension, IntegerDimension):
        assert not isinstance(dimension.domain, tuple)
        before = round(_bounded(value / (dimension.domain.q or 1)))
        after = round(_bounded(before * factor))
        return dimension.value(after if after != before else before + (1 if factor > 1 else -1))
    changed = _bounded(value * factor)
    if not isinstance(dimension.domain, Normal):
        return dimension.value(changed)
    return dimension.domain.nearest(changed) if abs(changed) < _FAR else changed


def _bounded(number: float) -> float:
    """Return a number that can be rounded: the largest that are, instead of infinities."""
    return min(max(float(number), -sys.float_info.max), sys.float_info.max)


def _can_be_multiplied(value: object) -> bool:
    """Say whether it is a finite number, of whatever type: numpy's are, too."""
    try:
        return not isinstance(value, bool) and isinstance(value, numbers.Real) and math.isfinite(float(value))
    except OverflowError:
        return False
