"""The status of a run while it goes on: a block as Ray Tune's users know it, or one line. Knows no clock of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psutil

from pytest_sweep.model import Resources, TrialState
from pytest_sweep.model.waiting import Waiting
from pytest_sweep.reporting.columns import Column, default_columns
from pytest_sweep.reporting.progress import Progress, TrialProgress
from pytest_sweep.reporting.rows import ENDED_WELL, counts_text, not_shown_line, status_rows
from pytest_sweep.reporting.table import trial_table
from pytest_sweep.reporting.text import cell_text, duration_text
from pytest_sweep.reporting.waits import waiting_lines

_GIB = 2**30
_COUNT_ORDER = (
    TrialState.RUNNING,
    TrialState.PENDING,
    *ENDED_WELL,
    TrialState.ERROR,
    TrialState.INTERRUPTED,
    TrialState.NOT_RUN,
)


@dataclass(frozen=True)
class StatusView:
    """What the status block shows besides the trials.

    Attributes:
        now: the time of day.
        elapsed: seconds since the run began.
        executor: where trials run: ``ray, 1 node (local)``.
        total: what all nodes have together; None where that is not known.
        results: the folder of the run.
        waiting: what waits, and for what; None where nobody was asked.
    """

    now: datetime
    elapsed: float
    executor: str
    total: Resources | None
    results: str
    waiting: Waiting | None = None


def status_block(
    progress: Progress, view: StatusView, columns: Sequence[Column] | None = None, width: int | None = None
) -> str:
    """Return the status of all trials: counts, and a table of up to 20 of them; no line of the table is wider than `width`.

    What fails, runs and ended share the rows fairly, so that none of them hides the others; what waits gets the rest. Of what
    ended the newest are shown. The lines around the table are never cut: a path is there to be copied.

    Args:
        progress: what is known of the trials.
        view: the rest of what is shown.
        columns: the columns of the table; None takes `default_columns`.
        width: of the terminal, in characters; None is no limit.
    """
    lines = [status_header(progress, view), *([] if view.waiting is None else waiting_lines(view.waiting))]
    entries = status_rows(progress)
    if entries:
        chosen = default_columns(progress, view.waiting) if columns is None else columns
        lines.append(trial_table(entries, chosen, width))
    if left_out := not_shown_line(progress, entries):
        lines.append(left_out)
    return "\n".join(lines)


def status_header(progress: Progress, view: StatusView) -> str:
    """Return the lines above the table: times, memory, executor, resources, results, and the number of trials by state."""
    memory = psutil.virtual_memory()
    lines = [
        "== Status ==",
        f"Current time: {view.now:%Y-%m-%d %H:%M:%S} (running for {duration_text(view.elapsed, 2)})",
        f"Memory usage on this node: {(memory.total - memory.available) / _GIB:.1f}/{memory.total / _GIB:.1f} GiB",
        f"Executor: {view.executor}",
        f"Resources in use: {_usage(progress.resources_in_use(), view.total)}",
        f"Results: {view.results}",
        f"Number of trials: {len(progress)}{_in_brackets(counts_text(progress.counts(), _COUNT_ORDER))}",
    ]
    return "\n".join(lines)


def summary_line(progress: Progress, elapsed: float) -> str:
    """Return the status in one line, for output that is no terminal. `elapsed` is in seconds."""
    counts = progress.counts()
    done = {state: number for state, number in counts.items() if state.is_finished}
    parts = [f"sweep: {sum(done.values())}/{len(progress)} done{_in_brackets(counts_text(done, _COUNT_ORDER))}"]
    parts += [
        f"{counts[state]} {state}"
        for state in (TrialState.RUNNING, TrialState.PENDING, TrialState.INTERRUPTED, TrialState.NOT_RUN)
        if state in counts
    ]
    line = f"{', '.join(parts)}, running for {duration_text(elapsed)}"
    return line if progress.latest is None else f"{line}; latest {_latest(progress, progress.latest)}"


def _usage(used: Resources, total: Resources | None) -> str:
    if total is None:
        return f"{used.cpu:g} CPUs, {used.gpu:g} GPUs"
    in_use = dict(used.custom)
    parts = [
        f"{used.cpu:g}/{total.cpu:g} CPUs",
        f"{used.gpu:g}/{total.gpu:g} GPUs",
    ]
    parts += [f"{used.memory / _GIB:.1f}/{total.memory / _GIB:.1f} GiB heap"] if total.memory else []
    parts += [f"{in_use.get(name, 0.0):g}/{amount:g} {name}" for name, amount in total.custom]
    return ", ".join(parts)


def _latest(progress: Progress, entry: TrialProgress) -> str:
    label = progress.label(entry.trial)
    if entry.state is TrialState.ERROR:
        return f"{label} ERROR"
    metrics = entry.metrics or {}
    names = [entry.trial.sweep.metric, *progress.metric_names(len(metrics))]
    name = next((name for name in names if name is not None and name in metrics), None)
    return label if name is None else f"{label} {name}={cell_text(metrics[name])}"


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""
