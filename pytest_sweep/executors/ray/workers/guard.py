"""Keeps the connection to Ray of a process that runs trials: their code may call ``ray.init()`` and ``ray.shutdown()`` as in a script."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

from pytest_sweep.executors.ray import private


def keep_connection() -> None:
    """Have ``ray.shutdown()`` do nothing in this process, and ``ray.init()`` return its connection; each warns once."""
    private.take_place_of("shutdown", _no_shutdown)
    private.take_place_of("init", _no_init)


def _no_shutdown(original: Callable[..., Any]) -> Callable[..., Any]:
    warn = _once(
        "ray.shutdown() does nothing in a trial: its worker needs the connection to Ray for the trials that follow"
    )

    def shutdown(**arguments: Any) -> None:
        if arguments.get("_exiting_interpreter"):  # By Ray itself, when the process ends.
            original(**arguments)
        else:
            warn()

    return shutdown


def _no_init(_: Callable[..., Any]) -> Callable[..., Any]:
    warn = _once(
        "ray.init() in a trial returns the connection that its worker has, and its arguments are ignored; "
        "ray.init(ignore_reinit_error=True) says that you know"
    )

    def init(*_: Any, ignore_reinit_error: bool = False, **__: Any) -> Any:
        if not ignore_reinit_error:
            warn()
        return private.current_context()

    return init


def _once(message: str) -> Callable[[], None]:
    """Return a function that warns when it is called for the first time, at the line that called Ray."""
    left = [message]

    def warn() -> None:
        if left:
            warnings.warn(left.pop(), stacklevel=2 + _depth_of_ray())

    return warn


def _depth_of_ray() -> int:
    """Return how many of the callers above the calling function are Ray's or in this module."""
    frame, depth = sys._getframe(2), 0
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ("ray", _OURS):
        frame, depth = frame.f_back, depth + 1
    return depth


_OURS = __name__.partition(".")[0]
