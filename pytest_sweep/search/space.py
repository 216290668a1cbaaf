"""The space of a search: its dimensions, and the configuration that chosen values make. Knows no searcher and no results."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.model.integers import digits
from pytest_sweep.search.axes import Axis, Branch, Factor, all_axes, dimensions, factors, unsearched
from pytest_sweep.search.dimensions import Dimension, Plain
from pytest_sweep.search.finding import values_in
from pytest_sweep.space.axes import Open, Path, Setting, Slot, dotted
from pytest_sweep.space.composition import Space, as_space, check_reserved
from pytest_sweep.space.constraints import check_names, meets, read_constraints
from pytest_sweep.space.display import shown
from pytest_sweep.space.drawing import RowDrawer
from pytest_sweep.space.entropy import Entropy
from pytest_sweep.space.expansion import RESERVED
from pytest_sweep.space.expressions import unknown_name
from pytest_sweep.space.naming import given_labels, unique_labels
from pytest_sweep.space.nesting import flatten, nested
from pytest_sweep.space.templates import as_domain

ATTEMPTS = 1000
"""How many configurations in a row ``where=`` may refuse."""

_FAR = 2**32
"""Between the numbers of the samples of one slot: no sweep has so many slots."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a slot is to run.

    Attributes:
        config: the configuration; its dicts belong to it alone.
        label: its text, as in the node id of a trial whose configuration is known at collection; not unique among slots.
        marks: the marks of what was chosen.
        identity: what `pytest_sweep.space.trial_key` takes as the configuration.
        values: the values of its dimensions as they run: rounded where the searcher's were not, and drawn where it gave none.
    """

    config: dict[str, Any]
    label: str
    marks: tuple[Any, ...]
    identity: Any = field(repr=False)
    values: Mapping[str, Plain]


class SearchSpace:
    """A space as searchers see it.

    Args:
        space: what is written, with each ``pytest.param`` in it as a `Choice`; or a dict, which is the grid of its axes.
        ids: None, or a function of a configuration that returns its label, or None for the usual one.
        where: conditions that a configuration must meet, as for ``expand``.
        seed: what is drawn depends on it.
        reserved: top-level keys that are refused.
        points_to_evaluate: configurations for the first slots, each a dict of some or all keys, nested or dotted.

    Attributes:
        dimensions: what is searched, by name, in order; what others depend on comes before them.
        unsearched: the dotted keys that are drawn for each slot, but that searchers do not see.
        keys: the top-level keys of its configurations.
        varying: the dotted keys that may take more than one value.
        points_to_evaluate: the values for the first slots.

    Raises:
        SpaceError: the space is not well written, or has nothing to search; the text does not name the sweep.

    Example:
        >>> space = SearchSpace({"lr": loguniform(1e-4, 1e-1), "model": {"depth": randint(2, 9)}})
        >>> list(space.dimensions)
        ['lr', 'model.depth']
        >>> space.complete({"lr": 0.01}, slot=0).config
        {'lr': 0.01, 'model': {'depth': 7}}
    """

    def __init__(
        self,
        space: Space | Mapping[str, Any],
        *,
        ids: object = None,
        where: object = None,
        seed: int = 0,
        reserved: Collection[str] = RESERVED,
        points_to_evaluate: object = None,
    ) -> None:
        written = as_space(space)
        _check(written, reserved)
        if ids is not None and not callable(ids):
            raise SpaceError(
                f"ids is {shown(ids)}: configurations that are chosen while the sweep runs cannot be named beforehand: give a function "
                "of the configuration, or leave ids= out"
            )
        self._factors = factors(written)
        self._ids, self._seed = ids, seed
        self._constraints = read_constraints(where)
        self.dimensions: Mapping[str, Dimension] = MappingProxyType(
            {dimension.name: dimension for dimension in dimensions(self._factors)}
        )
        axes = list(all_axes(self._factors))
        self.unsearched = tuple(dict.fromkeys(key for axis in axes for key in unsearched(axis)))
        self._places = tuple(dict.fromkeys(path for axis in axes for path in axis.paths))
        self.keys = tuple(dict.fromkeys(path[0] for path in self._places if path))
        self.varying = tuple(dict.fromkeys(_varying(self._factors)))
        self._check_searched(written)
        if self._constraints:
            check_names([nested(self._places, [None] * len(self._places))], self._constraints)
        self.points_to_evaluate = tuple(self._points(points_to_evaluate))

    def complete(self, values: Mapping[str, Any], slot: int, attempt: int = 0) -> Configuration | None:
        """Return the configuration of chosen values; None where ``where=`` forbids it.

        Args:
            values: by name of dimension. What is missing is drawn: as sample `slot` of ``random()`` draws it, where the space lists no
                values. Keys that are no dimensions, such as those of ``sample_from``, may be given, too.
            slot: the number of the slot.
            attempt: another number draws other values for the same slot.

        Raises:
            SpaceError: a name is unknown, a value is outside of its dimension, or a function of the space fails.
        """
        sample = slot + attempt * _FAR
        left, found = dict(values), dict[str, Plain]()
        row: list[Slot] = []
        drawn: list[Slot] = []
        by_axis: list[tuple[Axis, int]] = []
        for axis in self._active(self._factors, left, found, sample):
            written = self._row(axis, left, found, sample)
            by_axis.append((axis, len(row)))
            drawn += written
            row += [self._given(axis, slot_, left) for slot_ in written]
        self._check_left(left)
        settled = sorted({leaf for one in drawn for leaf in one.settled})
        settings = RowDrawer(tuple(row), self._seed, f"0/{settled}").draw(sample)
        for axis, index in by_axis:
            if axis.dimension is not None and not axis.is_listed:
                found[axis.dimension.name] = axis.plain(settings[index])
        return self._configuration(settings, found)

    def values_of(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values that a configuration, or a part of one, has for `complete`.

        Args:
            config: nested, or with dotted keys; derived values are left out.

        Raises:
            SpaceError: it has a key that the space has not, or a value that the space cannot give.
        """
        flat = flatten(config)
        known = {dotted(path) for path in self._places}
        for key in flat:
            if key not in known and not any(key.startswith(f"{one}.") or one.startswith(f"{key}.") for one in known):
                raise SpaceError(unknown_name(key, known))
        return values_in(self._factors, config)

    def random(self, slot: int) -> Mapping[str, Plain]:
        """Return the values that ``random()`` draws for a slot.

        Raises:
            SpaceError: ``where=`` forbids 1000 of them in a row, or a function of the space fails.
        """
        for attempt in range(ATTEMPTS):
            found = self.complete({}, slot, attempt)
            if found is not None:
                return found.values
        raise SpaceError(self.too_narrow)

    @property
    def too_narrow(self) -> str:
        """The sentence for a space of which ``where=`` leaves too little."""
        told = ", ".join(constraint.text for constraint in self._constraints)
        return f"where ({told}) forbids {ATTEMPTS} configurations in a row: loosen a condition, or narrow the space"

    def _active(
        self, parts: Sequence[Factor], left: dict[str, Any], found: dict[str, Plain], sample: int
    ) -> Iterator[Axis]:
        for part in parts:
            if isinstance(part, Axis):
                yield part
                continue
            number = self._choice(part.dimension, len(part.alternatives), left, sample)
            found[part.dimension.name] = number
            yield from self._active(part.alternatives[number], left, found, sample)

    def _row(self, axis: Axis, left: dict[str, Any], found: dict[str, Plain], sample: int) -> tuple[Slot, ...]:
        if axis.dimension is None or not axis.is_listed:
            return axis.rows[0]
        index = self._choice(axis.dimension, len(axis.rows), left, sample)
        found[axis.dimension.name] = list(axis.options)[index]
        return axis.rows[index]

    def _choice(self, dimension: Dimension, count: int, left: dict[str, Any], sample: int) -> int:
        if dimension.name in left:
            return int(dimension.code(left.pop(dimension.name)))
        return Entropy(f"{digits(self._seed)}/{sample}/0/[]/{dimension.name}").below(count)

    def _given(self, axis: Axis, slot: Slot, left: dict[str, Any]) -> Slot:
        """Return the slot with the value that was given for it; the slot as it is where none was."""
        if not isinstance(slot, Open):
            return slot
        dimension = axis.dimension if not axis.is_listed else None
        name = dimension.name if dimension is not None else dotted(slot.path)
        if name not in left:
            return slot
        value = left.pop(name)
        if dimension is None:
            return Setting.of(slot.path, value)
        plain = dimension.value(dimension.code(value))
        return axis.options[plain] if axis.options else Setting.of(slot.path, plain)

    def _check_left(self, left: Mapping[str, Any]) -> None:
        for name in left:
            if name not in self.dimensions:
                raise SpaceError(unknown_name(name, self.dimensions))

    def _configuration(self, settings: Sequence[Setting], values: Mapping[str, Plain]) -> Configuration | None:
        paths = [setting.path for setting in settings]
        config = nested(paths, [setting.value for setting in settings])
        if not all(meets(config, constraint) for constraint in self._constraints):
            return None
        identity = nested(paths, [setting.keyed for setting in settings])
        label = given_labels(self._ids, [config], [0])[0]
        if label is None:
            stem = "-".join(setting.part for setting in settings if setting.part) or "{}"
            label = unique_labels([stem], [0], [identity])[0]
        marks = tuple(mark for setting in settings for mark in setting.marks)
        ordered = {name: values[name] for name in self.dimensions if name in values}
        return Configuration(config, label, marks, identity, ordered)

    def _check_searched(self, written: Space) -> None:
        has_domain = any(
            isinstance(slot, Open) for axis in all_axes(self._factors) for row in axis.rows for slot in row
        )
        if not self.dimensions or not has_domain:
            raise SpaceError(
                f"{shown(written)} has nothing to search, only listed values: write a domain such as uniform(0, 1) or choice([...]), "
                "or leave search= out to try all of it"
            )

    def _points(self, given: object) -> Iterator[Mapping[str, Any]]:
        if given is None:
            return
        if not isinstance(given, (list, tuple)):
            raise SpaceError(f"points_to_evaluate is a list of dicts such as [{{'lr': 0.1}}], not {shown(given)}")
        for index, point in enumerate(given):
            where = f"points_to_evaluate[{index}]"
            if not isinstance(point, Mapping):
                raise SpaceError(f"{where} is {shown(point)}: each point is a dict such as {{'lr': 0.1}}")
            try:
                values = self.values_of(point)
                allowed = self.complete(values, index) is not None
            except SpaceError as error:
                raise SpaceError(f"{where}: {error}") from error
            if not allowed and len(values) == len(self.dimensions):
                raise SpaceError(f"{where} is {shown(point)}, which where= forbids: change one of them")
            yield values


def _check(space: Space, reserved: Collection[str]) -> None:
    """Raise SpaceError where the space is not well written; its lists are not multiplied out for that."""
    space.count()

    def first(_: Path, axis: Any) -> Any:
        return axis if as_domain(axis) is not None else axis[:1]

    check_reserved(space.changed(first).blocks(), reserved)


def _varying(parts: Sequence[Factor]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Branch):
            for alternative in part.alternatives:
                yield from (dotted(path) for axis in all_axes(alternative) for path in axis.paths if path)
        elif part.is_listed or any(isinstance(slot, Open) for slot in part.rows[0]):
            yield from (dotted(path) for path in part.paths if path)
