"""Replicates as one record a configuration: means and how far they scatter. Knows nothing of runs, nor of pandas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_sweep.model.judging import Goal
from pytest_sweep.model.metrics import AUTO_METRICS, flattened
from pytest_sweep.model.spread import Spread, is_number
from pytest_sweep.results.best import groups_of, values_of
from pytest_sweep.results.result import Result
from pytest_sweep.space import without

_LEFT_OUT = frozenset(AUTO_METRICS) - {"training_iteration", "time_total_s"}
"""Of what every report has besides its own metrics, these say nothing that a mean of them could say."""


def aggregated(
    results: Iterable[Result], average_over: Sequence[str] = (), goal: Goal | None = None
) -> list[dict[str, Any]]:
    """Return a record for each configuration, as `ResultGrid.aggregate` documents it; the metric of `goal` is what trials are judged by."""
    groups = groups_of(results)
    ended_well = [result for group in groups for result in group if result.ended_well]
    judged: dict[int, float | None] = {}
    if goal is not None:
        judged = {id(result): value for result, value in zip(ended_well, values_of(ended_well, goal), strict=True)}
    return [_record(group, average_over, "" if goal is None else goal.metric, judged) for group in groups]


def _record(
    replicates: Sequence[Result], average_over: Sequence[str], metric: str, judged: Mapping[int, float | None]
) -> dict[str, Any]:
    first = replicates[0]
    done = [result for result in replicates if result.ended_well]
    record: dict[str, Any] = {"name": first.configuration, "trials": len(replicates), "done": len(done)}
    numbers = _numbers(done)
    if values := [value for value in (judged.get(id(result)) for result in done) if value is not None]:
        numbers[metric] = values
    is_partial = bool(metric and average_over) and len(values) < len(replicates)
    for name, values in numbers.items():
        if is_partial and name == metric:
            record[f"{name}/mean"] = record[f"{name}/std"] = None
            continue
        spread = Spread.of(values)
        record[f"{name}/mean"], record[f"{name}/std"] = float(spread), spread.std
    params = {name: value for name, value in first.params.items() if name not in average_over}
    return record | flattened(without(first.config, average_over), "config/") | flattened(params, "params/")


def _numbers(results: Iterable[Result]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for result in results:
        for name, value in flattened(result.metrics or {}).items():
            if is_number(value) and name not in _LEFT_OUT:
                found.setdefault(name, []).append(value)
    return found
