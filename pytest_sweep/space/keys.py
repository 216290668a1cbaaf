"""Checks of the keys of a space: strings, none of which reads as another one. Knows nothing of what is written at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.space.display import shown


def check_strings(level: Mapping[Any, Any], where: str, hint: str = "") -> None:
    """Raise SpaceError if a key is no string."""
    for key in level:
        if not isinstance(key, str):
            raise SpaceError(f"{where} has the key {shown(key)}: keys are strings, write {str(key)!r}{hint}")


def check_readings(keys: Sequence[str], where: str) -> None:
    """Raise SpaceError if two keys read the same when they are dotted."""
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise SpaceError(f"{where} has {twice!r} twice, as one key and as keys within each other: rename one of them")
