"""Spaces and how they combine: product, pairing, sum. Knows neither seeds nor samples nor labels.

A space is what was written, and is never changed. It becomes blocks: rows of slots that fill the same places of a configuration.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.space.axes import Open, Path, Row, Slot, axis_length, axis_slots, dotted
from pytest_sweep.space.display import shown
from pytest_sweep.space.domains import Function, Written
from pytest_sweep.space.foreign import is_grid_search
from pytest_sweep.space.keys import check_readings, check_strings
from pytest_sweep.space.templates import as_domain

Change = Callable[[Path, Any], Any]
"""Gets an axis as it is written, and returns what is to stand in its place."""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of slots that fill the same places, in the order in which they were written; some may be open where others are not."""

    paths: tuple[Path, ...]
    rows: Sequence[Row]

    @property
    def is_open(self) -> bool:
        """Whether the rows have places whose values are still to be drawn."""
        return any(isinstance(slot, Open) for row in self.rows for slot in row)

    @property
    def has_functions(self) -> bool:
        """Whether functions work out the values of some places."""
        return any(isinstance(slot, Open) and isinstance(slot.domain, Function) for row in self.rows for slot in row)


class Space(Written, ABC):
    """What to try.

    ``a * b`` is every configuration of `a` with every one of `b`; ``a + b`` is those of `a`, then those of `b` that are new.
    A dict may stand for the grid of it on either side. In a product, what is written first varies slowest.
    """

    @abstractmethod
    def count(self) -> int:
        """Return how many rows there are, at most, without making them.

        Raises:
            SpaceError: the space is not well written.
        """

    @abstractmethod
    def blocks(self) -> list[Block]:
        """Return all rows, in order.

        Raises:
            SpaceError: the space is not well written.
        """

    @abstractmethod
    def changed(self, change: Change) -> Space:
        """Return the same space with every axis replaced by what `change` makes of it."""

    def __mul__(self, other: Space | Mapping[str, Any]) -> Space:
        return Product(self, as_space(other))

    def __rmul__(self, other: Mapping[str, Any]) -> Space:
        return Product(as_space(other), self)

    def __add__(self, other: Space | Mapping[str, Any]) -> Space:
        return Sum(self, as_space(other))

    def __radd__(self, other: Mapping[str, Any]) -> Space:
        return Sum(as_space(other), self)


@dataclass(frozen=True, repr=False)
class Grid(Space):
    """All combinations of axes, the first varying slowest. `axes` is a dict, whose dicts hold axes themselves, at any depth."""

    axes: Any

    def count(self) -> int:  # noqa: D102 - see Space
        return math.prod(axis_length(path, axis) for path, axis in leaves(self.axes, "the grid"))

    def blocks(self) -> list[Block]:  # noqa: D102 - see Space
        axes = [(path, axis_slots(path, axis)) for path, axis in leaves(self.axes, "the grid")]
        return [Block(tuple(path for path, _ in axes), list(itertools.product(*(slots for _, slots in axes))))]

    def changed(self, change: Change) -> Grid:  # noqa: D102 - see Space
        return Grid(_changed(self.axes, change))

    def __repr__(self) -> str:
        return f"grid({self.axes!r})"


@dataclass(frozen=True, repr=False)
class Zip(Space):
    """Axes of one length, of which the first values belong together, then the second ones, and so on."""

    axes: Any

    def count(self) -> int:  # noqa: D102 - see Space
        lengths = {dotted(path): axis_length(path, axis) for path, axis in leaves(self.axes, "zip_")}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{key} has {length}" for key, length in lengths.items())
            raise SpaceError(f"zip_ pairs axes of one length: {told} values. To combine each with each, multiply grids")
        return next(iter(lengths.values()))

    def blocks(self) -> list[Block]:  # noqa: D102 - see Space
        self.count()
        axes = [(path, axis_slots(path, axis)) for path, axis in leaves(self.axes, "zip_")]
        for path, axis in leaves(self.axes, "zip_"):
            if as_domain(axis) is not None:
                raise SpaceError(
                    f"zip_ pairs listed values, and {dotted(path)!r} has none: write zip_(...) * grid({path[0]}=...)"
                )
        return [Block(tuple(path for path, _ in axes), list(zip(*(slots for _, slots in axes), strict=True)))]

    def changed(self, change: Change) -> Zip:  # noqa: D102 - see Space
        return Zip(_changed(self.axes, change))

    def __repr__(self) -> str:
        return f"zip_({self.axes!r})"


@dataclass(frozen=True, repr=False)
class Product(Space):
    """Every row of `first` with every row of `second`."""

    first: Space
    second: Space

    def count(self) -> int:  # noqa: D102 - see Space
        return self.first.count() * self.second.count()

    def blocks(self) -> list[Block]:  # noqa: D102 - see Space
        seconds = self.second.blocks()
        return [_crossed(one, two) for one in self.first.blocks() for two in seconds]

    def changed(self, change: Change) -> Product:  # noqa: D102 - see Space
        return Product(self.first.changed(change), self.second.changed(change))

    def __repr__(self) -> str:
        return f"({self.first!r} * {self.second!r})"


@dataclass(frozen=True, repr=False)
class Sum(Space):
    """The rows of `first`, then those of `second` that are not among them."""

    first: Space
    second: Space

    def count(self) -> int:  # noqa: D102 - see Space
        return self.first.count() + self.second.count()

    def blocks(self) -> list[Block]:  # noqa: D102 - see Space
        blocks = self.first.blocks()
        there = {row_leaves(row) for block in blocks for row in block.rows}
        for block in self.second.blocks():
            rows = [row for row in block.rows if row_leaves(row) not in there]
            if rows:
                blocks.append(Block(block.paths, rows))
        return blocks

    def changed(self, change: Change) -> Sum:  # noqa: D102 - see Space
        return Sum(self.first.changed(change), self.second.changed(change))

    def __repr__(self) -> str:
        return f"({self.first!r} + {self.second!r})"


def grid(axes: Mapping[str, Any] | None = None, /, **more: Any) -> Grid:
    """Return the grid of these axes: all their combinations, of which the first axis varies slowest.

    Args:
        axes: a dict from key to axis, for keys that are no Python names.
        more: further axes by name. An axis is a list of values; a domain such as ``uniform(0, 1)``, a strategy of hypothesis or
            ``derived(...)``, whose value is new for every combination; or a dict that holds axes.

    Raises:
        SpaceError: a key is given twice. What is wrong within the axes is told when the sweep is collected.
    """
    return Grid(_joined("grid", axes, more))


def zip_(axes: Mapping[str, Any] | None = None, /, **more: Any) -> Zip:
    """Return the space that pairs these axes: their first values, then their second ones, as ``zip`` does.

    Args:
        axes: a dict from key to list of values, for keys that are no Python names.
        more: further axes by name. All have the same length; a dict holds axes that are paired with the others.

    Raises:
        SpaceError: a key is given twice. What is wrong within the axes is told when the sweep is collected.
    """
    return Zip(_joined("zip_", axes, more))


def as_space(written: object) -> Space:
    """Return a space as it is, and anything else as a grid, which will say what is wrong with it."""
    return written if isinstance(written, Space) else Grid(written)


def leaves(axes: Any, where: str) -> list[tuple[Path, Any]]:
    """Return the axes with their paths, in the order in which they are written.

    Raises:
        SpaceError: it is no dict, or empty, has keys that are no strings, or two that read the same.
    """
    if not isinstance(axes, Mapping):
        raise SpaceError(f"{where} is a dict of axes such as {{'lr': [0.1, 0.01]}}, not {shown(axes)}")
    if not axes:
        raise SpaceError(f"{where} is empty: give it at least one axis such as {{'lr': [0.1, 0.01]}}")
    check_strings(axes, where)
    found = list(_leaves(axes, ()))
    check_readings([dotted(path) for path, _ in found], where)
    return found


def row_leaves(row: Row) -> frozenset[tuple[str, str]]:
    """Return what tells a row from others: its dotted keys, each with the identity of what is there."""
    return frozenset(itertools.chain.from_iterable(slot.leaves for slot in row))


def check_reserved(blocks: Sequence[Block], reserved: Collection[str]) -> None:
    """Raise SpaceError if a top-level key is the name of something else that a trial's function can take."""
    for key in dict.fromkeys(path[0] for block in blocks for path in block.paths if path):
        if key in reserved:
            raise SpaceError(
                f"the space has the key {key!r}, which is the name of a fixture or an argument of trials: "
                f"rename the key, for example to {'my_' + key!r}"
            )


def _leaves(axes: Mapping[Any, Any], path: Path) -> Iterator[tuple[Path, Any]]:
    for key, axis in axes.items():
        here = (*path, key)
        if is_grid_search(axis):
            yield here, axis["grid_search"]
            continue
        if not isinstance(axis, Mapping):
            yield here, axis
            continue
        name = dotted(here)
        if not axis:
            raise SpaceError(
                f"{name!r} is an empty dict: put an axis in it, or write [{{}}] for an empty dict as the value"
            )
        check_strings(axis, f"{name!r}", "; for a dict as a value, put it into a list: [{...}]")
        yield from _leaves(axis, here)


def _crossed(one: Block, two: Block) -> Block:
    for path, other in itertools.product(one.paths, two.paths):
        short = min(len(path), len(other))
        if path[:short] == other[:short]:
            twice = path if len(path) == short else other
            raise SpaceError(
                f"a product has the key {dotted(twice)!r} on both sides: give it once, or join the two with +"
            )
    rows: list[tuple[Slot, ...]] = [first + second for first in one.rows for second in two.rows]
    check_readings([dotted(path) for path in one.paths + two.paths], "a product")
    return Block(one.paths + two.paths, rows)


def _joined(name: str, axes: Mapping[str, Any] | None, more: Mapping[str, Any]) -> dict[str, Any]:
    if axes is not None and not isinstance(axes, Mapping):
        raise SpaceError(f"{name}() takes axes by name, {name}(lr=[0.1, 0.01]), or one dict of them, not {shown(axes)}")
    twice = sorted(set(axes or {}) & set(more))
    if twice:
        raise SpaceError(f"{name}() has the key {twice[0]!r} twice: give it once")
    return {**(axes or {}), **more}


def _changed(axes: Any, change: Change, path: Path = ()) -> Any:
    if path and is_grid_search(axes):
        return change(path, axes["grid_search"])
    if not isinstance(axes, Mapping):
        return axes if not path else change(path, axes)
    if not axes and path:
        return axes
    return {key: _changed(axis, change, (*path, key)) for key, axis in axes.items()}
