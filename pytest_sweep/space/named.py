"""Functions and classes in canonical forms: when their name is enough to tell them from others, and what does it where it is not."""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any

from pytest_sweep.space.display import qualified
from pytest_sweep.space.modules import module_name
from pytest_sweep.space.references import reference

_FLAGS = (
    inspect.CO_VARARGS
    | inspect.CO_VARKEYWORDS
    | inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ITERABLE_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
)
_OF_EVERY_CLASS = frozenset({
    "__dict__", "__doc__", "__firstlineno__", "__module__", "__qualname__", "__static_attributes__", "__weakref__", "_abc_impl",
    "__annotate__", "__annotate_func__", "__annotations_cache__",
})  # fmt: skip


def identity_name(value: Any) -> str:
    """Return ``module:qualname`` of a function or class, equal in every import mode of pytest."""
    module = getattr(value, "__module__", None)
    return f"{module_name(module)}:{value.__qualname__}" if isinstance(module, str) else qualified(value)


def is_named(value: Any) -> bool:
    """Say whether the name of a function or class is enough to tell it from others.

    It is not for lambdas, for what a function makes, and where the module has something else under that name, as where a function was
    decorated afterwards.
    """
    return "<" not in value.__qualname__ and (value.__module__ not in sys.modules or reference(value) is not None)


def function_content(function: types.FunctionType) -> tuple[Any, ...]:
    """Return what tells functions of one name apart: code, defaults, and what they close over."""
    # All lambdas of a scope share one name, and so do the inner functions that a factory makes.
    # A cell of a variable that is not assigned yet equals an empty one, and raises when it is read.
    cells = [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
    return (function.__code__, function.__defaults__, function.__kwdefaults__, cells)


def class_content(cls: type) -> list[Any]:
    """Return what tells classes of one name apart: the bases and the attributes."""
    return [list(cls.__bases__), {key: entry for key, entry in vars(cls).items() if key not in _OF_EVERY_CLASS}]


def code_calling(code: types.CodeType) -> list[Any] | None:
    """Return how code is called and what it returns, a generator or a coroutine; None for one argument and a plain value."""
    flags = code.co_flags & _FLAGS
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    if (flags, counts) == (0, (1, 0, 0)):
        return None
    # Arguments that are given by name only are known by it.
    keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return [flags, list(counts), list(keywords)]
