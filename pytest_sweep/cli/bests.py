"""The best of each sweep of a run, as results judge it, from rows that are read quickly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from pytest_sweep.model import TrialState
from pytest_sweep.model.judging import Goal, mean_value
from pytest_sweep.store import Judged, RunScan, StoredSweep


class Best(NamedTuple):
    """The best trial or configuration of a sweep: its value, and the first of its trials that has it."""

    value: float
    ordinal: int
    trials: int


class SweepSummary(NamedTuple):
    """What became of a sweep: how many trials are in each state, and the best of them.

    `front` are the keys of the trials on the Pareto front; None where it was not looked for, or the sweep has a single metric.
    """

    sweep: StoredSweep
    counts: Counter[TrialState]
    best: Best | None
    front: Sequence[str] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as a record of the JSON schema."""
        return {
            "id": self.sweep.id,
            "name": self.sweep.name,
            "metric": self.sweep.metric,
            "mode": None if self.sweep.metric is None else self.sweep.mode,
            "trials": {state.value: count for state, count in self.counts.items() if count},
            "best": None if self.best is None else self.best.value,
            "objectives": [{"metric": goal.metric, "mode": goal.mode} for goal in goals_of(self.sweep)],
            "feasible": list(self.sweep.feasible),
            "front": None if self.front is None else list(self.front),
        }


def goal_of(sweep: StoredSweep) -> Goal | None:
    """Return what makes a trial of a sweep better than another; None if it has no metric."""
    return None if sweep.metric is None else Goal(sweep.metric, sweep.mode, feasible=sweep.feasible)


def goals_of(sweep: StoredSweep) -> tuple[Goal, ...]:
    """Return all metrics that the trials of a sweep are judged by; none without a metric."""
    own = () if sweep.metric is None else ((sweep.metric, sweep.mode),)
    return tuple(Goal(metric, mode, feasible=sweep.feasible) for metric, mode in sweep.objectives or own)


def best_of(scan: RunScan, sweep: StoredSweep) -> Best | None:
    """Return the best of a sweep, as `ResultGrid.get_best_result` judges it; None without a metric or a value."""
    goal = goal_of(sweep)
    if goal is None:
        return None
    return best_judged(scan.judged(sweep.id, goal), goal, whole=bool(sweep.average_over))


def best_judged(judged: Sequence[Judged], goal: Goal, *, whole: bool) -> Best | None:
    """Return the best of a sweep by what its trials are judged by: of configurations by the mean, if they have several trials.

    Args:
        judged: its trials.
        goal: the metric and the mode.
        whole: whether a configuration needs values of all its trials.
    """
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        groups.setdefault(one.group, []).append(one)
    of_group = list(groups.values())
    values = [
        group[0].value if len(group) == 1 else mean_value([one.value for one in group], whole=whole)
        for group in of_group
    ]
    place = goal.best(values)
    if place is None or (value := values[place]) is None:
        return None
    group = of_group[place]
    first = goal.best([one.value for one in group]) or 0
    # A mean is more than a float; an integer may be more than a float holds.
    return Best(float(value) if isinstance(value, float) else value, group[first].ordinal, len(group))
