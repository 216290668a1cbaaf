"""Plain data as JSON that every parser accepts, and that gives back what was written.

JSON has no NaN, no infinities, and parsers limit the length of integers. These are written as an object with the key ``$type``:
``{"$type": "float", "value": "nan"}``, ``{"$type": "int", "value": "0x1f..."}``. A dict that has this key itself is written as
``{"$type": "dict", "value": [[key, value], ...]}``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

TYPE = "$type"
VALUE = "value"

MOST_BITS = 2000
"""The length of the longest integer that is written as a number: no Python refuses to read or write its 600 digits."""

MOST_DEPTH = 200
"""How deep lists and objects may be nested in each other: what goes through them level by level must not run out of stack."""

# Made once: `json.dumps` makes an encoder a call when it is given separators.
_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_NEEDLE = f'"{TYPE}"'
_TOO_DEEP = f"nested more than {MOST_DEPTH} levels deep"


def to_json(data: Any) -> str:
    """Return plain data as compact JSON: None, booleans, numbers, strings, lists, and dicts with string keys."""
    try:
        text = _ENCODE(data)
    except ValueError:  # NaN, an infinity, or more digits than Python writes.
        return _ENCODE(exact(data))
    return _ENCODE(exact(data)) if _NEEDLE in text else text


def from_json(text: str | bytes) -> Any:
    """Return the data that `to_json` has written. Python's tokens ``NaN`` and ``Infinity`` are read too.

    Raises:
        ValueError: it is no JSON, or nested too deep.
    """
    data = plain_json(text)
    return inexact(data) if _NEEDLE in (text if isinstance(text, str) else text.decode()) else data


def plain_json(text: str | bytes) -> Any:
    """Return what JSON holds, as it is written there.

    Raises:
        ValueError: it is no JSON, or nested more than `MOST_DEPTH` levels deep.
    """
    try:
        data = json.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    opened = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if opened > MOST_DEPTH and is_too_deep(data):
        raise ValueError(_TOO_DEEP)
    return data


def is_too_deep(data: Any) -> bool:
    """Say whether lists and dicts are nested more than `MOST_DEPTH` levels deep."""
    level = [data]
    for _ in range(MOST_DEPTH + 1):
        level = [part for whole in level if type(whole) in (list, dict) for part in _parts(whole)]
        if not level:
            return False
    return True


def _parts(whole: Any) -> Any:
    return whole.values() if type(whole) is dict else whole


def exact(data: Any) -> Any:
    """Return plain data in the form in which it is written."""
    if isinstance(data, float):
        return data if math.isfinite(data) else {TYPE: "float", VALUE: repr(float(data))}
    if isinstance(data, int) and data.bit_length() > MOST_BITS:
        return {TYPE: "int", VALUE: hex(data)}
    if isinstance(data, (list, tuple)):
        return [exact(entry) for entry in data]
    if isinstance(data, Mapping):
        if TYPE in data:
            return {TYPE: "dict", VALUE: [[key, exact(value)] for key, value in data.items()]}
        return {key: exact(value) for key, value in data.items()}
    return data


def inexact(data: Any) -> Any:
    """Return the plain data whose written form this is; what no version of ours has written stays as it is."""
    if isinstance(data, list):
        return [inexact(entry) for entry in data]
    if not isinstance(data, dict):
        return data
    kind, value = data.get(TYPE), data.get(VALUE)
    if len(data) == 2 and isinstance(kind, str) and kind in _PLAIN:
        try:
            return _PLAIN[kind](value)
        except (ValueError, TypeError, OverflowError):
            return data
    return {key: inexact(entry) for key, entry in data.items()}


def _dict_of(pairs: Any) -> dict[str, Any]:
    found = {key: inexact(value) for key, value in pairs}
    if not all(isinstance(key, str) for key in found):
        raise TypeError("a key is no text")
    return found


_PLAIN: Mapping[str, Callable[[Any], Any]] = {"float": float, "int": lambda value: int(value, 16), "dict": _dict_of}
