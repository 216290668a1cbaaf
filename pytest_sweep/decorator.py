"""The decorator ``@sweep``: a typed way to write ``pytest.mark.sweep``. Checks nothing; collection does, where it knows the function."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

import pytest

from pytest_sweep.errors import DefinitionError
from pytest_sweep.wrapping import is_new, wrapped

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from pytest_sweep.search.protocols import Scheduler, Searcher
    from pytest_sweep.search.settings import SchedulerSettings, SearcherSettings
    from pytest_sweep.space import Space

F = TypeVar("F", bound=Callable[..., Any])


class SweepArguments(TypedDict, total=False):
    """The arguments of `sweep`."""

    grid: Space | Mapping[str, Any]
    space: Space | Mapping[str, Any]
    configs: Sequence[Any]
    num_samples: int
    repeats: int
    seed: int | None
    where: str | Callable[[dict[str, Any]], object] | Sequence[str | Callable[[dict[str, Any]], object]] | None
    ids: Sequence[str] | Callable[[dict[str, Any]], str | None] | None
    search: SearcherSettings | Searcher | Callable[..., Searcher] | str | None
    scheduler: SchedulerSettings | Scheduler | Callable[..., Scheduler] | str | None
    points_to_evaluate: Sequence[Mapping[str, Any]] | None
    metric: str | Sequence[str] | None
    feasible: str | Sequence[str] | None
    average_over: Sequence[str] | str | None
    mode: Literal["min", "max"] | Sequence[Literal["min", "max"]] | None
    stop: Mapping[str, float | str] | None
    retries: int
    retry_on: type[BaseException] | str | re.Pattern[str] | Sequence[type[BaseException] | str | re.Pattern[str]] | None
    backoff: float | str
    worker_retries: int
    timeout: float | str | None
    tolerate: int | str
    fresh_process: bool | None
    keep_checkpoints: int | None
    keep_best: str | bool | None
    config_arg: str


def sweep(space: Space | Mapping[str, Any] | None = None, /, **arguments: Unpack[SweepArguments]) -> Callable[[F], F]:
    """Make a function a sweep: ``pytest --sweep`` collects it as one item for each configuration, a trial.

    The function may have any name. An argument called ``config`` gets the whole configuration, one named like a key of the space
    that value; the rest are fixtures. It returns a dict of metrics, a number or None, or yields reports. It is left untouched.

    ``train = sweep(grid={...})(library.train)`` makes a sweep of a function that is there already: another module's, a lambda, a
    ``functools.partial`` or any other callable. The function itself is no sweep then, and may be used for several.

    Args:
        space: the grid: ``@sweep({"lr": [0.1, 0.01]})`` is ``@sweep(grid={"lr": [0.1, 0.01]})``.
        grid: what to try: a dict from key to axis, or what ``grid()`` and ``zip_()`` return and ``*`` and ``+`` make of it. An axis is
            a list of values, of which all combinations are tried, the first key varying slowest; a domain such as ``uniform(0, 1)``
            or ``derived(...)``; or a dict that holds axes. ``pytest.param(value, marks=..., id=...)`` gives a value marks or an id.
        space: the same under the name that fits domains and strategies of hypothesis better. With both, each combination of one is
            tried with each of the other.
        configs: instead of these, a list of configurations, each a dict. A value in it may be a domain.
        num_samples: how often the whole space is tried, with values drawn anew. Default 1. With a `search` that learns: how many trials
            there are in all.
        search: what chooses the configurations: ``gp()``, ``tpe()``, ``qmc()`` or ``random()``, or one of these names;
            ``optuna(sampler)``, ``stop_after(...)``, or an object with the methods of `pytest_sweep.search.protocols.Searcher`. A searcher
            that learns from results chooses them while the sweep runs: its trials are called ``train[trial=07]``. Default None: all that
            the space says.
        scheduler: what stops trials that do not promise much, or pauses them for better ones: ``asha()``, ``median()`` or
            ``hyperband()``, or one of these names; ``pbt({...})``, or an object with the methods of
            `pytest_sweep.search.protocols.Scheduler`. Default None: every trial runs to its end.
        points_to_evaluate: configurations, or parts of some, that the searcher tries first: ``[{"lr": 3e-4}]``. Tune's name.
        repeats: how often each configuration is tried, with a seed of its own each time; the final table and
            ``ResultGrid.aggregate()`` show mean and standard deviation. Default 1.
        seed: what is drawn, and ``trial.seed``, depend on it. Default None: the seed of the run (``--sweep-seed``, which is 0).
        where: leaves out configurations that do not meet it: a condition such as ``"lr * batch < 1 and depth in (2, 4)"``, a function
            of the configuration, or a list of these. Default None.
        ids: a list of as many ids as there are configurations, or a function from configuration to id (None for the usual one).
        metric: the metric that trials are judged by; also the name of a number that is returned. If trials end well and none has reported
            it, the session fails. Default None.
        feasible: a condition on the metrics, or a list of them, that the best trial must meet: ``"memory < 8e9"``. Searchers that can, take
            account of it. Default None.
        mode: ``"min"`` or ``"max"``, which of its values is best; a list of these where `metric` is a list: then
            ``ResultGrid.get_best_results()`` returns the Pareto front. Required with `metric`, and with a name as `keep_best`.
        average_over: parameters that tell replicates of one configuration from each other, such as the fold of a cross-validation: names
            of stacked ``parametrize`` arguments, of parametrized fixtures, or keys of the space (dotted where they are nested). The final
            table, the best result, ``aggregate()`` and the data frame then have means over them. Default None: each value is a
            configuration of its own.
        stop: ends a trial early, as STOPPED, at the first report that meets one of these: ``{"loss": "< 0.1", "training_iteration": 100}``;
            a bare number means "at least", as in Ray Tune.
        retries: how often a trial that failed is tried again. Default 0.
        retry_on: the failures that are tried again: exception classes, parts of the exception's text (``"CUDA out of memory"``), compiled
            patterns, or a tuple of these. Default None: every failure.
        backoff: how long to wait before a failed trial is tried again: seconds, or a text such as ``"10s"``. It doubles each time, up to
            an hour, give or take a quarter; meanwhile other trials run. Default 0.
        worker_retries: how often a trial is tried again because its worker died, and how often, alone on its node, because that ran out
            of memory; neither uses up `retries`, and a node that is lost uses up nothing. Default 1.
        timeout: how long an attempt may take, set-up and tear-down included: seconds, or a text such as ``"10m"``. At the limit every
            thread's stack is shown, and the attempt's process ended with all that it has started; the attempt fails with a TimeoutError.
            Default None: ``--sweep-timeout``, which is no limit. The executor inline, which is this process, only warns.
        tolerate: how many trials may fail without failing the session: a number, or a share of those that ran such as ``"5%"``. They stay
            visible in every report. Default 0.
        fresh_process: whether each trial gets a new process; default None: only one that asks for a GPU.
        keep_checkpoints: how many checkpoints of a trial are kept; the newest one always is. Default None: ``--sweep-keep-checkpoints``,
            which is all.
        keep_best: keeps those that are best by a metric, and the newest one besides: the metric's name, or True for the sweep's; `mode`
            says which value is best. Default None: the newest ones.
        config_arg: the argument that gets the whole configuration. Default ``"config"``.

    What is wrong in the arguments is an error of collection, which names the function, the value and what to do.

    Raises:
        DefinitionError: it is written without parentheses, the grid is given twice, or what it decorates cannot be called.

    Example::

        @sweep(grid={"lr": [0.1, 0.01]}, metric="loss", mode="min")
        def train_model(lr, trial):
            for epoch in range(10):
                trial.report({"loss": 1 / (1 + lr * epoch)})
    """
    __tracebackhide__ = True
    given: Any = space
    if given is not None:
        if callable(given):
            name = getattr(given, "__name__", "the function")
            raise DefinitionError(
                f"@sweep has nothing to try: write @sweep(grid={{'lr': [0.1, 0.01]}}) above {name}, with your own axes"
            )
        if "grid" in arguments:
            raise DefinitionError(
                "sweep() gets the grid twice, as the first argument and as grid=: leave one of them away"
            )
        arguments["grid"] = given

    def decorate(function: F) -> F:
        __tracebackhide__ = True
        # pytest drops a mark on what wraps a method, and ignores one on a lambda: the sweep would silently be none.
        target: Any = function.__func__ if isinstance(function, (staticmethod, classmethod)) else function
        if not callable(target):
            raise DefinitionError(f"@sweep decorates a function, not {function!r}")
        if inspect.isclass(target) or is_new(target):
            pytest.mark.sweep(**arguments)(target)
            return function
        wrapper: Any = pytest.mark.sweep(**arguments)(wrapped(target))
        return type(function)(wrapper) if isinstance(function, (staticmethod, classmethod)) else wrapper

    return decorate
