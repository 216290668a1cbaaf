"""Replicates as one record a configuration: means and how far they scatter. Knows nothing of runs, nor of pandas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pytest_sweep.model.metrics import AUTO_METRICS
from pytest_sweep.model.spread import Spread, is_number
from pytest_sweep.model.trials import name_without_replicate
from pytest_sweep.results.result import DONE, Result, flattened

_LEFT_OUT = frozenset(AUTO_METRICS) - {"training_iteration", "time_total_s"}
"""Of what every report has besides its own metrics, these say nothing that a mean of them could say."""


def aggregated(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Return a record for each configuration, as `ResultGrid.aggregate` documents it."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.group, []).append(result)
    return [_record(replicates) for replicates in groups.values()]


def _record(replicates: Sequence[Result]) -> dict[str, Any]:
    first = replicates[0]
    done = [result for result in replicates if result.state in DONE]
    record: dict[str, Any] = {
        "name": name_without_replicate(first.name, first.replicate),
        "trials": len(replicates),
        "done": len(done),
    }
    for name, values in _numbers(done).items():
        spread = Spread.of(values)
        record[f"{name}/mean"], record[f"{name}/std"] = float(spread), spread.std
    return record | flattened(first.config, "config/")


def _numbers(results: Iterable[Result]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for result in results:
        for name, value in flattened(result.metrics or {}).items():
            if is_number(value) and name not in _LEFT_OUT:
                found.setdefault(name, []).append(value)
    return found
