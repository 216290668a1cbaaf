"""From a grid or a list of configurations, as written, to the points to try. Knows neither marks nor where trials run."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence, Sized
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.space.canonical import identifiable, identity_text
from pytest_sweep.space.display import shown
from pytest_sweep.space.naming import config_label, escaped, given_labels, label_part, unique_labels
from pytest_sweep.space.nesting import flat_items, is_nested, nested
from pytest_sweep.space.points import Choice, Expansion, Point

RESERVED = ("trial", "request", "config")
"""Names of arguments that a trial's function can have for other things."""


def expand_grid(grid: object, ids: object = None, reserved: Collection[str] = RESERVED) -> Expansion:
    """Return the product of the grid's axes; the axis that is written first varies slowest, as in ``itertools.product``.

    Args:
        grid: a dict. Each value is an axis, which is a list of values (or any other sized collection that can be read more than
            once and has an order), or a dict that holds axes, at any depth; configurations nest as the grid does.
            A value may be anything, plain or a `Choice`.
        ids: None, a list of as many strings as there are points, or a function of a configuration that returns a string,
            or None for the usual label.
        reserved: top-level keys that are refused.

    Raises:
        SpaceError: the grid cannot be expanded. The text says why, with which value, and what to write instead.
    """
    axes = _axes(grid, reserved)
    combinations = list(itertools.product(*(axis.settings for axis in axes)))
    paths = [axis.path for axis in axes]
    configs = [nested(paths, [setting.choice.value for setting in settings]) for settings in combinations]
    if any(setting.keyed is not setting.choice.value for axis in axes for setting in axis.settings):
        identities = [nested(paths, [setting.keyed for setting in settings]) for settings in combinations]
    else:
        identities = configs
    if all(len(axis.distinct) == len(axis.settings) for axis in axes):
        replicates = [0] * len(combinations)
    else:
        replicates = _replicates(tuple(setting.identity for setting in settings) for settings in combinations)
    stems = ["-".join([setting.part for setting in settings]) for settings in combinations]
    marks = [tuple(mark for setting in settings for mark in setting.choice.marks) for settings in combinations]
    return Expansion(
        points=_points(configs, identities, replicates, stems, marks, ids),
        keys=tuple(dict.fromkeys(axis.path[0] for axis in axes)),
        varying=tuple(axis.key for axis in axes if len(axis.distinct) > 1),
        values=tuple((axis.key, value) for axis in axes for value in axis.distinct.values()),
    )


def expand_configs(configs: object, ids: object = None, reserved: Collection[str] = RESERVED) -> Expansion:
    """Return the configurations as they are listed.

    Args:
        configs: a list of dicts, each plain or in a `Choice`, whose label is then the whole label.
        ids: as for `expand_grid`.
        reserved: top-level keys that are refused.

    Raises:
        SpaceError: the list cannot be expanded. The text says why, with which value, and what to write instead.
    """
    if not isinstance(configs, (list, tuple)):
        raise SpaceError(f"configs is a list of dicts such as [{{'lr': 0.1}}, {{'lr': 0.01}}], not {shown(configs)}")
    if not configs:
        raise SpaceError("configs is empty: list at least one configuration such as {'lr': 0.1}")
    entries = [_entry(index, written, reserved) for index, written in enumerate(configs)]
    keys, varying, values = _surveyed(entries)
    points = _points(
        [entry.config for entry in entries],
        [entry.keyed for entry in entries],
        _replicates(entry.identity for entry in entries),
        [entry.stem for entry in entries],
        [entry.choice.marks for entry in entries],
        ids,
    )
    return Expansion(points, keys, varying, values)


@dataclass(frozen=True, slots=True)
class _Setting:
    """One value of one axis, with all that can be worked out once for all points that take it."""

    choice: Choice
    keyed: Any
    identity: str
    part: str

    @classmethod
    def of(cls, key: str, written: object) -> _Setting:
        choice = written if isinstance(written, Choice) else Choice(written)
        try:
            keyed = _keyed(choice, choice.value)
            return cls(choice, keyed, identity_text(keyed), label_part(key, choice))
        except SpaceError as error:
            raise SpaceError(f"the axis {key!r}: {error}") from error


@dataclass(frozen=True, slots=True)
class _Axis:
    path: tuple[str, ...]
    settings: tuple[_Setting, ...]
    distinct: dict[str, Any]

    @classmethod
    def of(cls, path: tuple[str, ...], values: Iterable[object]) -> _Axis:
        settings = tuple(_Setting.of(".".join(path), value) for value in values)
        distinct: dict[str, Any] = {}
        for setting in settings:
            distinct.setdefault(setting.identity, setting.choice.value)
        return cls(path, settings, distinct)

    @property
    def key(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One configuration of a list."""

    choice: Choice
    config: dict[str, Any]
    keyed: Any
    identity: str
    stem: str
    leaves: dict[str, Any]


def _points(
    configs: Sequence[dict[str, Any]],
    identities: Sequence[Any],
    replicates: Sequence[int],
    stems: Sequence[str],
    marks: Sequence[tuple[Any, ...]],
    ids: object,
) -> tuple[Point, ...]:
    given = given_labels(ids, configs, replicates)
    free = [index for index, label in enumerate(given) if label is None]
    automatic = iter(
        unique_labels(
            [stems[index] for index in free],
            [replicates[index] for index in free],
            [identities[index] for index in free],
            {label for label in given if label is not None},
        )
    )
    labels = [next(automatic) if label is None else label for label in given]
    return tuple(map(Point, configs, labels, marks, replicates, identities))


def _keyed(choice: Choice, value: object) -> Any:
    """Return what tells the choice from others: `value`, or the labelled choice where that has no content to tell it by."""
    return choice if choice.label is not None and not identifiable(value) else value


def _replicates(identities: Iterable[Hashable]) -> list[int]:
    seen: dict[Hashable, int] = {}
    replicates = []
    for identity in identities:
        replicates.append(seen.get(identity, 0))
        seen[identity] = replicates[-1] + 1
    return replicates


def _axes(grid: object, reserved: Collection[str]) -> list[_Axis]:
    if not isinstance(grid, Mapping):
        raise SpaceError(f"the grid is a dict of axes such as {{'lr': [0.1, 0.01]}}, not {shown(grid)}")
    if not grid:
        raise SpaceError("the grid is empty: give it at least one axis such as {'lr': [0.1, 0.01]}")
    _check_keys(grid, reserved, "the grid")
    axes = [_Axis.of(path, _axis_values(".".join(path), axis)) for path, axis in _leaves(grid, ())]
    _check_readings([axis.key for axis in axes], "the grid")
    return axes


def _leaves(grid: Mapping[Any, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, axis in grid.items():
        here = (*path, key)
        if not isinstance(axis, Mapping):
            yield here, axis
            continue
        name = ".".join(here)
        if not axis:
            raise SpaceError(
                f"{name!r} is an empty dict: put an axis in it, or write [{{}}] for an empty dict as the value"
            )
        _check_keys(axis, (), f"{name!r}", "; for a dict as a value, put it into a list: [{...}]")
        yield from _leaves(axis, here)


def _axis_values(key: str, axis: Any) -> list[object]:
    """Return the values of an axis, or say what belongs in its place."""
    if isinstance(axis, (str, bytes, bytearray)):
        kind = "string" if isinstance(axis, str) else "bytes"
        raise SpaceError(
            f"the axis {key!r} is the {kind} {_brief(axis)}: an axis is a list of values, write [{_brief(axis)}]"
        )
    if isinstance(axis, AbstractSet):
        raise SpaceError(f"the axis {key!r} is a set, which has no order: write a sorted list, sorted({_brief(axis)})")
    if isinstance(axis, Iterator):
        raise SpaceError(
            f"the axis {key!r} is a {type(axis).__name__}, which can be read only once: write a list, list(...)"
        )
    if isinstance(axis, Choice):
        raise SpaceError(
            f"the axis {key!r} is a single pytest.param: an axis is a list of values, write [pytest.param(...)]"
        )
    if not _is_collection(axis):
        raise SpaceError(f"the axis {key!r} is {shown(axis)}: an axis is a list of values, write [{_brief(axis)}]")
    values = list(axis)
    if not values:
        raise SpaceError(f"the axis {key!r} has no values: give it at least one, or leave the key out")
    return values


def _is_collection(axis: object) -> bool:
    if not isinstance(axis, Sized) or not isinstance(axis, Iterable):
        return False
    try:
        len(axis)
    except TypeError:  # A zero-dimensional array has the method, but no length.
        return False
    return True


def _entry(index: int, written: object, reserved: Collection[str]) -> _Entry:
    where = f"configs[{index}]"
    choice = written if isinstance(written, Choice) else Choice(written)
    if not isinstance(choice.value, Mapping):
        raise SpaceError(f"{where} is {shown(choice.value)}: each configuration is a dict such as {{'lr': 0.1}}")
    _check_keys(choice.value, reserved, where)
    try:
        config = _copied(choice.value)
        leaves = list(flat_items(config))
        _check_leaves(leaves)
        keyed = _keyed(choice, config)
        stem = config_label(config) if choice.label is None else escaped(choice.label)
        return _Entry(choice, config, keyed, identity_text(keyed), stem, dict(leaves))
    except SpaceError as error:
        raise SpaceError(f"{where}: {error}") from error


def _surveyed(entries: Sequence[_Entry]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, Any], ...]]:
    """Return the keys, the varying dotted keys and the distinct values of listed configurations."""
    count: dict[str, int] = {}
    distinct: dict[str, dict[str, Any]] = {}
    for entry in entries:
        for key, value in entry.leaves.items():
            count[key] = count.get(key, 0) + 1
            identity = identity_text(Choice(value, entry.choice.label))
            distinct.setdefault(key, {}).setdefault(identity, value)
    keys = tuple(dict.fromkeys(key for entry in entries for key in entry.config))
    varying = tuple(key for key, values in distinct.items() if len(values) > 1 or count[key] < len(entries))
    return keys, varying, tuple((key, value) for key, values in distinct.items() for value in values.values())


def _copied(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copied(value) if is_nested(value) else value for key, value in config.items()}


def _check_keys(level: Mapping[Any, Any], reserved: Collection[str], where: str, hint: str = "") -> None:
    for key in level:
        if not isinstance(key, str):
            raise SpaceError(f"{where} has the key {shown(key)}: keys are strings, write {str(key)!r}{hint}")
        if key in reserved:
            raise SpaceError(
                f"{where} has the key {key!r}, which is the name of a fixture or an argument of trials: "
                f"rename the key, for example to {'my_' + key!r}"
            )


def _check_leaves(leaves: Sequence[tuple[str, Any]]) -> None:
    _check_readings([key for key, _ in leaves], "the configuration")
    for key, value in leaves:
        if isinstance(value, Choice):
            raise SpaceError(f"{key!r} is a pytest.param: within configs, put it around the whole configuration")


def _check_readings(keys: Sequence[str], where: str) -> None:
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise SpaceError(f"{where} has {twice!r} twice, as one key and as keys within each other: rename one of them")


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else "..."
