"""What is said when a run has ended: all trials, the best ones, the failures, and what was not run."""

from __future__ import annotations

import collections
import heapq
from collections.abc import Sequence

from pytest_sweep.model import Sweep, Trial, TrialState
from pytest_sweep.model.spread import Spread
from pytest_sweep.reporting.columns import Column, default_columns, short_label
from pytest_sweep.reporting.progress import Progress, TrialProgress, failed_of
from pytest_sweep.reporting.replicates import ConfigurationProgress, complete, configurations
from pytest_sweep.reporting.rows import best_first, final_rows, judged_value, not_shown_line
from pytest_sweep.reporting.table import trial_table
from pytest_sweep.reporting.text import cell_text, counted, cut_end, cut_middle, text_width
from pytest_sweep.space import flatten

_MOST_ERRORS = 20
_MOST_REASONS = 5


def final_table(progress: Progress, width: int | None = None, columns: Sequence[Column] | None = None) -> str:
    """Return the table of up to 20 trials, the best of each sweep first, and below it how many are left out; empty without trials.

    Trials without a usable metric come after those that have one, failed ones before others; else collection order holds. Where
    any configuration has replicates, a row stands for a configuration, and its numbers are means over those that ended well.
    """
    rows = configurations(progress)
    entries = [complete(entry) for entry in final_rows(rows)]
    if not entries:
        return ""
    table = trial_table(entries, default_columns(progress) if columns is None else columns, width)
    left_out = not_shown_line(progress, entries, len(rows) if len(rows) < len(progress) else None)
    return "\n".join(line for line in (table, left_out) if line)


def best_lines(progress: Progress) -> list[str]:
    """Return a line on the best trial of each sweep that has a metric, and one that says so where no trial has a value of it.

    Where a configuration of the sweep has replicates, it is the configuration whose mean is best.
    """
    best: dict[str, tuple[tuple[float, int], TrialProgress]] = {}
    replicated: set[str] = set()
    for entry in configurations(progress):
        if isinstance(entry, ConfigurationProgress):
            replicated.add(entry.trial.sweep.id)
        value = judged_value(entry)
        if value is None:
            continue
        place, sweep = best_first(entry, value), entry.trial.sweep.id
        if sweep not in best or place < best[sweep][0]:
            best[sweep] = (place, entry)
    return [
        (_best_configuration if sweep.id in replicated else _best_trial)(
            progress, sweep, best[sweep.id][1] if sweep.id in best else None
        )
        for sweep in progress.sweeps()
        if sweep.metric is not None
    ]


def error_lines(progress: Progress, width: int | None = None) -> list[str]:
    """Return a line for each of the first 20 trials that failed: the last line of its error; and how many more there are."""
    failed = heapq.nsmallest(_MOST_ERRORS, progress.in_state(TrialState.ERROR), key=lambda entry: entry.index)
    lines = [_error_line(progress, entry, width) for entry in failed]
    more = progress.counts().get(TrialState.ERROR, 0) - len(failed)
    if more:
        lines.append(f"... {counted(more, 'more failed trial')} not shown")
    return lines


def interrupted_line(progress: Progress) -> str:
    """Return how many trials were begun and cut off, and why; empty where none was."""
    return _reasons_line(progress, TrialState.INTERRUPTED, "cut off")


def not_run_line(progress: Progress) -> str:
    """Return how many trials were not run, and why; empty where all were."""
    return _reasons_line(progress, TrialState.NOT_RUN, "not run")


def _reasons_line(progress: Progress, state: TrialState, what: str) -> str:
    reasons = collections.Counter(entry.reason for entry in progress.in_state(state))
    number = reasons.total()
    if not number:
        return ""
    causes = [
        f"{cell_text(reason)} ({times})" if len(reasons) > 1 else cell_text(reason)
        for reason, times in reasons.most_common(_MOST_REASONS)
    ]
    if len(reasons) > _MOST_REASONS:
        causes.append(f"and {counted(len(reasons) - _MOST_REASONS, 'other reason')}")
    return f"{counted(number, 'trial')} {'was' if number == 1 else 'were'} {what}: {', '.join(causes)}"


def flaky_line(progress: Progress) -> str:
    """Return how many trials passed only at a later attempt, and the first of them; empty where none did."""
    passed = (entry for state in (TrialState.TERMINATED, TrialState.STOPPED) for entry in progress.in_state(state))
    flaky = sorted((entry for entry in passed if entry.attempt > entry.first_attempt), key=lambda entry: entry.index)
    if not flaky:
        return ""
    named = ", ".join(f"{progress.label(entry.trial)} (attempt {entry.attempt})" for entry in flaky[:_MOST_REASONS])
    more = f" and {len(flaky) - _MOST_REASONS} more" if len(flaky) > _MOST_REASONS else ""
    return f"{counted(len(flaky), 'flaky trial')}, passed at a later attempt: {named}{more}"


def tolerated_lines(progress: Progress) -> list[str]:
    """Return a line for each sweep that tolerates failures and has some: whether they are few enough."""
    lines = []
    for sweep, counts in progress.counts_by_sweep():
        failed, ran = failed_of(counts)
        if sweep.tolerate and failed:
            limit = f"{sweep.tolerate:g}" if sweep.tolerate >= 1 else f"{100 * sweep.tolerate:g}%"
            few = sweep.tolerates(failed, ran)
            verdict = f"which is tolerated (tolerate={limit})" if few else f"more than tolerate={limit}"
            lines.append(f"{progress.sweep_label(sweep)}: {failed} of {counted(ran, 'trial')} failed, {verdict}")
    return lines


def excluded_line(address: str, cause: str) -> str:
    """Return what is said of a node on which no worker can be started."""
    return f"node {address} is not used: {cause}"


def _best_trial(progress: Progress, sweep: Sweep, entry: TrialProgress | None) -> str:
    name = progress.sweep_label(sweep)
    if entry is None:
        return f"Best trial of {name}: none, because no trial ended well with a finite {sweep.metric}"
    value = cell_text(judged_value(entry))
    line = f"Best trial of {name}: {progress.label(entry.trial)} with {sweep.metric}={value} ({sweep.mode})"
    if entry.iteration is not None:
        line += f" after {counted(entry.iteration, 'iteration')}"
    return line + _varying(entry.trial)


def _best_configuration(progress: Progress, sweep: Sweep, entry: TrialProgress | None) -> str:
    name = progress.sweep_label(sweep)
    if entry is None:
        mean = f"finite mean of {sweep.metric} over its trials that ended well"
        return f"Best configuration of {name}: none, because no configuration has a {mean}"
    value, total = judged_value(entry), len(entry.states)
    count = value.count if isinstance(value, Spread) else 1
    of = counted(total, "trial") if count == total else f"{count} of {counted(total, 'trial')}"
    goal = f"{sweep.mode}, mean of {of}" if count > 1 else f"{sweep.mode}, {of}"
    label = progress.label(entry.trial)
    line = f"Best configuration of {name}: {label} with {sweep.metric}={cell_text(value)} ({goal})"
    return line + _varying(entry.trial)


def _varying(trial: Trial) -> str:
    config = flatten(trial.config)
    shown = ", ".join(f"{key}={_parameter_text(config[key])}" for key in trial.sweep.varying if key in config)
    return f"; config: {shown}" if shown else ""


def _parameter_text(value: object) -> str:
    # A parameter in full, however long: it is what somebody will type in next.
    return repr(value) if isinstance(value, float) else cell_text(value)


def _error_line(progress: Progress, entry: TrialProgress, width: int | None) -> str:
    attempts = f" ({entry.attempt} attempts)" if entry.attempt > 1 else ""
    lines = [line.strip() for line in (entry.error or "").splitlines() if line.strip()]
    text = f"{attempts}: {cell_text(lines[-1]) if lines else 'failed, and left no message'}"
    label = progress.label(entry.trial)
    if width is None or text_width(label + text) <= width:
        return label + text
    # Half of the line belongs to the error: a name that fills it all would say only what is known.
    label = cut_middle(short_label(progress, entry.trial), max(width // 2, width - text_width(text)))
    return cut_end(label + text, width)
