"""Debuggers and trials: ``--trace`` stops at the first line of a body, and in a worker ``breakpoint()`` says where to go."""

from __future__ import annotations

import functools
import pdb
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from pytest_sweep.items import private

PYTESTS_OWN = "pdbtrace"
"""The name of pytest's plugin for this. It would stop in what we call the body with, and lose what the body returns."""


class BreakpointReached(Exception):  # noqa: N818 - it is not the trial's fault
    """A trial has called ``breakpoint()`` in a worker, whose process has no terminal."""


def refuse_debuggers() -> None:
    """Let ``breakpoint()`` and ``pdb.set_trace()`` end the attempt, instead of reading from a terminal that is not there."""
    sys.breakpointhook = _refuse
    pdb.set_trace = _refuse  # pytest's own is there, and puts the original back in the end.


def _refuse(*_: object, **__: object) -> NoReturn:
    __tracebackhide__ = True
    raise BreakpointReached(
        "breakpoint() was reached in a worker, which has no terminal. With --pdb the trial is run again in the session's own "
        "process, and stops here; with --sweep-executor=inline all trials run there"
    )


def traced(function: Callable[..., Any], config: pytest.Config) -> Callable[..., Any]:
    """Return `function`, with ``--trace`` so that the debugger is opened at its first line."""
    if not config.getoption("trace", False):
        return function

    @functools.wraps(function)
    def stopping(**arguments: Any) -> Any:
        return private.call_in_debugger(function, arguments)

    return stopping
