"""The status of a run while it goes on: a block as Ray Tune's users know it, or one line. Knows no clock of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import psutil

from pytest_sweep.model import Resources, TrialState
from pytest_sweep.model.metrics import metric_value
from pytest_sweep.model.waiting import Waiting
from pytest_sweep.reporting.columns import default_columns
from pytest_sweep.reporting.entry import TrialProgress
from pytest_sweep.reporting.failures import Reasons, failure_lines, short_reason
from pytest_sweep.reporting.progress import Progress
from pytest_sweep.reporting.remaining import remaining_seconds, remaining_text
from pytest_sweep.reporting.rows import COUNT_ORDER, counts_text, not_shown_line, status_rows
from pytest_sweep.reporting.tables import ColumnsOf, tables
from pytest_sweep.reporting.text import LONGEST_VALUE, cell_text, cut_middle, duration_text, name_text
from pytest_sweep.reporting.waits import waiting_lines
from pytest_sweep.space import escaped

_GIB = 2**30
_NOT_BEGUN = (TrialState.PENDING, TrialState.NOT_RUN)


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
        best: the best trials so far, each as a text: ``train[lr=0.1] with loss=0.25 (min)``.
        failures: why trials failed so far.
    """

    now: datetime
    elapsed: float
    executor: str
    total: Resources | None
    results: str
    waiting: Waiting | None = None
    best: Sequence[str] = ()
    failures: Reasons = field(default_factory=dict)


def status_block(
    progress: Progress, view: StatusView, columns_of: ColumnsOf | None = None, width: int | None = None
) -> str:
    """Return the status of all trials: counts, the best and the failures so far, and tables of up to 20 trials.

    What failed, runs and ended share the rows fairly, so that none of them hides the others; what waits gets the rest. Of what
    ended the newest are shown. No line of a table or of a failure is wider than `width`. The lines above are never cut: a path is there
    to be copied.

    Args:
        progress: what is known of the trials.
        view: the rest of what is shown.
        columns_of: returns the columns of a table; None takes `default_columns`.
        width: of the terminal, in characters; None is no limit.
    """
    chosen = columns_of or (lambda sweeps: default_columns(progress, view.waiting, sweeps))
    entries = status_rows(progress)
    lines = [
        status_header(progress, view),
        *(f"Best so far: {best}" for best in view.best),
        *([] if view.waiting is None else waiting_lines(view.waiting)),
        *tables(progress, entries, chosen, width),
        not_shown_line(progress, entries),
        *failure_lines(progress, view.failures, width),
    ]
    return "\n".join(line for line in lines if line)


def status_header(progress: Progress, view: StatusView) -> str:
    """Return the lines above the table: times, memory, executor, resources, results, and the number of trials by state."""
    memory = psutil.virtual_memory()
    counts = progress.counts()
    begun = sum(number for state, number in counts.items() if state not in _NOT_BEGUN)
    lines = [
        "== Status ==",
        f"Current time: {view.now:%Y-%m-%d %H:%M:%S} ({_time(progress, view)})",
        f"Memory usage on this node: {(memory.total - memory.available) / _GIB:.1f}/{memory.total / _GIB:.1f} GiB",
        f"Executor: {escaped(view.executor)}",
        f"Resources in use: {_usage(progress.resources_in_use(), view.total)}",
        f"Results: {escaped(view.results)}",
        f"Number of trials: {begun}/{len(progress)}{_in_brackets(counts_text(counts, COUNT_ORDER))}",
    ]
    return "\n".join(lines)


def summary_line(progress: Progress, elapsed: float, now: float, best: Sequence[str] = ()) -> str:
    """Return the status in one line, for output that is no terminal.

    Args:
        progress: what is known of the trials.
        elapsed: seconds since the run began.
        now: seconds since the epoch.
        best: the best trials so far, each as a text.
    """
    counts = progress.counts()
    done = {state: number for state, number in counts.items() if state.is_finished}
    parts = [f"sweep: {sum(done.values())}/{len(progress)} done{_in_brackets(counts_text(done, COUNT_ORDER))}"]
    parts += [
        f"{counts[state]} {state}"
        for state in (
            TrialState.RUNNING,
            TrialState.PAUSED,
            TrialState.PENDING,
            TrialState.INTERRUPTED,
            TrialState.NOT_RUN,
        )
        if state in counts
    ]
    parts += [f"running for {duration_text(elapsed)}", remaining_text(remaining_seconds(progress, now))]
    line = "; ".join([", ".join(part for part in parts if part), *(f"best {one}" for one in best)])
    return line if progress.latest is None else f"{line}; latest {_latest(progress, progress.latest)}"


def _time(progress: Progress, view: StatusView) -> str:
    left = remaining_text(remaining_seconds(progress, view.now.timestamp()))
    return ", ".join(filter(None, [f"running for {duration_text(view.elapsed, 2)}", left]))


def _usage(used: Resources, total: Resources | None) -> str:
    if total is None:
        return f"{used.cpu:g} CPUs, {used.gpu:g} GPUs"
    in_use = dict(used.custom)
    parts = [
        f"{used.cpu:g}/{total.cpu:g} CPUs",
        f"{used.gpu:g}/{total.gpu:g} GPUs",
    ]
    parts += [f"{used.memory / _GIB:.1f}/{total.memory / _GIB:.1f} GiB heap"] if total.memory else []
    parts += [f"{in_use.get(name, 0.0):g}/{amount:g} {name_text(name)}" for name, amount in total.custom]
    return ", ".join(parts)


def came_out(progress: Progress, key: str) -> str:
    """Return what is shown beside the outcome of the trial with this key: ``loss=0.25``, or why it failed, in at most 60 characters."""
    entry = progress.of(key)
    return short_reason(entry.error) if entry.state is TrialState.ERROR else _metric(progress, entry)


def _metric(progress: Progress, entry: TrialProgress) -> str:
    """Return the metric that the trial is judged by, else the first one that it has reported, as ``loss=0.25``; empty if there is none."""
    metrics = entry.metrics or {}
    sweep = entry.trial.sweep
    for name in (sweep.metric, *progress.tally_of(sweep).metric_names):
        if name is not None and (value := metric_value(metrics, name)) is not None:
            return cut_middle(f"{name_text(name)}={cell_text(value)}", LONGEST_VALUE)
    return ""


def _latest(progress: Progress, entry: TrialProgress) -> str:
    shown = "ERROR" if entry.state is TrialState.ERROR else _metric(progress, entry)
    return f"{progress.label(entry.trial)} {shown}".rstrip()


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""
