"""Calls the body of a trial and takes what it returns or yields. Knows the trial's object, not the session."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from typing import Any

import pytest

from pytest_sweep.errors import MetricsError
from pytest_sweep.model.metrics import plain_metrics, plain_scalar
from pytest_sweep.worker.current import awaited_by
from pytest_sweep.worker.trial import ActiveTrial


def wrap_body(function: Callable[..., Any], trial: ActiveTrial, metric: str | None) -> Callable[..., Any]:
    """Return a function for pytest to call in place of `function`: it returns None, and the trial gets the metrics.

    An async function stays one, so that the plugins that run those find what they look for. The signature and, for pytest's
    tracebacks, the code stay those of `function`.
    """
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def body(**arguments: Any) -> None:
            __tracebackhide__ = True
            trial.begin()
            try:
                returned = await awaited_by(trial, function, **arguments)
            finally:
                trial.end_forked()
            _finish(returned, trial, metric)

    else:

        @functools.wraps(function)
        def body(**arguments: Any) -> None:
            __tracebackhide__ = True
            trial.begin()
            try:
                returned = function(**arguments)
                if inspect.isgenerator(returned):
                    returned = _drain(returned, trial)
            finally:
                trial.end_forked()
            _finish(returned, trial, metric)

    return body


def _drain(reports: Generator[Any, Any, Any], trial: ActiveTrial) -> Any:
    """Report what a generator yields, and return what it returns; it is closed where a stop rule is met."""
    __tracebackhide__ = True
    try:
        while True:
            try:
                metrics = next(reports)
            except StopIteration as end:
                return end.value
            try:
                trial.report(metrics)
            except MetricsError as error:
                pytest.fail(f"{trial.name} yielded what is not a report: {error}", pytrace=False)
    finally:
        reports.close()


def _finish(returned: object, trial: ActiveTrial, metric: str | None) -> None:
    __tracebackhide__ = True
    problem: MetricsError | None = None
    try:
        trial.finish(_final_metrics(returned, metric))
    except MetricsError as error:
        problem = error
    if problem is not None:  # Out here, so that pytest shows one error, and not two.
        pytest.fail(f"{trial.name} returned what is not metrics: {problem}", pytrace=False)


def _final_metrics(returned: object, metric: str | None) -> dict[str, Any] | None:
    """Return the final metrics: a dict as it is, a number under the sweep's `metric` or ``value``, None for None."""
    if returned is None:
        return None
    number = plain_scalar(returned)
    if isinstance(number, (int, float)) and not isinstance(number, bool):
        returned = {metric or "value": number}
    try:
        return plain_metrics(returned)
    except MetricsError as error:
        raise MetricsError(f"{error}. A body returns a dict of metrics, a number or None") from None
