"""What ``show`` says of a run and its sweeps, as lines and columns. Writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from pytest_sweep.cli.bests import Best, goals_of
from pytest_sweep.cli.marks import Marks
from pytest_sweep.cli.run_rows import RunRow
from pytest_sweep.cli.times import time_text
from pytest_sweep.cli.trial_rows import OF_FRAME, TrialView, cell
from pytest_sweep.model import TrialState
from pytest_sweep.model.metrics import AUTO_METRICS
from pytest_sweep.reporting.failures import reason_of
from pytest_sweep.reporting.rows import COUNT_ORDER, counts_text
from pytest_sweep.reporting.table import Cells
from pytest_sweep.reporting.text import cell_text, counted, duration_text, text_width
from pytest_sweep.store import RunScan, StoredSweep

_DIGITS = 8
_MOST_METRICS = 4
_MOST_REASONS = 5
_MOST_BEST = 5
_ITERATION, _TOTAL_TIME = "training_iteration", "time_total_s"


def run_lines(row: RunRow) -> Iterator[str]:
    """Yield what is known of a run itself."""
    its = row.row
    tags = f" ({', '.join(row.tags)})" if row.tags else ""
    yield f"Run: {row.folder.name}{tags}"
    took = "" if row.duration is None else f" after {duration_text(row.duration)}"
    yield f"Status: {row.status}{took}, began {time_text(row.started)}"
    yield f"Command: {its.get('command') or 'not known'}"
    commit = its.get("git_commit")
    state = "" if not commit else f", commit {commit[:12]}{' with changes' if its.get('git_dirty') else ''}"
    yield f"Executor: {its.get('executor')}, seed {row.value('seed')}{state}"
    if its.get("resumed_from"):
        yield f"Resumed from: {its['resumed_from']}"
    yield f"Folder: {row.folder}"
    if (remark := row.remark) is not None:
        yield remark


def sweep_line(sweep: StoredSweep, counts: Counter[TrialState]) -> str:
    """Return the line above the table of a sweep: how many trials it has in which state."""
    return f"{sweep.id}: {counted(counts.total(), 'trial')} ({counts_text(counts, COUNT_ORDER)})"


def best_lines(scan: RunScan, sweep: StoredSweep, best: Best | None, marks: Marks) -> Iterator[str]:
    """Yield the lines that say which trials or configurations of a sweep are best."""
    condition = f" and meets {' and '.join(sweep.feasible)}" if sweep.feasible else ""
    if marks.front is not None:
        goals = " and ".join(f"{goal.metric} ({goal.mode})" for goal in marks.goals)
        if not marks.front:
            yield f"Best: none; no trial that ended well has a finite value of {goals}{condition}"
            return
        yield f"Best: {counted(len(marks.front), 'trial')} that none beats in {goals}{_that_meet(sweep)}"
        rows = scan.trials_at([group[0] for group in marks.front[:_MOST_BEST]])
        for row, values, group in zip(rows, marks.values, marks.front, strict=False):
            shown = ", ".join(
                f"{goal.metric}={cell_text(value)}" for goal, value in zip(marks.goals, values, strict=True)
            )
            yield f"  {shown}: {row.name if len(group) == 1 else TrialView(row).value('configuration')}"
        if len(marks.front) > _MOST_BEST:
            yield f"  ... and {len(marks.front) - _MOST_BEST} more"
    elif best is not None:
        (row,) = scan.trials_at([best.ordinal])
        view = TrialView(row)
        name = row.name if best.trials == 1 else f"{view.value('configuration')}, the mean of {best.trials} trials"
        yield f"Best: {sweep.metric}={cell_text(best.value)} ({sweep.mode}{_that_meet(sweep)}): {name}"
    elif sweep.metric is not None and sweep.feasible:
        yield f"Best: none; no trial that ended well has a value of {sweep.metric}{condition}"


def front_keys(scan: RunScan, marks: Marks) -> list[str] | None:
    """Return the keys of the trials on the Pareto front; None where there is none."""
    if marks.front is None:
        return None
    return [row.key for row in scan.trials_at([ordinal for group in marks.front for ordinal in group])]


def _that_meet(sweep: StoredSweep) -> str:
    return f", of those with {' and '.join(sweep.feasible)}" if sweep.feasible else ""


def default_columns(views: Sequence[TrialView], sweep: StoredSweep, *, all_columns: bool) -> list[str]:
    """Return the columns of the table of a sweep's trials: in a pipe all that there are, else those that people look at."""
    if all_columns:
        metrics: dict[str, None] = {}
        parameters: dict[str, None] = {}
        for view in views:
            metrics |= dict.fromkeys(view.metric_columns)
            parameters |= dict.fromkeys(view.parameters)
        named = {*OF_FRAME, *metrics, *parameters}
        others = dict.fromkeys(column for view in views for column in view.columns() if column not in named)
        return [*OF_FRAME, *metrics, *parameters, *others]
    marked = [name for name in ("best", "feasible") if any(view.value(name) is not None for view in views[:1])]
    return [
        "name",
        *marked,
        *_varying(views, sweep),
        "state",
        *_metrics(views, sweep),
        _ITERATION,
        _TOTAL_TIME,
        "error",
    ]


def trial_cells(views: Sequence[TrialView], columns: Sequence[str], sweep: StoredSweep, least: int) -> list[Cells]:
    """Return the columns of a table of trials."""
    varying = set(_varying(views, sweep))
    cells = []
    for column in columns:
        values = [cell(view, column) for view in views]
        short = partial(_keys, views) if column == "name" else None
        cells.append(Cells(column, values, max(_priority(column, sweep, varying), least), short))
    return cells


def failure_lines(scan: RunScan, sweeps: set[str], width: int | None = None) -> Iterator[str]:
    """Yield why trials failed: a line for each of the most frequent reasons, with a trial that failed for it.

    Args:
        scan: reads the run.
        sweeps: the ids of the sweeps that are shown.
        width: of the terminal; a name that would leave no room for the reason is replaced by the first digits of the trial's key.
    """
    if not any(counts[TrialState.ERROR] for sweep, counts in scan.counts().items() if sweep in sweeps):
        return
    found: dict[str, list[int]] = {}
    for ordinal, sweep, error in scan.errors():
        if sweep in sweeps:
            found.setdefault(reason_of(error), []).append(ordinal)
    most = sorted(found.items(), key=lambda item: -len(item[1]))[:_MOST_REASONS]
    rows = {row.ordinal: row for row in scan.trials_at([ordinals[0] for _, ordinals in most])}
    yield ""
    for reason, ordinals in most:
        more = f" and {len(ordinals) - 1} more" if len(ordinals) > 1 else ""
        row = rows.get(ordinals[0])
        line = f"ERROR {'a trial' if row is None else row.name}{more}: {reason}"
        if row is not None and width is not None and text_width(line) > width and len(row.name) > _DIGITS:
            line = f"ERROR {row.key[:_DIGITS]}{more}: {reason}"
        yield line
    if len(found) > len(most):
        yield f"... and {counted(len(found) - len(most), 'other reason')}; --failed shows all failed trials"


def _varying(views: Sequence[TrialView], sweep: StoredSweep) -> list[str]:
    """Return the columns of the parameters that take more than one value."""
    present: Mapping[str, None] = dict.fromkeys(column for view in views for column in view.parameters)
    known = [f"config/{name.replace('.', '/')}" for name in sweep.varying]
    chosen = [column for column in known if column in present]
    if not chosen:  # It varies in nothing, or has no configuration of its own.
        chosen = [column for column in present if column.startswith("config/")]
    return [*chosen, *(column for column in present if column.startswith("params/"))]


def _metrics(views: Sequence[TrialView], sweep: StoredSweep) -> list[str]:
    names: dict[str, None] = {}
    for view in views:
        for column in view.metric_columns:
            if column not in AUTO_METRICS and isinstance(view.value(column), (bool, int, float, str)):
                names[column] = None
    goals = {goal.metric for goal in goals_of(sweep)}
    judged = [name for name in names if name in goals]
    return [*judged, *(name for name in names if name not in judged)][:_MOST_METRICS]


def _priority(column: str, sweep: StoredSweep, varying: set[str]) -> int:
    if column in varying:
        return 85
    if column in {goal.metric for goal in goals_of(sweep)}:
        return 88
    return {"name": 100, "state": 90, "best": 89, "feasible": 86, _ITERATION: 70, _TOTAL_TIME: 60, "error": 25}.get(
        column, 30
    )


def _keys(views: Sequence[TrialView]) -> list[str]:
    """Return what stands for names that do not fit: the first digits of keys, which a trial is found by."""
    return short_keys([view.row.key for view in views])


def short_keys(keys: Sequence[str]) -> list[str]:
    """Return the first digits of keys, by which trials are found; all of them where two begin alike."""
    counts = Counter(key[:_DIGITS] for key in keys)
    return [key if counts[key[:_DIGITS]] > 1 else key[:_DIGITS] for key in keys]
