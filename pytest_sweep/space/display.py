"""How values read: in errors, in the store, in tables. What is readable need not tell two values apart."""

from __future__ import annotations

import enum
import pathlib
import re
import types
from collections.abc import Callable, Mapping
from typing import Any

from pytest_sweep.model.integers import LONGEST, digits
from pytest_sweep.model.metrics import plain_scalar

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
"""What the repr of an object without one of its own says of its place in memory."""


def displayable(value: object) -> Any:
    """Return a readable form of `value` to store and to show, made of what JSON holds; NaN and infinities stay floats.

    Dicts, lists, tuples and sets are walked, keys become strings, sets sorted lists, enums and modules their name, functions and classes
    ``module.qualname``, paths strings; anything else is its ``repr`` of at most 200 characters, without memory addresses.
    """
    try:
        return _display(value)
    except RecursionError:
        return brief_repr(value)


def enum_name(member: enum.Enum) -> str:
    """Return the name of an enum's member; that of combined flags is ``READ|WRITE``, or their value where not all bits have a name."""
    if member.name:
        return member.name
    if not isinstance(member, enum.Flag):
        return str(member.value)
    # Before Python 3.11, combined flags have no name.
    bits = _bits(type(member))
    names = [name for name, bit in bits.items() if bit & member.value]
    rest = member.value & ~sum(bits[name] for name in names)
    return "|".join([*names, str(rest)] if rest or not names else names)


def flag_names(flag: enum.Flag) -> list[str]:
    """Return the names of the members that make up a flag, in the order of their definition; its own if it has one."""
    members = type(flag).__members__
    if flag.name is not None and flag.name in members:
        return [flag.name]
    single = _bits(type(flag))
    names = [name for name, bit in single.items() if bit & flag.value]
    covered = sum(single[name] for name in names)
    return names if covered == flag.value else []


def _bits(kind: type[enum.Flag]) -> dict[str, int]:
    """Return the members of a single bit, in the order of their definition. Aliases are in `__members__`, too."""
    members = kind.__members__
    single = {name: one.value for name, one in members.items() if one.value and not one.value & (one.value - 1)}
    return {name: bit for name, bit in single.items() if members[name].name == name}


def shown(value: object) -> str:
    """Return `value` and its type, for the text of an error."""
    return f"{_cut(safe_repr(value), 60)} ({type(value).__name__})"


def qualified(value: Any, separator: str = ":") -> str:
    """Return ``module:qualname`` of a function or class."""
    module = getattr(value, "__module__", None)
    return f"{module}{separator}{value.__qualname__}" if module else str(value.__qualname__)


def safe_repr(value: object) -> str:
    """Return the repr of `value`, or its type where that fails."""
    try:
        return digits(value) if type(value) is int else repr(value)
    except Exception:  # A repr that fails must not hide the error, or the result, that it was wanted for.
        return f"<{type(value).__name__} at 0x0>"


def _display(value: object) -> Any:
    if type(value) in _AS_THEY_ARE:
        return value
    if not isinstance(value, type):
        value = plain_scalar(value)
    if value is None:
        return None
    for kinds, form in _DISPLAYS:
        if isinstance(value, kinds):
            return form(value)
    return brief_repr(value)


_AS_THEY_ARE = frozenset({str, float, bool, type(None)})


def _int(value: int) -> int | str:
    return int(value) if -LONGEST < value < LONGEST else _cut(digits(value), 200)


_DISPLAYS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    ((type, types.FunctionType, types.BuiltinFunctionType), lambda value: qualified(value, ".")),
    (enum.Enum, enum_name),
    (bool, bool),
    # Subclasses print and pickle as themselves: what is stored must be the plain type.
    (int, _int),
    (float, float),
    (str, str),
    (Mapping, lambda value: {str(key): _display(entry) for key, entry in value.items()}),
    ((list, tuple), lambda value: [_display(entry) for entry in value]),
    # Their own order differs from process to process.
    ((set, frozenset), lambda value: sorted((_display(entry) for entry in value), key=repr)),
    (types.ModuleType, lambda value: value.__name__),
    (pathlib.PurePath, str),
)


def brief_repr(value: object) -> str:
    """Return the repr of `value` in at most 200 characters, without memory addresses."""
    return _cut(ADDRESS.sub("", safe_repr(value)), 200)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
