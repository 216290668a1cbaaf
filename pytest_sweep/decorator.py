"""The decorator ``@sweep``: a typed way to write ``pytest.mark.sweep``. Checks nothing; collection does, where it knows the function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

import pytest

from pytest_sweep.errors import DefinitionError

if TYPE_CHECKING:
    from typing_extensions import Unpack

F = TypeVar("F", bound=Callable[..., Any])


class SweepArguments(TypedDict, total=False):
    """The arguments of `sweep`."""

    grid: Mapping[str, Any]
    configs: Sequence[Any]
    ids: Sequence[str] | Callable[[dict[str, Any]], str | None] | None
    metric: str | None
    mode: Literal["min", "max"] | None
    stop: Mapping[str, float | str] | None
    retries: int
    fresh_process: bool | None
    config_arg: str


def sweep(**arguments: Unpack[SweepArguments]) -> Callable[[F], F]:
    """Make a function a sweep: ``pytest --sweep`` collects it as one item for each configuration, a trial.

    The function may have any name. An argument called ``config`` gets the whole configuration, one named like a key of the space
    that value; the rest are fixtures. It returns a dict of metrics, a number or None, or yields reports. It is left untouched.

    Args:
        grid: a dict from key to a list of values, of which all combinations are tried; the first key varies slowest. A value that
            is a dict holds axes itself; ``pytest.param(value, marks=..., id=...)`` gives a value marks or an id of its own.
        configs: instead of `grid`, a list of configurations, each a dict.
        ids: a list of as many ids as there are configurations, or a function from configuration to id (None for the usual one).
        metric: the metric that trials are judged by; also the name of a number that is returned. Default None.
        mode: ``"min"`` or ``"max"``, which of its values is best. Default ``"max"``.
        stop: ends a trial early, as STOPPED, at the first report that meets one of these: ``{"loss": "< 0.1", "training_iteration": 100}``;
            a bare number means "at least", as in Ray Tune.
        retries: how often a trial that failed is tried again. Default 0.
        fresh_process: whether each trial gets a new process; default None: only one that asks for a GPU.
        config_arg: the argument that gets the whole configuration. Default ``"config"``.

    What is wrong in the arguments is an error of collection, which names the function, the value and what to do.
    """

    def decorate(function: F) -> F:
        __tracebackhide__ = True
        # pytest drops a mark on what wraps a method, and ignores one on a lambda: the sweep would silently be none.
        target: Any = function.__func__ if isinstance(function, (staticmethod, classmethod)) else function
        if not (inspect.isfunction(target) or inspect.isclass(target)) or target.__name__ == "<lambda>":
            raise DefinitionError(f"@sweep decorates a function that is written with def, not {function!r}")
        pytest.mark.sweep(**arguments)(target)
        return function

    return decorate
