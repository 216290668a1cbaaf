"""What came out: medians over the seeds, and how soon one contestant is as good as another one in the end."""

from __future__ import annotations

import random
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.searching.playing import OURS, PEER, POINTS

RESAMPLES = 1000
NEVER = 2.0
"""Stands for a share of the budget that was not enough."""


def judged(curves: Mapping[str, Mapping[str, Sequence[Sequence[float]]]]) -> dict[str, Any]:
    """Return for each problem the medians and quartiles of the regrets, and the ratio with the upper end of its 95 % interval.

    Args:
        curves: problem -> contestant -> the regrets of each seed; the same seeds, in the same order.
    """
    return {problem: _judged(found) for problem, found in curves.items()}


def _judged(curves: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, Any]:
    seeds = range(len(curves[OURS]))
    chance = random.Random(0)  # noqa: S311 - a resampling that repeats
    ratios = sorted(_share(curves, chance.choices(seeds, k=len(seeds))) for _ in range(RESAMPLES))
    return {
        "ratio": _share(curves, seeds),
        "upper": ratios[int(0.975 * RESAMPLES)],
        "medians": {name: _quantiles(found, 2) for name, found in curves.items()},
        "lower quartiles": {name: _quantiles(found, 1) for name, found in curves.items()},
        "upper quartiles": {name: _quantiles(found, 3) for name, found in curves.items()},
    }


def _share(curves: Mapping[str, Sequence[Sequence[float]]], seeds: Sequence[int]) -> float:
    """Return the share of the budget after which our median regret is as low as the peer's in the end."""
    target = statistics.median(curves[PEER][seed][-1] for seed in seeds)
    for point in range(POINTS):
        if statistics.median(curves[OURS][seed][point] for seed in seeds) <= target:
            return (point + 1) / POINTS
    return NEVER


def _quantiles(curves: Sequence[Sequence[float]], quarter: int) -> list[float]:
    return [statistics.quantiles(at, n=4)[quarter - 1] for at in zip(*curves, strict=True)]
