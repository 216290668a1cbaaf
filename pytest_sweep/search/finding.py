"""From a configuration back to the values that a searcher would have chosen. Knows no searcher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.search.axes import Axis, Branch, Factor, all_axes, identity_of, is_derived
from pytest_sweep.space.axes import Open, Path, Slot, dotted
from pytest_sweep.space.expression_values import ABSENT, found_at
from pytest_sweep.space.nesting import flatten


def values_in(parts: Sequence[Factor], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a configuration, or a part of one, has in these parts of a space, by name of dimension.

    Raises:
        SpaceError: the space cannot give a value.
    """
    values: dict[str, Any] = {}
    for part in parts:
        values |= _axis_values(part, config) if isinstance(part, Axis) else _branch_values(part, config)
    return values


def _branch_values(branch: Branch, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the first alternative that has most of the keys."""
    flat = set(flatten(config))
    there = [
        sum(dotted(path) in flat for axis in all_axes(alternative) for path in axis.paths)
        for alternative in branch.alternatives
    ]
    problem: SpaceError | None = None
    for number in sorted(range(len(there)), key=lambda number: -there[number]):
        if not there[number]:
            break
        try:
            return {branch.dimension.name: number, **values_in(branch.alternatives[number], config)}
        except SpaceError as error:
            problem = problem or error
    if problem is not None:
        raise problem
    return {}


def _axis_values(axis: Axis, config: Mapping[str, Any]) -> dict[str, Any]:
    given = {path: found_at(config, path) for path in axis.paths if path}
    given = {path: value for path, value in given.items() if value is not ABSENT}
    if not given:
        return {}
    if axis.is_listed:
        return _row_value(axis, given)
    slot = axis.rows[0][0]
    value = given[slot.path]
    if axis.dimension is None:
        return {dotted(slot.path): value} if isinstance(slot, Open) and not is_derived(slot.domain) else {}
    if not axis.options:
        return {axis.dimension.name: axis.dimension.value(axis.dimension.code(value))}
    for name, setting in axis.options.items():
        if _agrees(setting, value):
            return {axis.dimension.name: name}
    return {axis.dimension.name: axis.dimension.value(axis.dimension.code(value))}


def _row_value(axis: Axis, given: Mapping[Path, Any]) -> dict[str, Any]:
    assert axis.dimension is not None
    for name, row in axis.options.items():
        slots = {slot.path: slot for slot in row}
        if all(path in slots and _agrees(slots[path], value) for path, value in given.items()):
            return {axis.dimension.name: name}
    value = (
        next(iter(given.values())) if len(given) == 1 else dict(zip(map(dotted, given), given.values(), strict=True))
    )
    return {axis.dimension.name: axis.dimension.value(axis.dimension.code(value))}


def _agrees(slot: Slot, value: Any) -> bool:
    if isinstance(slot, Open):
        return True
    identity = identity_of(value)
    return slot.value is value or (bool(identity) and identity == identity_of(slot.value))
