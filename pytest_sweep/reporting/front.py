"""Which trials of a sweep with several metrics none of the others beats: the Pareto front. Knows nothing of how it is shown."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_sweep.model import Sweep
from pytest_sweep.model.judging import pareto_front
from pytest_sweep.model.spread import is_finite
from pytest_sweep.reporting.best import conditions_text, feasible_text, judged_value
from pytest_sweep.reporting.entry import TrialProgress
from pytest_sweep.reporting.progress import Progress
from pytest_sweep.reporting.replicates import complete, configurations
from pytest_sweep.reporting.text import cell_text, counted

_MOST_NAMES = 5


def objective_values(entry: TrialProgress) -> list[float] | None:
    """Return the value of each of the metrics that a trial is judged by, as results judge it; None where one is missing or not finite."""
    values = [judged_value(entry), *entry.others]
    found = [value for value in values if value is not None and is_finite(value)]
    return found if len(found) == len(entry.trial.sweep.goals) else None


def fronts(progress: Progress, sweeps: Sequence[Sweep] | None = None) -> dict[str, list[TrialProgress]]:
    """Return the Pareto front of each sweep that has several metrics, by the sweep's id.

    Args:
        progress: what is known of the trials.
        sweeps: whose; None takes all sweeps of the run.
    """
    wanted = {sweep.id: sweep for sweep in (progress.sweeps() if sweeps is None else sweeps) if len(sweep.goals) > 1}
    if not wanted:
        return {}
    entries: dict[str, list[TrialProgress]] = {name: [] for name in wanted}
    for entry in configurations(progress):
        if entry.trial.sweep.id in entries:
            entries[entry.trial.sweep.id].append(complete(entry))
    return {
        name: [
            its[index]
            for index in pareto_front(
                [objective_values(one) for one in its], [goal.mode for goal in wanted[name].goals]
            )
        ]
        for name, its in entries.items()
    }


def front_line(progress: Progress, sweep: Sweep, front: Sequence[TrialProgress]) -> str:
    """Return the line on the best trials of a sweep with several metrics."""
    name = progress.sweep_label(sweep)
    goals = " and ".join(f"{goal.metric} ({goal.mode})" for goal in sweep.goals)
    if not front:
        return f"Best trials of {name}: none, because no trial{feasible_text(sweep)} ended well with a finite value of {goals}"
    shown = []
    for entry in front[:_MOST_NAMES]:
        values = zip(sweep.goals, objective_values(entry) or (), strict=False)
        shown.append(
            f"{progress.label(entry.trial)} with {', '.join(f'{goal.metric}={cell_text(value)}' for goal, value in values)}"
        )
    more = [f"and {len(front) - _MOST_NAMES} more"] if len(front) > _MOST_NAMES else []
    among = f", of those that meet {conditions_text(sweep)}" if sweep.feasible else ""
    return f"Best trials of {name}: {counted(len(front), 'trial')} that none beats in {goals}{among}: {'; '.join([*shown, *more])}"
