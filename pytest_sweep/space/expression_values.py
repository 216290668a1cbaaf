"""What the operators of a condition do with values: comparing, searching, calculating. Knows nothing of the syntax but its nodes."""

from __future__ import annotations

import ast
import enum
import math
import numbers
import operator
import typing
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import PurePath
from typing import Any

from pytest_sweep.space.naming import value_text

ABSENT = object()
PLAIN = frozenset({bool, int, float, str, type(None)})
_BITS = 10_000
_TOO_LARGE = f"the result would have more than {_BITS} bits; compare smaller numbers"


class Constants(tuple[Any, ...]):
    """Plain values on the right of ``in``, none of which needs to be looked at by its text."""

    __slots__ = ()


def found_at(config: Any, parts: Sequence[str]) -> Any:
    """Return what is at the dotted name, at first as nested dicts, then with keys that themselves contain a dot."""
    for length in range(1, len(parts) + 1):
        value = config.get(".".join(parts[:length]), ABSENT)
        if length < len(parts):
            value = found_at(value, parts[length:]) if isinstance(value, Mapping) else ABSENT
        if value is not ABSENT:
            return value
    return ABSENT


def readable(value: Any) -> Any:
    """Return the text of what an expression cannot write, as it stands in node ids; any other value as it is."""
    if isinstance(value, PurePath):
        return str(value)
    is_named = callable(value) and isinstance(getattr(value, "__name__", None), str) and not typing.get_origin(value)
    return value_text(value) if is_named or (isinstance(value, enum.Enum) and not isinstance(value, str)) else value


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, str) is not isinstance(other, str):
        one, other = readable(one), readable(other)
    elif isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        # Who writes a condition need not know which.
        return len(one) == len(other) and all(a is b or _equal(a, b) for a, b in zip(one, other, strict=True))
    if _is_array(one) or _is_array(other):
        # Its own == would compare each of its values with the other side.
        has_several = all(isinstance(value, (tuple, list)) or _is_array(value) for value in (one, other))
        return has_several and _equal(_listed(one), _listed(other))
    return bool(one == other)


def _is_array(value: Any) -> bool:
    return (
        type(value) not in PLAIN
        and isinstance(shape := getattr(value, "shape", None), tuple)
        and shape != ()
        and callable(getattr(value, "tolist", None))
    )


def _listed(value: Any) -> Any:
    return value.tolist() if _is_array(value) else value


def contains(one: Any, other: Any) -> bool:
    """Return whether `one` is in `other`: a substring, or one of several values."""
    if type(other) is Constants and type(one) in PLAIN:
        return one in other
    if isinstance(one, str) is not isinstance(other, str):
        text = readable(other)
        one, other = (readable(one) if isinstance(other, str) else one), text
    if isinstance(other, str):
        return one in other
    other = _listed(other)
    if not isinstance(other, (tuple, list, AbstractSet, Mapping)):
        raise TypeError("not a container")
    return any(one is item or _equal(one, item) for item in other)


def lacks(one: Any, other: Any) -> bool:
    """Return whether `one` is not in `other`."""
    return not contains(one, other)


def calculated(operation: Callable[..., Any], operands: Sequence[Any]) -> Any:
    """Return the result for numbers, unless it is too large.

    Raises:
        TypeError: an operand is no number.
        OverflowError: the result would have too many digits.
    """
    for operand in operands:
        if type(operand) not in (int, float, bool) and not isinstance(operand, numbers.Number):
            raise TypeError("arithmetic is for numbers only")
    result = operation(*operands)
    if type(result) is int and result.bit_length() > _BITS:
        raise OverflowError(_TOO_LARGE)
    return result


def _power(base: Any, exponent: Any) -> Any:
    """Return the power, unless it would take its time: integers and fractions have as many digits as the power needs."""
    if isinstance(base, numbers.Rational) and isinstance(exponent, numbers.Rational) and exponent.denominator == 1:
        size, times = max(abs(int(base.numerator)), int(base.denominator)), int(exponent.numerator)
        grows = size > 1 and (times > 0 or not isinstance(base, int))
        if grows and (abs(times) > _BITS or abs(times) * math.log2(size) > _BITS):
            raise OverflowError(_TOO_LARGE)
    return base**exponent


def where(text: str) -> str:
    """Return how the sentence about a condition begins."""
    return f"where {shown_value(text, 200)}"


def shown_value(value: object, length: int = 60) -> str:
    """Return the `repr` of a value, cut to a length."""
    try:
        text = repr(value)
    except Exception:  # An integer of too many digits, or a class of the user's: the sentence is about something else.
        text = object.__repr__(value)
    return text if len(text) <= length else f"{text[: length - 3]}..."


COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: _equal,
    ast.NotEq: lambda one, other: not _equal(one, other),
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: contains,
    ast.NotIn: lacks,
}
ARITHMETIC: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
