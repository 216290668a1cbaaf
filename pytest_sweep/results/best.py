"""Which result is best, as `model.judging` defines it, and the results of one configuration as one. Knows nothing of runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_sweep.model import TrialState
from pytest_sweep.model.judging import Goal, has_failed, mean_value, no_number_text, pareto_front
from pytest_sweep.model.metrics import flattened, metric_value
from pytest_sweep.model.spread import Spread, is_finite, is_number, judged_number, merged
from pytest_sweep.results.result import Result, histories
from pytest_sweep.space import feasibility, without

_MOST_NAMES = 3


class Best(NamedTuple):
    """The best configuration, or trial, as one result.

    Attributes:
        result: the result.
        value: what it is judged by.
    """

    result: Result
    value: float


def groups_of(results: Iterable[Result]) -> list[list[Result]]:
    """Return the results of each configuration, in order of first appearance."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.group, []).append(result)
    return list(groups.values())


def values_of(results: Sequence[Result], goal: Goal) -> list[float | None]:
    """Return the value that each result is judged by; None for one that has none, or that is no candidate.

    Raises:
        StoreError: a history that is needed cannot be read.
    """
    values: dict[int, float | None] = {}
    unread: list[int] = []
    for index, result in enumerate(results):
        if not goal.considers(result.state, result.reason) or not is_feasible(result, goal.feasible):
            values[index] = None
            continue
        final = judged_number(metric_value(result.metrics, goal.metric))
        if goal.scope == "last" and final is not None and (is_finite(final) or not goal.filter_nan_and_inf):
            values[index] = final
        else:
            unread.append(index)
    curves = histories([results[index] for index in unread])
    for index, reports in zip(unread, curves, strict=True):
        values[index] = goal.value([metric_value(report, goal.metric) for report in reports])
    return [values[index] for index in range(len(results))]


def is_feasible(result: Result, conditions: tuple[str, ...]) -> bool:
    """Return whether the final metrics of a result meet these conditions."""
    return not conditions or feasibility(conditions).holds(result.metrics)


def front_of(
    results: Sequence[Result],
    objectives: Sequence[tuple[str, str]],
    average_over: Sequence[str],
    feasible: tuple[str, ...],
) -> list[Result]:
    """Return the configurations than which no other is better in all objectives, in order of first appearance.

    Args:
        results: the results of a sweep.
        objectives: pairs of metric and mode.
        average_over: what the sweep averages over.
        feasible: the conditions that they meet.

    Raises:
        StoreError: a history that is needed cannot be read.
    """
    groups = groups_of(results)
    columns = []
    for metric, mode in objectives:
        goal = Goal(metric, mode, feasible=feasible)
        values = dict(zip(map(id, results), values_of(results, goal), strict=True))
        columns.append(
            [
                mean_value((values[id(result)] for result in group), whole=needs_all(goal, average_over))
                for group in groups
            ]
        )
    judged = [
        its if all(is_number(value) and is_finite(value) for value in its) else None
        for its in zip(*columns, strict=True)
    ]
    front = pareto_front(judged, [mode for _, mode in objectives])
    first = Goal(*objectives[0], feasible=feasible)
    found = []
    for index in front:
        group = groups[index]
        if len(group) == 1 and not average_over:
            found.append(group[0])
            continue
        one = _as_one(group, average_over, first, values_of(group, first))
        metrics = one.metrics or {}
        for (metric, _), means in zip(objectives, columns, strict=True):
            metrics = _with_value(metrics, metric, _plain(means[index]))
        found.append(one.changed(metrics=metrics))
    return found


def best_of(
    results: Sequence[Result], goal: Goal, average_over: Sequence[str] = (), *, each: bool = False
) -> Best | None:
    """Return the best configuration, or with `each` the best single result; None if there is no candidate with an acceptable value.

    Raises:
        StoreError: a history that is needed cannot be read.
    """
    values = dict(zip(map(id, results), values_of(results, goal), strict=True))
    groups = [[result] for result in results] if each else groups_of(results)
    whole = needs_all(goal, average_over) and not each
    judged = [mean_value((values[id(result)] for result in group), whole=whole) for group in groups]
    best = goal.best(judged)
    if best is None or (value := judged[best]) is None:
        return None
    group = groups[best]
    if each or (len(group) == 1 and not average_over):
        return Best(group[0], _plain(value))
    return Best(_as_one(group, average_over, goal, [values[id(result)] for result in group]), _plain(value))


def needs_all(goal: Goal, average_over: Sequence[str]) -> bool:
    """Return whether a configuration is judged only if all its trials are: the folds of a cross-validation differ, seeds do not."""
    return bool(average_over) and not goal.include_failed


def configuration_results(results: Sequence[Result], average_over: Sequence[str], goal: Goal | None) -> list[Result]:
    """Return one result for each configuration, as `best_of` returns the best one; without a goal, trials are not judged.

    Raises:
        StoreError: a history that is needed cannot be read.
    """
    judge = goal or Goal("", "max")
    known = values_of(results, judge) if goal else [None] * len(results)
    values = dict(zip(map(id, results), known, strict=True))
    return [
        _as_one(group, average_over, judge, [values[id(result)] for result in group]) for group in groups_of(results)
    ]


def no_best_text(results: Sequence[Result], goal: Goal, sweep: str, average_over: Sequence[str] = ()) -> str:
    """Return the sentence that says why none of the `results` of `sweep` is the best.

    Raises:
        StoreError: a history that is needed cannot be read.
    """
    if results and not any(goal.considers(result.state, result.reason) for result in results):
        states = Counter(
            "skipped before" if result.state is TrialState.CACHED else str(result.state) for result in results
        )
        counts = ", ".join(f"{count} {state}" for state, count in states.most_common())
        failed = any(has_failed(result.state, result.reason) and result.metrics for result in results)
        hint = "; include_failed=True considers those that failed, too" if failed else ""
        how = "ended" if goal.include_failed else "ended well"
        return f"no trial of {sweep} {how} ({counts}){hint if not goal.include_failed else ''}"
    if needs_all(goal, average_over) and (gaps := _gaps(results, goal)):
        more = f" and {len(gaps) - _MOST_NAMES} more" if len(gaps) > _MOST_NAMES else ""
        return (
            f"no configuration of {sweep} has {goal.metric!r} of all its trials, which average_over={list(average_over)} needs: "
            f"{', '.join(gaps[:_MOST_NAMES])}{more}; include_failed=True judges by what there is"
        )
    judged = [result for result in results if goal.considers(result.state, result.reason)]
    if goal.feasible and judged and not any(is_feasible(result, goal.feasible) for result in judged):
        return f"no trial of {sweep} that ended well meets feasible={list(goal.feasible)}"
    last = [
        metric_value(result.metrics, goal.metric) for result in results if goal.considers(result.state, result.reason)
    ]
    if (
        last
        and all(judged_number(value) is None for value in last)
        and (kinds := {no_number_text(value) for value in last if value is not None} - {""})
    ):
        return f"no trial of {sweep} has a number as {goal.metric!r}: it is {' or '.join(sorted(kinds))}"
    what = "a finite number" if goal.filter_nan_and_inf else "a number"
    return f"no trial of {sweep} has {what} as {goal.metric!r}: {metrics_there_are(results)}"


def _gaps(results: Sequence[Result], goal: Goal) -> list[str]:
    """Return the configurations of which only some trials have a value, and how many have: ``train[lr=1] (2 of 3)``."""
    values = dict(zip(map(id, results), values_of(results, goal), strict=True))
    found = []
    for group in groups_of(results):
        has = sum(values[id(result)] is not None for result in group)
        if 0 < has < len(group):
            found.append(f"{group[0].configuration} ({has} of {len(group)})")
    return found


def metrics_there_are(results: Iterable[Result]) -> str:
    """Return the names of all metrics of `results`, for the text of an error."""
    names = sorted({name for result in results for name in flattened(result.metrics or {})})
    return f"there are {', '.join(map(repr, names))}" if names else "no trial has metrics"


def _as_one(group: Sequence[Result], average_over: Sequence[str], goal: Goal, values: Sequence[float | None]) -> Result:
    """Return the results of one configuration as one; `values` are what each of them is judged by."""
    candidates = [result for result in group if goal.considers(result.state, result.reason)]
    best = goal.best(values)
    first = (candidates or group)[0] if best is None else group[best]
    metrics = _plain(merged([result.metrics for result in candidates if result.metrics is not None]))
    mean = mean_value(values, whole=needs_all(goal, average_over))
    is_partial = mean is None and metric_value(metrics, goal.metric) is not None and needs_all(goal, average_over)
    if goal.scope == "last" and (mean is not None or (goal.metric and is_partial)):
        # The last reports need not have the metric that the configuration is judged by, and a part of the folds has no mean.
        metrics = _with_value(metrics, goal.metric, _plain(mean))
    return first.changed(
        metrics=metrics or None,
        name=first.configuration,
        config=without(first.stored_config, average_over) if average_over else first.stored_config,
        params={name: value for name, value in first.stored_params.items() if name not in average_over},
        _replicates=tuple(group),
    )


def _plain(value: Any) -> Any:
    """Return merged metrics with plain numbers in place of `Spread`; an integer that only one trial has stays one."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return float(value) if isinstance(value, Spread) else value


def _with_value(metrics: Mapping[str, Any], metric: str, value: float | None) -> dict[str, Any]:
    if metric_value(metrics, metric) == value:
        return dict(metrics)
    if metric in metrics or "/" not in metric:
        return {**metrics, metric: value}
    first, _, rest = metric.partition("/")
    inner = metrics.get(first)
    return {**metrics, first: _with_value(inner if isinstance(inner, Mapping) else {}, rest, value)}
