"""Which trial or configuration of each sweep is best so far, as `model.judging` defines it. Knows nothing of how it is shown."""

from __future__ import annotations

from typing import NamedTuple

from pytest_sweep.model import Sweep
from pytest_sweep.model.judging import Goal, no_number_text
from pytest_sweep.model.metrics import AUTO_METRICS, flattened, metric_value
from pytest_sweep.reporting.entry import TrialProgress
from pytest_sweep.reporting.progress import Progress
from pytest_sweep.reporting.replicates import ConfigurationProgress, configurations


class Best(NamedTuple):
    """The best of a sweep that has a metric.

    Attributes:
        sweep: the sweep.
        entry: the trial or the configuration that is best so far; None if none has ended well with a finite value.
        has_replicates: whether any configuration of the sweep has several trials, so that configurations are judged by means.
    """

    sweep: Sweep
    entry: TrialProgress | None
    has_replicates: bool


def goal_of(sweep: Sweep) -> Goal | None:
    """Return what makes a trial of `sweep` better than another; None if the sweep has no metric."""
    return None if sweep.metric is None else Goal(sweep.metric, sweep.mode)


def feasible_text(sweep: Sweep) -> str:
    """Return what a candidate for the best must do besides, as the end of a sentence; empty for a sweep without conditions."""
    return f" that meets {conditions_text(sweep)}" if sweep.feasible else ""


def conditions_text(sweep: Sweep) -> str:
    """Return the conditions of ``feasible=`` as a sentence has them."""
    return " and ".join(sweep.feasible)


def judged_value(entry: TrialProgress) -> float | None:
    """Return the value that a trial that ended well is judged by; None if it has none that is finite, or is not feasible."""
    goal = goal_of(entry.trial.sweep)
    if goal is None or not entry.ended_well or not goal.accepts(entry.judged) or not entry.is_feasible:
        return None
    return entry.judged


def best_entries(progress: Progress) -> list[Best]:
    """Return the best of each sweep that has a metric, in collection order."""
    groups: dict[str, list[TrialProgress]] = {}
    for entry in configurations(progress):
        groups.setdefault(entry.trial.sweep.id, []).append(entry)
    found = []
    for sweep in progress.sweeps():
        if (goal := goal_of(sweep)) is not None:
            entries = groups[sweep.id]
            best = goal.best(map(judged_value, entries))
            replicated = any(isinstance(entry, ConfigurationProgress) for entry in entries)
            found.append(Best(sweep, None if best is None else entries[best], replicated))
    return found


class Missing(NamedTuple):
    """A metric of a sweep that no trial has reported as a number.

    Attributes:
        sweep: the sweep.
        metric: the metric.
        names: the metrics that were reported, without Tune's automatic ones.
        kinds: what it was reported as instead of a number: ``a list``; empty where nobody reported it.
    """

    sweep: Sweep
    metric: str
    names: list[str]
    kinds: list[str]


def missing_metrics(progress: Progress) -> list[Missing]:
    """Return each metric of a sweep that no trial has reported as a number, although some has ended well. NaN is a number."""
    kinds: dict[tuple[str, int], dict[str, None]] = {
        (sweep.id, place): {} for sweep in progress.sweeps() for place in range(len(sweep.goals))
    }
    names: dict[str, dict[str, None]] = {sweep.id: {} for sweep in progress.sweeps() if sweep.goals}
    ended_well = set()
    for entry in progress:
        sweep = entry.trial.sweep
        missing = [place for place in range(len(sweep.goals)) if (sweep.id, place) in kinds]
        if not missing:
            continue
        if entry.ended_well:
            ended_well.add(sweep.id)
        for place in missing:
            value, kind = _reported(entry, place)
            if value is not None:
                del kinds[sweep.id, place]
            elif kind:
                kinds[sweep.id, place][kind] = None
        names[sweep.id] |= dict.fromkeys(flattened(entry.metrics or {}))
    return [
        Missing(
            sweep,
            goal.metric,
            [name for name in names[sweep.id] if name not in AUTO_METRICS],
            list(kinds[sweep.id, place]),
        )
        for sweep in progress.sweeps()
        for place, goal in enumerate(sweep.goals)
        if sweep.id in ended_well and (sweep.id, place) in kinds
    ]


def _reported(entry: TrialProgress, place: int) -> tuple[float | None, str]:
    """Return what a trial is judged by, by one of the metrics of its sweep, and what it has reported instead of a number."""
    if place == 0:
        return entry.judged, entry.no_number
    if entry.others and entry.others[place - 1] is not None:
        return entry.others[place - 1], ""
    metric = entry.trial.sweep.goals[place].metric
    value = metric_value(entry.metrics, metric)
    return None, no_number_text(value) if value is not None or metric in (entry.metrics or {}) else ""
