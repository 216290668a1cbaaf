"""Functions that are there already, as functions of the module that makes sweeps of them."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from pytest_sweep.errors import DefinitionError


def is_new(function: Any) -> bool:
    """Say whether a function is being defined: it belongs to a module that runs right now, which does not know it by its name yet."""
    if not inspect.isfunction(function) or function.__name__ == "<lambda>":
        return False
    return function.__module__ in {_name(frame) for frame in _frames()} and _known(function) is not function


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls `function`, with its signature and its marks, and belongs to the module that is being imported.

    Raises:
        DefinitionError: its arguments are not known.
    """
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError) as error:
        raise DefinitionError(
            f"@sweep cannot find out the arguments of {function!r}: wrap it in a function with def"
        ) from error
    inner = _inner(function)
    wrapper: Any
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(inner):

        @functools.wraps(function, updated=())
        async def wrapper(*arguments: Any, **keywords: Any) -> Any:
            return await function(*arguments, **keywords)

    else:

        @functools.wraps(function, updated=())
        def wrapper(*arguments: Any, **keywords: Any) -> Any:
            return function(*arguments, **keywords)

    if wrapper.__name__ == "<lambda>":  # On which pytest puts no marks.
        wrapper.__name__ = "function"
    wrapper.__signature__ = signature
    # The function that a partial or an object calls: where its code is.
    wrapper.__wrapped__ = inner
    wrapper.__module__ = _importing()
    marks = getattr(function, "pytestmark", [])
    wrapper.pytestmark = [mark for mark in (marks if isinstance(marks, list) else [marks]) if mark.name != "sweep"]
    return wrapper  # type: ignore[no-any-return]


def _inner(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isfunction(function) or inspect.ismethod(function) or hasattr(function, "__wrapped__"):
        return function
    return getattr(type(function), "__call__", function)  # noqa: B004 - its function, and not whether it has one


def _known(function: Any) -> Any:
    """Return what is known by the name of a function, where it would be found."""
    found: Any = sys.modules.get(function.__module__)
    for part in function.__qualname__.split("."):
        found = getattr(found, part, None)
    return found


def _importing() -> str:
    """Return the name of the module that is being imported; where none is, that of the caller's."""
    ours = (__name__, "pytest_sweep.decorator")
    outside = [frame for frame in _frames() if _name(frame) not in ours]
    # The frame of the script that was started is no import.
    running = (frame for frame in outside if frame.f_code.co_name == "<module>" and _name(frame) != "__main__")
    return _name(next(running, outside[0]))


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _name(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
