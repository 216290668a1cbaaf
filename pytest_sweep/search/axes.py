"""From a space as it is written to the choices that make up one configuration. Knows neither searchers nor values that are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.model.spread import is_nan
from pytest_sweep.search.dimensions import CategoricalDimension, Dimension, Plain, dimension_of, dimension_of_listed
from pytest_sweep.space.axes import Open, Path, Row, Setting, axis_slots, dotted, slot_of
from pytest_sweep.space.canonical import identity_text
from pytest_sweep.space.composition import Grid, Product, Space, Sum, leaves
from pytest_sweep.space.domains import Categorical, Domain, Function, RandomDomain
from pytest_sweep.space.naming import value_text
from pytest_sweep.space.points import Choice
from pytest_sweep.space.templates import as_domain

When = tuple[tuple[str, Plain], ...]


@dataclass(frozen=True)
class Axis:
    """A part of each configuration: one of its rows.

    Attributes:
        paths: the places that it fills, over all rows.
        rows: the slots of each row; more than one are chosen from.
        dimension: what is searched: which row, or the value of the one open slot; None where there is one row, and nothing to search.
        options: of a dimension with choices, the value of each in the space: a row, or a category of ``choice``.
    """

    paths: tuple[Path, ...]
    rows: tuple[Row, ...]
    dimension: Dimension | None
    options: Mapping[Plain, Any]

    @property
    def is_listed(self) -> bool:
        """Whether a row is chosen."""
        return len(self.rows) > 1

    def plain(self, setting: Setting) -> Plain:
        """Return the value of the dimension that a setting of the one slot has."""
        value: Any = setting.value
        if not self.options:
            return value  # type: ignore[no-any-return]
        return next(name for name, written in self.options.items() if written.leaves == setting.leaves)


@dataclass(frozen=True)
class Branch:
    """A part of each configuration that is one of several, each with axes of its own: a sum of spaces."""

    dimension: CategoricalDimension
    alternatives: tuple[tuple[Axis | Branch, ...], ...]


Factor = Axis | Branch


def factors(space: Space, taken: Sequence[str] = (), when: When = ()) -> list[Factor]:
    """Return the parts of which each configuration has one choice.

    Args:
        space: a space that is well written.
        taken: names of dimensions that are there already.
        when: the branches in which they are chosen.
    """
    if isinstance(space, Product):
        first = factors(space.first, taken, when)
        return first + factors(space.second, [*taken, *(one.name for one in dimensions(first))], when)
    if isinstance(space, Sum):
        return [_branch(space, taken, when)]
    if isinstance(space, Grid):
        return [_axis(path, axis, when) for path, axis in leaves(space.axes, "the grid")]
    return [_rows([row for block in space.blocks() for row in block.rows], when)]


def dimensions(parts: Sequence[Factor]) -> Iterator[Dimension]:
    """Yield all dimensions; what others depend on comes before them."""
    for part in parts:
        if part.dimension is not None:
            yield part.dimension
        if isinstance(part, Branch):
            for alternative in part.alternatives:
                yield from dimensions(alternative)


def all_axes(parts: Sequence[Factor]) -> Iterator[Axis]:
    """Yield the axes, those of all branches included."""
    for part in parts:
        if isinstance(part, Axis):
            yield part
        else:
            for alternative in part.alternatives:
                yield from all_axes(alternative)


def unsearched(axis: Axis) -> Iterator[str]:
    """Yield the dotted keys whose values are drawn without the searcher: only a function or a strategy knows what they are."""
    for row in axis.rows:
        for slot in row:
            if isinstance(slot, Open) and (axis.is_listed or axis.dimension is None) and not is_derived(slot.domain):
                yield dotted(slot.path)


def is_derived(domain: Domain) -> bool:
    """Say whether a value follows from all others."""
    return isinstance(domain, Function) and domain.last


def _branch(space: Sum, taken: Sequence[str], when: When) -> Branch:
    parts = _summands(space)
    name = next(name for name in _names("branch") if name not in taken)
    alternatives = [tuple(factors(part, [*taken, name], (*when, (name, number)))) for number, part in enumerate(parts)]
    return Branch(CategoricalDimension(name, when, tuple(range(len(parts)))), tuple(alternatives))


def _names(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}{number}"
        number += 1


def _summands(space: Space) -> list[Space]:
    return [*_summands(space.first), *_summands(space.second)] if isinstance(space, Sum) else [space]


def _axis(path: Path, axis: Any, when: When) -> Axis:
    domain = as_domain(axis)
    if domain is None:
        rows = tuple((slot,) for slot in axis_slots(path, axis))
        return _chosen((path,), rows, _choice_names(axis), when)
    slot = slot_of(path, axis)
    found = slot.domain if isinstance(slot, Open) else domain
    name = _name((path,), when)
    if isinstance(found, Categorical) and isinstance(found, RandomDomain):
        names = _choice_names(found.categories)
        dimension: Dimension | None = CategoricalDimension(name, when, tuple(names)) if len(names) > 1 else None
        return Axis((path,), ((slot,),), dimension, dict(zip(names, _settings(path, found), strict=True)))
    return Axis((path,), ((slot,),), dimension_of(name, found, when), {})


def _settings(path: Path, domain: Categorical) -> list[Setting]:
    try:
        return [Setting.of(path, category) for category in domain.categories]
    except SpaceError as error:
        raise SpaceError(f"the axis {dotted(path)!r}: {error}") from error


def _rows(rows: Sequence[Row], when: When) -> Axis:
    paths = tuple(dict.fromkeys(slot.path for row in rows for slot in row if slot.path))
    labels = ["-".join(slot.part for slot in row if isinstance(slot, Setting) and slot.part) for row in rows]
    return _chosen(paths, tuple(rows), _unique(labels), when)


def _chosen(paths: tuple[Path, ...], rows: tuple[Row, ...], names: Sequence[Plain], when: When) -> Axis:
    dimension = dimension_of_listed(_name(paths, when), names, when) if len(rows) > 1 else None
    return Axis(paths, rows, dimension, dict(zip(names, rows, strict=True)))


def _name(paths: Sequence[Path], when: When) -> str:
    prefix = "".join(f"{branch}={number}/" for branch, number in when)
    return prefix + ",".join(map(dotted, paths))


def _choice_names(values: Sequence[Any]) -> list[Plain]:
    """Return what stands for each value: itself where all are scalars that differ, else their labels."""
    plain = [value.value if isinstance(value, Choice) else value for value in values]
    labelled = any(isinstance(value, Choice) and value.label is not None for value in values)
    scalars = all(type(value) in (str, int, float, bool, type(None)) for value in plain)
    # True equals 1, and NaN not even itself: such lists go by their labels.
    if not labelled and scalars and len(set(plain)) == len(plain) and not any(map(is_nan, plain)):
        return plain
    return _unique([_label(value) for value in values])


def _label(value: Any) -> str:
    if isinstance(value, Choice):
        return value.label if value.label is not None else _label(value.value)
    try:
        return value_text(value)
    except SpaceError:
        return type(value).__name__


def _unique(labels: Sequence[str]) -> list[Plain]:
    counted: dict[str, int] = {}
    unique: list[Plain] = []
    for label in labels:
        counted[label] = counted.get(label, 0) + 1
        unique.append(label if counted[label] == 1 else f"{label}#{counted[label]}")
    return unique


def identity_of(value: Any) -> str:
    """Return what tells a value of a configuration from others; "" where nothing does."""
    try:
        return identity_text(value)
    except SpaceError:
        return ""
