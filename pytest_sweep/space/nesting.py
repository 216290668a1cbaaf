"""Configurations as nested dicts and as dotted keys. Knows nothing of what the values are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return `config` with dotted keys in place of its nested dicts; an empty dict, or one with other keys than strings, is a value."""
    return dict(flat_items(config))


def flat_items(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the pairs of `flatten`, also where two of them read the same."""
    for key, value in config.items():
        if is_nested(value):
            yield from flat_items(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def without(config: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return a copy of `config` without the values at these dotted keys; a dict that is left empty goes, too."""
    return dict(_left(config, names, ""))


def _left(config: Mapping[str, Any], names: Collection[str], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        name = f"{prefix}{key}"
        if name in names:
            continue
        if not is_nested(value):
            yield key, value
        elif left := dict(_left(value, names, f"{name}.")):
            yield key, left


def is_nested(value: object) -> bool:
    """Say whether a value within a configuration is a level of it: a plain dict with string keys that is not empty."""
    return type(value) is dict and bool(value) and all(isinstance(key, str) for key in value)


def nested(paths: Sequence[tuple[str, ...]], values: Iterable[Any]) -> dict[str, Any]:
    """Return a configuration of new dicts that has each of `values` at its path; a value whose path is empty has no place."""
    if all(len(path) == 1 for path in paths):
        return {path[0]: value for path, value in zip(paths, values, strict=True)}
    config: dict[str, Any] = {}
    for path, value in zip(paths, values, strict=True):
        if not path:
            continue
        level = config
        for key in path[:-1]:
            level = level.setdefault(key, {})
        level[path[-1]] = value
    return config
