"""Copies of configurations, so that whoever changes one changes nothing else. Knows neither trials nor executors."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

_SCALARS = frozenset({str, int, float, bool, bytes, complex, type(None)})


def own_containers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return `config` with dicts, lists, tuples and sets of its own, at any depth; everything else in them is shared."""
    return {key: value if type(value) in _SCALARS else _walked(value, _itself) for key, value in config.items()}


def own_copy(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deep copy of `config`, as ``copy.deepcopy`` makes it; an object that cannot be copied is shared."""
    if all(type(value) in _SCALARS for value in config.values()):
        return dict(config)
    try:
        return copy.deepcopy(dict(config))
    except Exception:  # Whatever an object raises: a lock, an open file, a module.
        return {key: _walked(value, _copied) for key, value in config.items()}


def _walked(value: Any, leaf: Any) -> Any:
    """Return `value` with containers of its own, and with what `leaf` makes of everything else."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is dict:
        return {key: _walked(entry, leaf) for key, entry in value.items()}
    if kind is list or kind is tuple:
        return kind(_walked(entry, leaf) for entry in value)
    if kind is set:
        return set(value)
    return leaf(value)


def _itself(value: Any) -> Any:
    return value


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:  # As above, and only this one object is shared.
        return value
