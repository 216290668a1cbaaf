"""Canonical forms: what makes a value the value it is, as JSON. Knows neither axes nor trials.

A string is itself, None is null, a dict with string keys is an object; everything else is a list whose first entry is a tag, so
that no two kinds of value share a form.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import fractions
import functools
import hashlib
import json
import pathlib
import types
from collections.abc import Callable, Container, Iterator
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.model.integers import LONGEST
from pytest_sweep.model.metrics import plain_scalar
from pytest_sweep.space.arrays import numpy_form
from pytest_sweep.space.display import ADDRESS, enum_name, qualified, safe_repr, shown
from pytest_sweep.space.modules import module_name
from pytest_sweep.space.named import class_content, code_calling, function_content, identity_name, is_named
from pytest_sweep.space.points import Choice
from pytest_sweep.space.references import checked
from pytest_sweep.space.secrets import Secret

_ENCODER = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: object) -> Any:
    """Return a form of `value` that JSON can hold, equal for equal content and different for different types.

    The order of a dict does not count, nor that of a set; ``-0.0`` equals ``0.0`` and NaN equals NaN. A scalar of numpy is the
    Python scalar that it holds. A function or class is its qualified name, and a lambda or an inner function its code and what
    it closes over besides; any other object is its class and the content that it would pickle (``__reduce_ex__(4)``).
    A `Choice` is its value; its label stands in only for a value without such content.

    Raises:
        SpaceError: the value contains itself, or has no content to tell it from others.
    """
    try:
        return _form(value, set())
    except (_UnidentifiableError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise SpaceError(
            f"{shown(value)} cannot be told from other values: {reason}; "
            "give it a name of its own: pytest.param(value, id='...')"
        ) from None


def identity_text(value: object) -> str:
    """Return the canonical form of `value` as compact ASCII JSON.

    Raises:
        SpaceError: the value has no canonical form.
    """
    if (scalar := _SCALAR_TEXTS.get(type(value))) is not None:
        return scalar(value)
    return _ENCODER.encode(canonical(value))


def identifiable(value: object) -> bool:
    """Say whether `value` has a canonical form."""
    try:
        canonical(value)
    except SpaceError:
        return False
    return True


class _UnidentifiableError(Exception):
    """A value within the value has no canonical form; the text says why."""


def _form(value: Any, path: set[int]) -> Any:
    """Return the canonical form; `path` holds the ids of the values around this one, to notice one that contains itself."""
    if value is None or type(value) is str:
        return value
    if (scalar := _SCALARS.get(type(value))) is not None:
        return scalar(value)
    if id(value) in path:
        # An inner function that calls itself closes over itself, and a method that calls super() over its class.
        if isinstance(value, (types.FunctionType, type)):
            return ["function" if isinstance(value, types.FunctionType) else "class", identity_name(value)]
        raise _UnidentifiableError("it contains itself")
    path.add(id(value))
    try:
        return _compound_form(value, path)
    finally:
        path.discard(id(value))


def _compound_form(value: Any, path: set[int]) -> Any:
    if (container := _CONTAINERS.get(type(value))) is not None:
        return container(value, path)
    for kind, form in _KINDS:
        # Not isinstance: it believes `__class__`, by which list[int] passes for a class on Python 3.10.
        if issubclass(type(value), kind):
            return form(value, path)
    if (array := numpy_form(value, lambda inner: _object_form(inner, path))) is not None:
        return array
    plain = plain_scalar(value)
    if type(plain) is not type(value):
        return _form(plain, path)
    if dataclasses.is_dataclass(value):
        return _dataclass_form(value, path)
    return _object_form(value, path)


def _dataclass_form(value: Any, path: set[int]) -> list[Any]:
    """Return class and fields, and what tells two values besides: other attributes, what a container holds, a class without a name."""
    kind = type(value)
    fields = {field.name: _form(getattr(value, field.name, None), path) for field in dataclasses.fields(value)}
    form = ["dataclass", identity_name(kind), fields]
    if more := {name: _form(entry, path) for name, entry in _other_attributes(value, fields)}:
        form.append(more)
    if isinstance(value, _HOLDERS):
        form.append(_object_form(value, path))
    return form if is_named(kind) else [*form, _class_form(kind, path)]


def _other_attributes(value: object, fields: Container[str]) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of a dataclass that are no fields, but for what a cached property keeps, which follows from them."""
    for name, entry in getattr(value, "__dict__", {}).items():
        if name not in fields and not isinstance(getattr(type(value), name, None), functools.cached_property):
            yield name, entry


def _enum_form(value: enum.Enum, path: set[int]) -> list[Any]:
    kind = type(value)
    form = ["enum", identity_name(kind), enum_name(value)]
    # Enums that a function makes share their name.
    return form if is_named(kind) else [*form, _form(value.value, path)]


def _float_form(value: float) -> list[Any]:
    return ["float", repr(value + 0.0)]  # Adding zero turns -0.0 into 0.0.


def _dict_form(value: dict[Any, Any], path: set[int]) -> Any:
    if all(type(key) is str for key in value):
        return {key: _form(entry, path) for key, entry in value.items()}
    return [
        "dict",
        sorted(([_form(key, path), _form(entry, path)] for key, entry in value.items()), key=_ENCODER.encode),
    ]


def _set_form(value: set[Any] | frozenset[Any], path: set[int]) -> list[Any]:
    return [type(value).__name__, sorted((_form(entry, path) for entry in value), key=_ENCODER.encode)]


def _sequence_form(value: list[Any] | tuple[Any, ...], path: set[int]) -> list[Any]:
    return [type(value).__name__, [_form(entry, path) for entry in value]]


def _choice_form(value: Choice, path: set[int]) -> Any:
    try:
        return _form(value.value, path)
    except (_UnidentifiableError, RecursionError):
        if value.label is None:
            raise
        return ["label", value.label]


def _function_form(value: types.FunctionType, path: set[int]) -> list[Any]:
    form = ["function", identity_name(value)]
    return form if is_named(value) else [*form, _form(function_content(value), path)]


def _class_form(value: type, path: set[int]) -> list[Any]:
    form = ["class", identity_name(value)]
    if is_named(value):
        return form
    try:
        return [*form, _form(class_content(value), path)]
    except _UnidentifiableError:
        return form


def _builtin_form(value: types.BuiltinFunctionType, path: set[int]) -> list[Any]:
    if value.__self__ is None or isinstance(value.__self__, types.ModuleType):
        return ["function", qualified(value)]
    # Python 3.12 has another name for the class.
    return ["object", "builtins:builtin_function_or_method", *_object_form(value, path)[2:]]


def _code_form(value: types.CodeType, path: set[int]) -> list[Any]:
    form = ["code", _form((value.co_code, value.co_consts, value.co_names), path)]
    calling = code_calling(value)
    return form if calling is None else [*form, calling]


def _object_form(value: Any, path: set[int]) -> list[Any]:
    """Return class and content of an object that has no form of its own, as pickle would take it apart."""
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:  # Whatever it raises, it means that there is no content to be had.
        return _repr_form(value)
    if isinstance(reduced, str):
        module = str(getattr(value, "__module__", None) or type(value).__module__)
        form = ["global", module_name(module), reduced]
        # What wraps a lambda, as functools.lru_cache does, has its name.
        inner = getattr(value, "__wrapped__", None)
        return form if inner is None or checked(f"{module}:{reduced}", value) else [*form, _form(inner, path)]
    function, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    is_ordered = isinstance(value, collections.OrderedDict)  # Two of them with another order are not equal.
    parts = (
        function,
        arguments,
        state,
        None if items is None else list(items),
        None if pairs is None else [list(pair) for pair in pairs] if is_ordered else dict(pairs),
    )
    return ["object", identity_name(type(value)), [_form(part, path) for part in parts]]


def _repr_form(value: object) -> list[Any]:
    text = safe_repr(value)
    if ADDRESS.search(text):
        name = f"{type(value).__module__}.{type(value).__qualname__}"
        raise _UnidentifiableError(f"an object of class {name} shows only its address in memory, and cannot be pickled")
    return ["repr", identity_name(type(value)), text]


_HOLDERS = (str, bytes, int, float, complex, list, tuple, dict, set, frozenset)

_SCALARS: dict[type, Callable[[Any], Any]] = {
    bool: lambda value: ["bool", value],
    int: lambda value: ["int", value if -LONGEST < value < LONGEST else hex(value)],
    float: _float_form,
    bytes: lambda value: ["bytes", hashlib.sha256(value).hexdigest()],
}
# What encoding their forms would give; most values are of these kinds, and an encoder costs more than all the rest.
_SCALAR_TEXTS: dict[type, Callable[[Any], str]] = {
    int: lambda value: f'["int",{value}]' if -LONGEST < value < LONGEST else f'["int","{value:#x}"]',
    float: lambda value: f'["float","{value + 0.0!r}"]',
}
_CONTAINERS: dict[type, Callable[[Any, set[int]], Any]] = {
    dict: _dict_form,
    list: _sequence_form,
    tuple: _sequence_form,
    set: _set_form,
    frozenset: _set_form,
}
_KINDS: tuple[tuple[type, Callable[[Any, set[int]], Any]], ...] = (
    (Choice, _choice_form),
    (type, _class_form),
    (Secret, lambda value, _: ["secret", value.name]),
    (enum.Enum, _enum_form),
    (pathlib.PurePath, lambda value, _: ["path", value.as_posix()]),
    # Not as it would pickle, which differs between versions of Python.
    (fractions.Fraction, lambda value, _: ["fraction", str(value)]),
    (types.FunctionType, _function_form),
    (types.BuiltinFunctionType, _builtin_form),
    (types.CodeType, _code_form),
    (staticmethod, lambda value, path: ["staticmethod", _form(value.__func__, path)]),
    (classmethod, lambda value, path: ["classmethod", _form(value.__func__, path)]),
    (property, lambda value, path: ["property", _form([value.fget, value.fset, value.fdel], path)]),
    (types.MemberDescriptorType, lambda value, _: ["slot", value.__name__]),
    (types.ModuleType, lambda value, _: ["module", module_name(value.__name__)]),
    (functools.partial, lambda value, path: ["partial", _form([value.func, value.args, value.keywords], path)]),
)
