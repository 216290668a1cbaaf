"""The rows of data frames, one for each trial, report or configuration. Knows nothing of pandas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pytest_sweep.model.judging import Goal
from pytest_sweep.model.metrics import flattened, metric_columns, metric_value
from pytest_sweep.results.result import Result, histories

Row = dict[str, Any]


def trial_rows(results: Sequence[Result]) -> list[Row]:
    """Return a row for each result, with its final metrics."""
    return _rows([(_trial(result), [flattened(result.metrics or {})], _parameters(result)) for result in results])


def report_rows(results: Sequence[Result]) -> list[Row]:
    """Return a row for each report of each result; a result that has none gets one row, too."""
    return _rows(
        [
            (_trial(result), [flattened(report) for report in reports] or [{}], _parameters(result))
            for result, reports in zip(results, histories(results), strict=True)
        ]
    )


def best_report_rows(results: Sequence[Result], goal: Goal) -> list[Row]:
    """Return a row for each result, with the metrics of the report that is best, or of the last one if none qualifies."""
    parts = []
    for result, reports in zip(results, histories(results), strict=True):
        best = goal.best([goal.value([metric_value(report, goal.metric)]) for report in reports])
        chosen = reports[-1:] if best is None else [reports[best]]
        parts.append((_trial(result), [flattened(report) for report in chosen] or [{}], _parameters(result)))
    return _rows(parts)


def configuration_rows(results: Iterable[Result]) -> list[Row]:
    """Return a row for each configuration, given as one result each."""
    parts = [
        (
            {
                "name": result.name,
                "state": str(result.state),
                "replicates": len(result.replicates),
                "done": sum(one.ended_well for one in result.replicates),
            },
            [flattened(result.metrics or {})],
            _parameters(result),
        )
        for result in results
    ]
    return _rows(parts)


def _trial(result: Result) -> Row:
    return {
        "trial_id": result.trial_id,
        "name": result.name,
        "state": str(result.state),
        "seed": result.seed,
        "replicate": result.replicate,
    }


def _parameters(result: Result) -> Row:
    return {**flattened(result.config, "config/"), **flattened(result.params, "params/")}


def _rows(parts: Sequence[tuple[Row, Sequence[Row], Row]]) -> list[Row]:
    taken = {name for before, _, after in parts for name in (*before, *after)}
    names = metric_columns(taken, (name for _, several, _ in parts for metrics in several for name in metrics))
    return [
        {**before, **{names[name]: value for name, value in metrics.items()}, **after}
        for before, several, after in parts
        for metrics in several
    ]
