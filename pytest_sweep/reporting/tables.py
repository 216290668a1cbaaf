"""Which sweeps share a table, and the tables one below the other. Knows nothing of which trials are shown, nor of widths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from pytest_sweep.model import Sweep, TrialState
from pytest_sweep.reporting.columns import Column, default_columns
from pytest_sweep.reporting.entry import TrialProgress
from pytest_sweep.reporting.progress import Progress
from pytest_sweep.reporting.rows import COUNT_ORDER, counts_text
from pytest_sweep.reporting.table import trial_table
from pytest_sweep.reporting.text import counted, cut_end

ColumnsOf = Callable[[Sequence[Sweep]], Sequence[Column]]
"""Returns the columns of the table that these sweeps share."""

_MOST_NAMES = 3


def tables(
    progress: Progress, entries: Sequence[TrialProgress], columns_of: ColumnsOf | None, width: int | None
) -> list[str]:
    """Return the tables of `entries`, each with a line above it that names its sweeps if there is more than one table.

    Sweeps share a table if they vary the same parameters and are judged by the same metric; without a metric, if they have reported the
    same ones.

    Args:
        progress: what is known of the trials.
        entries: the trials to show, in order.
        columns_of: returns the columns of a table; None takes `default_columns`.
        width: of the terminal, in characters; None is no limit.
    """
    groups = _groups(progress)
    group_of = {sweep.id: index for index, group in enumerate(groups) for sweep in group}
    rows: dict[int, list[TrialProgress]] = {}
    for entry in entries:
        rows.setdefault(group_of[entry.trial.sweep.id], []).append(entry)
    lines = []
    for index in sorted(rows):
        sweeps = groups[index]
        if len(groups) > 1:
            lines.append(cut_end(_heading(progress, sweeps), width))
        columns = default_columns(progress, None, sweeps) if columns_of is None else columns_of(sweeps)
        lines.append(trial_table(rows[index], columns, width))
    return [line for line in lines if line]


def _groups(progress: Progress) -> list[list[Sweep]]:
    groups: dict[object, list[Sweep]] = {}
    for sweep in progress.sweeps():
        reported = None if sweep.metric is not None else frozenset(progress.tally_of(sweep).metric_names)
        varying = frozenset((*sweep.varying, *progress.tally_of(sweep).varying))
        kind = (varying, sweep.metric, sweep.metric and sweep.mode, reported)
        groups.setdefault(kind, []).append(sweep)
    return list(groups.values())


def _heading(progress: Progress, sweeps: Sequence[Sweep]) -> str:
    names = [progress.sweep_label(sweep) for sweep in sweeps]
    named = ", ".join(names[:_MOST_NAMES])
    more = f" and {counted(len(names) - _MOST_NAMES, 'more sweep')}" if len(names) > _MOST_NAMES else ""
    counts: Counter[TrialState] = Counter()
    for sweep in sweeps:
        counts += progress.tally_of(sweep).counts
    return f"{named}{more}: {counted(counts.total(), 'trial')} ({counts_text(counts, COUNT_ORDER)})"
