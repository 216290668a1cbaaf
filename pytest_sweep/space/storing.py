"""Configurations as JSON, from which `restoring` makes the same values again. No pickle, and nothing that would have to be run.

What JSON has is itself. Everything else is an object with the key ``$type``: ``{"$type": "tuple", "value": [1, 2]}``.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import math
import pathlib
import re
import sys
import types
import uuid
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Any

from pytest_sweep.model.exact_json import MOST_BITS, TYPE, VALUE
from pytest_sweep.space.canonical import identity_text
from pytest_sweep.space.display import brief_repr, displayable, enum_name, flag_names
from pytest_sweep.space.references import checked, reference
from pytest_sweep.space.secrets import Secret

MOST_BYTES = 65_536
"""How large an array, or bytes, may be to be stored; of larger ones only their text is."""


def stored(value: object) -> Any:
    """Return `value` in the form in which it is stored, made of what JSON holds.

    A value that cannot be restored is stored as the text that is shown of it.
    """
    try:
        return _form(value)
    except (RecursionError, ValueError, TypeError, OverflowError):
        return _text(value)


def _form(value: Any) -> Any:
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if (form := _EXACT.get(kind)) is not None:
        return form(value)
    for base, form in _KINDS:
        if issubclass(kind, base):
            return form(value)
    if kind.__module__.partition(".")[0] == "numpy" and (form := _numpy_form(value)) is not None:
        return form
    if (names := field_names(kind)) is not None:
        return _fields(value, names)
    return _other(value)


def _int(value: int) -> Any:
    return value if value.bit_length() <= MOST_BITS else {TYPE: "int", VALUE: hex(value)}


def _float(value: float) -> Any:
    return value if math.isfinite(value) else {TYPE: "float", VALUE: repr(value)}


def _dict(value: Mapping[Any, Any]) -> Any:
    if TYPE not in value and all(type(key) is str for key in value):
        return {key: _form(entry) for key, entry in value.items()}
    return {TYPE: "dict", VALUE: _pairs(value)}


def _pairs(value: Mapping[Any, Any]) -> list[Any]:
    return [[_form(key), _form(entry)] for key, entry in value.items()]


def _list(value: Any) -> list[Any]:
    return [_form(entry) for entry in value]


def _set(value: Any) -> list[Any]:
    return [_form(entry) for entry in sorted(value, key=identity_text)]


def _bytes(value: bytes | bytearray) -> Any:
    if len(value) > MOST_BYTES:
        return _text(value)
    return {TYPE: type(value).__name__, VALUE: base64.b64encode(value).decode()}


def _moment(value: datetime.datetime | datetime.time) -> Any:
    zone = value.tzinfo
    if zone is None or type(zone) is datetime.timezone:
        fold = {"fold": 1} if value.fold else {}
        return {TYPE: type(value).__name__, VALUE: value.isoformat(), **fold}
    if type(zone) is zoneinfo.ZoneInfo and zone.key is not None:
        there = value.replace(tzinfo=None).isoformat()
        return {TYPE: type(value).__name__, VALUE: there, "zone": zone.key, "fold": value.fold}
    return _text(value)


def _zone(value: datetime.timezone) -> Any:
    return {TYPE: "timezone", VALUE: value.utcoffset(None) // datetime.timedelta(microseconds=1)}


def _partial(value: functools.partial[Any]) -> Any:
    return {TYPE: "partial", VALUE: _form(value.func), "args": _list(value.args), "keywords": _pairs(value.keywords)}


def _enum(value: enum.Enum) -> Any:
    path = reference(type(value))
    names = flag_names(value) if isinstance(value, enum.Flag) else [value.name]
    members = type(value).__members__
    if path is None or not all(name in members for name in names):
        return _text(value)
    form: dict[str, Any] = {TYPE: "enum", VALUE: names, "class": path, "text": enum_name(value)}
    if isinstance(value, enum.Flag):
        rest = value.value
        for name in names:
            rest &= ~members[name].value
        if rest:  # Bits without a name, which an IntFlag keeps.
            form["rest"] = rest
    return form


def _referenced(kind: str) -> Callable[[Any], Any]:
    def form(value: Any) -> Any:
        path = reference(value)
        return _text(value) if path is None else {TYPE: kind, VALUE: path}

    return form


def _path(value: pathlib.PurePath) -> Any:
    kind = type(value)
    known = kind.__module__.partition(".")[0] == "pathlib"
    return {TYPE: kind.__name__, VALUE: str(value)} if known else _text(value)


def _tuple(value: tuple[Any, ...]) -> Any:
    """Return the form of a tuple of a class of its own."""
    path = reference(type(value)) if hasattr(type(value), "_fields") else None
    if path is None:
        return {TYPE: "tuple", VALUE: _list(value)}
    return {TYPE: "namedtuple", VALUE: _list(value), "class": path, "text": brief_repr(value)}


def _tagged(kind: str, content: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: {TYPE: kind, VALUE: content(value)}


def _numpy_form(value: Any) -> Any:
    """Return the form of a scalar, an array or a dtype of numpy; None for what else there is."""
    numpy: Any = sys.modules["numpy"]
    if isinstance(value, numpy.generic):
        if value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:  # Such as JSON has.
            return {TYPE: "numpy", VALUE: _form(value.item()), "dtype": value.dtype.str}
        return _array(numpy, value)
    if isinstance(value, numpy.dtype):
        return {TYPE: "dtype", VALUE: _form(numpy.lib.format.dtype_to_descr(value))}
    return _array(numpy, value) if type(value) is numpy.ndarray else None


def _array(numpy: Any, value: Any) -> Any:
    if value.nbytes > MOST_BYTES:
        return _text(value)
    described = numpy.lib.format.dtype_to_descr(value.dtype)
    content = {TYPE: "array", "dtype": _form(described), "shape": list(value.shape)}
    if isinstance(value, numpy.generic):
        content[TYPE] = "numpy"
    if value.dtype.hasobject:
        return content | {"entries": _list(numpy.asarray(value).ravel().tolist())}
    return content | {VALUE: base64.b64encode(value.tobytes()).decode()}


def field_names(kind: type) -> list[str] | None:
    """Return the names of the fields of a dataclass, or of a class of attrs; None for other classes."""
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    attributes = getattr(kind, "__attrs_attrs__", None)
    return [field.name for field in attributes] if isinstance(attributes, tuple) else None


def _fields(value: Any, names: list[str]) -> Any:
    path = reference(type(value))
    if path is None:
        return _text(value)
    missing = object()
    found = {name: getattr(value, name, missing) for name in names}
    content = {**getattr(value, "__dict__", {}), **found}
    fields = [[name, _form(entry)] for name, entry in content.items() if entry is not missing]
    return {TYPE: "dataclass", VALUE: fields, "class": path, "text": displayable(value)}


def _other(value: Any) -> Any:
    for base, form in _BASES:
        if isinstance(value, base):
            return form(value)
    if (path := reference(value)) is not None:
        return {TYPE: "object", VALUE: path}
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:  # Whatever it raises: it is no name of a module, then.
        reduced = None
    if isinstance(reduced, str):  # As pickle takes it, the name of a global such as torch.float32.
        module = getattr(value, "__module__", None) or type(value).__module__
        if (path := checked(f"{module}:{reduced}", value)) is not None:
            return {TYPE: "object", VALUE: path}
    return _text(value)


def _text(value: object) -> Any:
    """Return the form of what cannot be restored."""
    shown = displayable(value)
    return {TYPE: "text", VALUE: shown if isinstance(shown, str) else displayable(str(shown))}


_EXACT: Mapping[type, Callable[[Any], Any]] = {
    int: _int,
    float: _float,
    dict: _dict,
    list: _list,
    tuple: _tagged("tuple", _list),
    set: _tagged("set", _set),
    frozenset: _tagged("frozenset", _set),
    bytes: _bytes,
    bytearray: _bytes,
    complex: _tagged("complex", lambda value: [_float(value.real), _float(value.imag)]),
    decimal.Decimal: _tagged("Decimal", str),
    fractions.Fraction: _tagged("Fraction", lambda value: [_int(value.numerator), _int(value.denominator)]),
    datetime.datetime: _moment,
    datetime.time: _moment,
    datetime.date: _tagged("date", lambda value: value.isoformat()),
    datetime.timedelta: _tagged("timedelta", lambda value: [value.days, value.seconds, value.microseconds]),
    datetime.timezone: _zone,
    zoneinfo.ZoneInfo: lambda value: _text(value) if value.key is None else {TYPE: "ZoneInfo", VALUE: value.key},
    uuid.UUID: _tagged("UUID", str),
    range: _tagged("range", lambda value: [_int(value.start), _int(value.stop), _int(value.step)]),
    slice: _tagged("slice", lambda value: _list((value.start, value.stop, value.step))),
    collections.OrderedDict: _tagged("OrderedDict", _pairs),
    collections.Counter: _tagged("Counter", _pairs),
    collections.defaultdict: lambda value: {
        TYPE: "defaultdict",
        VALUE: _pairs(value),
        "factory": _form(value.default_factory),
    },
    collections.deque: lambda value: {TYPE: "deque", VALUE: _list(value), "maxlen": value.maxlen},
    types.SimpleNamespace: _tagged("SimpleNamespace", lambda value: _pairs(vars(value))),
    re.Pattern: lambda value: {TYPE: "Pattern", VALUE: _form(value.pattern), "flags": value.flags},
    functools.partial: _partial,
    Secret: lambda value: {TYPE: "text", VALUE: repr(value)},
    type(...): lambda _: {TYPE: "object", VALUE: "builtins:Ellipsis"},
}
_KINDS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (enum.Enum, _enum),
    (type, _referenced("class")),
    ((types.FunctionType), _referenced("function")),
    (types.BuiltinFunctionType, _referenced("function")),
    (types.MethodType, _referenced("function")),
    (types.ModuleType, lambda value: {TYPE: "module", VALUE: value.__name__}),
    (pathlib.PurePath, _path),
)
_BASES: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    # Subclasses without a form of their own: the plain value that they are equal to.
    (int, lambda value: _int(int(value))),
    (float, lambda value: _float(float(value))),
    (str, str.__str__),
    (bytes, lambda value: _bytes(bytes(value))),
    (tuple, _tuple),
    (list, _list),
    (Mapping, _dict),
    (set, _tagged("set", _set)),
    (frozenset, _tagged("frozenset", _set)),
)
