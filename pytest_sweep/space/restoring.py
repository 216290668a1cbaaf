"""Values from the JSON that `storing` makes of them. Imports nothing but numpy, and runs no code of the classes that are named in it.

Functions, classes, members of enums, dataclasses and named tuples are looked up in the modules that the process has imported. What is not
there is an `Unrestored`, a text.
"""

from __future__ import annotations

import base64
import collections
import datetime
import decimal
import enum
import fractions
import functools
import inspect
import pathlib
import re
import sys
import types
import uuid
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pytest_sweep.model.exact_json import TYPE, VALUE
from pytest_sweep.space.references import UnresolvedError, resolved
from pytest_sweep.space.storing import MOST_BYTES, field_names
from pytest_sweep.space.unrestored import Unrestored

_Content = Mapping[str, Any]


def restored(form: Any) -> Any:
    """Return the value of which `form` is the stored form; what is no such form, as in older databases, is a plain value."""
    try:
        return _restored(form)
    except RecursionError:
        if isinstance(form, dict) and TYPE not in form:  # A configuration: the other values can be read.
            return {key: _restored_or_text(value) for key, value in form.items()}
        return _restored_or_text(form)


def _restored_or_text(form: Any) -> Any:
    try:
        return _restored(form)
    except RecursionError:
        return Unrestored("...", "it is nested too deeply to be read")


def _restored(form: Any) -> Any:
    if isinstance(form, list):
        return [_restored(entry) for entry in form]
    if not isinstance(form, dict):
        return form
    kind = form.get(TYPE)
    make = _MAKERS.get(kind) if isinstance(kind, str) else None
    if make is None:
        return {key: _restored(entry) for key, entry in form.items()}
    try:
        return make(form)
    except UnresolvedError as error:
        return Unrestored(_text_of(form), str(error))
    except RecursionError:
        raise
    except Exception as error:  # Whatever is wrong with it: what was stored of the other values can be read.
        return Unrestored(_text_of(form), f"{type(error).__name__}: {error}")


def _text_of(form: _Content) -> str:
    text = form.get("text", form.get(VALUE))
    return text.replace(":", ".") if isinstance(text, str) and "text" not in form else str(text)


def _list(entries: Any) -> list[Any]:
    return [_restored(entry) for entry in entries]


def _dict(pairs: Any) -> dict[Any, Any]:
    forms = list(pairs)
    return dict(zip(_distinct(key for key, _ in forms), (_restored(value) for _, value in forms), strict=True))


def _distinct(forms: Iterable[Any]) -> list[Any]:
    """Return the keys of a dict, or the members of a set: as many as there were, although texts that stand for some may be equal."""
    keys = _list(forms)
    taken = {key for key in keys if not isinstance(key, Unrestored)}
    for index, key in enumerate(keys):
        if isinstance(key, Unrestored):
            keys[index] = key.told_from(taken)
            taken.add(keys[index])
    return keys


def _of_value(make: Callable[[Any], Any]) -> Callable[[_Content], Any]:
    return lambda form: make(form[VALUE])


def _moment(kind: Any) -> Callable[[_Content], Any]:
    def make(form: _Content) -> Any:
        moment = kind.fromisoformat(form[VALUE]).replace(fold=form.get("fold", 0))
        zone = form.get("zone")
        return moment if zone is None else moment.replace(tzinfo=zoneinfo.ZoneInfo(zone))

    return make


def _class(path: str) -> type:
    found = resolved(path)
    if not isinstance(found, type):
        raise UnresolvedError(f"{path!r} is no class any more")
    return found


def _function(form: _Content) -> Any:
    found = resolved(form[VALUE])
    if not callable(found):
        raise UnresolvedError(f"{form[VALUE]!r} is no function any more")
    return found


def _member(form: _Content) -> Any:
    kind, names = _class(form["class"]), form[VALUE]
    if not issubclass(kind, enum.Enum):
        raise UnresolvedError(f"{form['class']!r} is no enum any more")
    members = kind.__members__
    missing = [name for name in names if name not in members]
    if missing:
        raise UnresolvedError(f"{form['class']!r} has no member {missing[0]!r} any more")
    rest = form.get("rest", 0)
    if len(names) == 1 and not rest:
        return members[names[0]]
    own = {vars(base).get("_missing_") for base in kind.__mro__ if base.__module__ != "enum"}
    if not issubclass(kind, enum.Flag) or type(kind).__module__ != "enum" or own != {None}:
        raise UnresolvedError(f"{form['class']!r} combines its members in a way of its own")
    return kind(functools.reduce(lambda one, two: one | two, (members[name]._value_ for name in names), rest))


def _instance(form: _Content) -> Any:
    """Return a dataclass with the fields that it had; neither ``__init__`` nor ``__post_init__`` is called."""
    kind = _class(form["class"])
    names = field_names(kind)
    stored = [name for name, _ in form[VALUE]]
    if names is None or set(names) - set(stored):
        raise UnresolvedError(f"{form['class']!r} has other fields now")
    made: Any = object.__new__(kind)
    for name, value in form[VALUE]:
        if not _is_computed(kind, name):
            object.__setattr__(made, name, _restored(value))
        elif len(stored) == len(names):  # Nothing else was stored that it could be computed from.
            raise UnresolvedError(f"{form['class']!r} computes {name!r} now")
    return made


def _is_computed(kind: type, name: str) -> bool:
    """Say whether to set an attribute would run code: that of a property, or what changes the class of the object."""
    found = inspect.getattr_static(kind, name, None)
    return hasattr(type(found), "__set__") and not isinstance(found, types.MemberDescriptorType)


def _named_tuple(form: _Content) -> Any:
    kind = _class(form["class"])
    if not issubclass(kind, tuple) or len(getattr(kind, "_fields", ())) != len(form[VALUE]):
        raise UnresolvedError(f"{form['class']!r} has other fields now")
    return tuple.__new__(kind, _list(form[VALUE]))


def _partial(form: _Content) -> Any:
    function = _restored(form[VALUE])
    if not callable(function):
        raise UnresolvedError(getattr(function, "reason", "its function is none"))
    return functools.partial(function, *_list(form["args"]), **_dict(form["keywords"]))


def _default_dict(form: _Content) -> Any:
    factory = _restored(form["factory"])
    return collections.defaultdict(factory if callable(factory) else None, _dict(form[VALUE]))


def _counter(pairs: Any) -> Any:
    counter: Any = collections.Counter()
    for key, count in _dict(pairs).items():
        counter[key] = count
    return counter


def _module(form: _Content) -> Any:
    if form[VALUE] not in sys.modules:
        raise UnresolvedError(f"the module {form[VALUE]!r} is not imported")
    return sys.modules[form[VALUE]]


def _numpy_scalar(form: _Content) -> Any:
    try:
        import numpy
    except ImportError:
        if isinstance(form.get(VALUE), str):
            raise UnresolvedError("numpy is not installed") from None
        return _restored(form[VALUE])
    if "shape" in form:
        return _numpy_array(form)[()]
    dtype = numpy.dtype(form["dtype"])
    if dtype.kind not in "biuf":
        raise UnresolvedError(f"{form['dtype']!r} is no number's type")
    return dtype.type(_restored(form[VALUE]))


def _numpy_array(form: _Content) -> Any:
    try:
        import numpy
    except ImportError:
        raise UnresolvedError("numpy is not installed") from None
    dtype = numpy.lib.format.descr_to_dtype(_restored(form["dtype"]))
    if "entries" in form:
        # A few bytes may ask for all the memory that there is.
        if len(form["entries"]) * dtype.itemsize > MOST_BYTES:
            raise UnresolvedError(f"it would have more than {MOST_BYTES} bytes")
        array = numpy.empty(len(form["entries"]), dtype)
        array[:] = _list(form["entries"])
    else:
        array = numpy.frombuffer(bytearray(base64.b64decode(form[VALUE])), dtype)
    return array.reshape(form["shape"])


def _dtype(form: _Content) -> Any:
    try:
        import numpy
    except ImportError:
        raise UnresolvedError("numpy is not installed") from None
    return numpy.lib.format.descr_to_dtype(_restored(form[VALUE]))


def _text(form: _Content) -> Any:
    return Unrestored(form[VALUE], "it has no form from which it could be made again")


_PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")

_MAKERS: Mapping[str, Callable[[_Content], Any]] = {
    "float": _of_value(float),
    "int": _of_value(lambda digits: int(digits, 16)),
    "dict": _of_value(_dict),
    "tuple": _of_value(lambda entries: tuple(_list(entries))),
    "set": _of_value(lambda entries: set(_distinct(entries))),
    "frozenset": _of_value(lambda entries: frozenset(_distinct(entries))),
    "bytes": _of_value(base64.b64decode),
    "bytearray": _of_value(lambda text: bytearray(base64.b64decode(text))),
    "complex": _of_value(lambda parts: complex(*_list(parts))),
    "Decimal": _of_value(decimal.Decimal),
    "Fraction": _of_value(lambda parts: fractions.Fraction(*_list(parts))),
    "datetime": _moment(datetime.datetime),
    "time": _moment(datetime.time),
    "date": _of_value(datetime.date.fromisoformat),
    "timedelta": _of_value(lambda parts: datetime.timedelta(*parts)),
    "timezone": _of_value(lambda microseconds: datetime.timezone(datetime.timedelta(microseconds=microseconds))),
    "ZoneInfo": _of_value(zoneinfo.ZoneInfo),
    "UUID": _of_value(uuid.UUID),
    "range": _of_value(lambda parts: range(*_list(parts))),
    "slice": _of_value(lambda parts: slice(*_list(parts))),
    "OrderedDict": _of_value(lambda pairs: collections.OrderedDict(_dict(pairs))),
    "Counter": _of_value(_counter),
    "defaultdict": _default_dict,
    "deque": lambda form: collections.deque(_list(form[VALUE]), form["maxlen"]),
    "SimpleNamespace": _of_value(lambda pairs: types.SimpleNamespace(**_dict(pairs))),
    "Pattern": lambda form: re.compile(_restored(form[VALUE]), form["flags"] & ~re.DEBUG),
    **{name: _of_value(getattr(pathlib, name)) for name in _PATHS},
    "class": _of_value(_class),
    "function": _function,
    "object": _of_value(resolved),
    "module": _module,
    "enum": _member,
    "dataclass": _instance,
    "namedtuple": _named_tuple,
    "partial": _partial,
    "numpy": _numpy_scalar,
    "array": _numpy_array,
    "dtype": _dtype,
    "text": _text,
}
