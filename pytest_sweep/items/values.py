"""Tells values of stacked ``parametrize`` from each other, on the driver and in workers, and packs them for workers."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import cloudpickle

from pytest_sweep.errors import SpaceError
from pytest_sweep.model.parameters import Parameters, ParameterValue
from pytest_sweep.space import identity_text
from pytest_sweep.space.display import shown

MOST_SENT = 1_000_000
"""How many bytes of a pickled value travel with each of its trials; of a larger one only the fingerprint does."""

_MOST_READABLE = 64
_DEEPEST = 4
_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})

T = TypeVar("T")


class _Once(Generic[T]):
    """Calls a function once for each object, by identity; keeps the objects, so that no other one can take their place."""

    def __init__(self, function: Callable[[Any], T]) -> None:
        self._function = function
        self._known: dict[int, tuple[object, T]] = {}

    def __call__(self, value: object) -> T:
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = value, self._function(value)
        return known[1]


class Fingerprints:
    """Tells values apart by their content. A value keeps the fingerprint that it had when it was first seen."""

    def __init__(self) -> None:
        self._of_objects = _Once(_fingerprint)

    def of(self, value: object) -> tuple[str, bool]:
        """Return the fingerprint of `value`, and whether another value is certain to have another one."""
        return _fingerprint(value) if type(value) in _PLAIN else self._of_objects(value)


class ParameterPacker:
    """Packs the driver's values for workers, each of them once."""

    def __init__(self) -> None:
        self._fingerprints = Fingerprints()
        self._contents = _Once(_content)

    def pack(self, values: Mapping[str, object], position: int) -> Parameters:
        """Return `values`, by name, of the item that is number `position` of those with its configuration."""
        return Parameters(tuple(self._packed(name, value) for name, value in values.items()), position)

    def _packed(self, name: str, value: object) -> ParameterValue:
        fingerprint, is_certain = self._fingerprints.of(value)
        content, problem = _content(value) if type(value) in _PLAIN else self._contents(value)
        return ParameterValue(name, fingerprint, shown(value), content, is_certain, problem)


def _fingerprint(value: object) -> tuple[str, bool]:
    try:
        text, is_certain = identity_text(value), True
        if type(value) not in _PLAIN:
            # The repr of a mock has its own address, in decimal digits.
            text = text.replace(str(id(value)), "itself")
    except SpaceError:
        text, is_certain = repr(_loose_form(value, _DEEPEST)), False
    readable = text if len(text) <= _MOST_READABLE else hashlib.sha256(text.encode(errors="replace")).hexdigest()
    return readable, is_certain


def _loose_form(value: object, depth: int) -> object:
    """Return what can be said of a value that has no canonical form: its class, and those of its attributes that have one."""
    try:
        return identity_text(value)
    except SpaceError:
        pass
    kind = f"{type(value).__module__}:{type(value).__qualname__}"
    if depth == 0:
        return kind
    if isinstance(value, (list, tuple)):
        return [kind, [_loose_form(entry, depth - 1) for entry in value]]
    content = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    return [kind, sorted((str(name), repr(_loose_form(entry, depth - 1))) for name, entry in content.items())]


def _content(value: object) -> tuple[bytes | None, str]:
    """Return a value as bytes; or None, and why not."""
    try:
        # By pickle where that does the same, in half of the time; a value of ``__main__`` is another one in a worker.
        content = pickle.dumps(value, pickle.HIGHEST_PROTOCOL) if type(value) in _PLAIN else cloudpickle.dumps(value)
    except Exception as error:  # Whatever a class of the user's raises.
        return None, f"it cannot be pickled ({type(error).__name__}: {error})"
    if len(content) > MOST_SENT:
        return None, f"it is too large to travel with each trial ({len(content)} bytes)"
    return content, ""
