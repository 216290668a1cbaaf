"""Which trial or configuration of each sweep is best so far, as `model.judging` defines it. Knows nothing of how it is shown."""

from __future__ import annotations

from typing import NamedTuple

from pytest_sweep.model import Sweep
from pytest_sweep.model.judging import Goal
from pytest_sweep.model.metrics import AUTO_METRICS, flattened
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
    return f" that meets feasible={list(sweep.feasible)}" if sweep.feasible else ""


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
    """A sweep of which no trial has reported its metric as a number.

    Attributes:
        sweep: the sweep.
        names: the metrics that were reported, without Tune's automatic ones.
        kinds: what its metric was reported as instead of a number: ``a list``; empty where nobody reported it.
    """

    sweep: Sweep
    names: list[str]
    kinds: list[str]


def missing_metrics(progress: Progress) -> list[Missing]:
    """Return each sweep whose metric no trial has reported as a number, although some has ended well. NaN is a number."""
    kinds: dict[str, dict[str, None]] = {sweep.id: {} for sweep in progress.sweeps()}
    names: dict[str, dict[str, None]] = {sweep.id: {} for sweep in progress.sweeps() if sweep.metric is not None}
    ended_well = set()
    for entry in progress:
        sweep = entry.trial.sweep
        if sweep.id not in names:
            continue
        if entry.judged is not None:
            del names[sweep.id]
            continue
        if entry.ended_well:
            ended_well.add(sweep.id)
        if entry.no_number:
            kinds[sweep.id][entry.no_number] = None
        names[sweep.id] |= dict.fromkeys(flattened(entry.metrics or {}))
    return [
        Missing(sweep, [name for name in names[sweep.id] if name not in AUTO_METRICS], list(kinds[sweep.id]))
        for sweep in progress.sweeps()
        if sweep.id in ended_well and sweep.id in names
    ]
