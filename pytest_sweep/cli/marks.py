"""What a trial is beside the others of its sweep: on the Pareto front or not, feasible or not. Prints nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_sweep.cli.bests import goals_of
from pytest_sweep.model.judging import Goal, mean_value, pareto_front
from pytest_sweep.model.spread import is_finite
from pytest_sweep.space.feasibility import Feasibility, feasibility
from pytest_sweep.store import Judged, RunScan, StoredSweep


@dataclass(frozen=True)
class Marks:
    """What is known of the trials of a sweep together.

    Attributes:
        goals: what they are judged by: the metrics of the sweep.
        front: the places, in the order of collection, of the trials that none of the others beats in all metrics, those of a configuration
            one after the other; None for a sweep with a single metric, whose best trial is one.
        values: what each configuration on the front is judged by, in the order of the goals.
        conditions: what a trial must meet to be the best, or None.
    """

    goals: tuple[Goal, ...] = ()
    front: tuple[tuple[int, ...], ...] | None = None
    conditions: Feasibility | None = None
    values: tuple[tuple[float, ...], ...] = ()
    _best: frozenset[int] = field(default=frozenset(), repr=False)

    def is_best(self, ordinal: int) -> bool | None:
        """Return whether a trial is on the front; None where there is none."""
        return None if self.front is None else ordinal in self._best

    def is_feasible(self, metrics: Mapping[str, Any] | None) -> bool | None:
        """Return whether these metrics meet the conditions; None where there are none, or no metrics."""
        return None if self.conditions is None or metrics is None else self.conditions.holds(metrics)


NO_MARKS = Marks()


def marks_of(scan: RunScan, sweep: StoredSweep, judged: Sequence[Sequence[Judged]] | None = None) -> Marks:
    """Return what is known of the trials of a sweep together, as `ResultGrid.get_best_results` judges it.

    Args:
        scan: reads the run.
        sweep: the sweep.
        judged: for each of its goals what its trials are judged by; None reads it where it is needed.
    """
    goals = goals_of(sweep)
    conditions = feasibility(sweep.feasible) if sweep.feasible else None
    if len(goals) < 2:
        return Marks(goals, None, conditions)
    known = [scan.judged(sweep.id, goal) for goal in goals] if judged is None else judged
    found = front_of(known, goals, whole=bool(sweep.average_over))
    front, values = tuple(ordinals for ordinals, _ in found), tuple(values for _, values in found)
    return Marks(goals, front, conditions, values, frozenset(ordinal for group in front for ordinal in group))


def all_marks(scan: RunScan, sweeps: Sequence[StoredSweep]) -> dict[str, Marks]:
    """Return the marks of each of these sweeps, by its id."""
    return {sweep.id: marks_of(scan, sweep) for sweep in sweeps}


def front_of(
    judged: Sequence[Sequence[Judged]], goals: Sequence[Goal], *, whole: bool
) -> list[tuple[tuple[int, ...], tuple[float, ...]]]:
    """Return the configurations on the Pareto front: the places of the trials of each, and what it is judged by.

    Args:
        judged: for each goal what the trials of the sweep are judged by.
        goals: the goals.
        whole: whether a configuration needs values of all its trials.
    """
    groups: dict[str, list[int]] = {}
    for index, one in enumerate(judged[0]):
        groups.setdefault(one.group, []).append(index)
    values: list[list[float] | None] = []
    for indexes in groups.values():
        means = [mean_value((of_goal[index].value for index in indexes), whole=whole) for of_goal in judged]
        finite = [value for value in means if value is not None and is_finite(value)]
        values.append(finite if len(finite) == len(means) else None)
    members = list(groups.values())
    best = pareto_front(values, [goal.mode for goal in goals])
    return [(tuple(judged[0][index].ordinal for index in members[place]), tuple(values[place] or ())) for place in best]
