"""What is said when a run has ended: all trials, the best ones, the failures, and what was not run."""

from __future__ import annotations

import collections
from collections.abc import Callable, Sequence

from pytest_sweep.model import Sweep, Trial, TrialState
from pytest_sweep.model.spread import Spread
from pytest_sweep.reporting.best import best_entries, conditions_text, feasible_text, judged_value, missing_metrics
from pytest_sweep.reporting.columns import varying_params
from pytest_sweep.reporting.entry import TrialProgress
from pytest_sweep.reporting.front import front_line, fronts
from pytest_sweep.reporting.progress import Progress, failed_of
from pytest_sweep.reporting.replicates import (
    ConfigurationProgress,
    complete,
    configurations,
    has_gaps,
    with_value,
)
from pytest_sweep.reporting.rows import final_rows, not_shown_line
from pytest_sweep.reporting.tables import ColumnsOf, tables
from pytest_sweep.reporting.text import LONGEST_VALUE, cell_text, counted, cut_middle, name_text, text_width
from pytest_sweep.space import flatten

_MOST_REASONS = 5
_MOST_NAMES = 20


def final_table(progress: Progress, width: int | None = None, columns_of: ColumnsOf | None = None) -> str:
    """Return tables of up to 20 trials, the best of each sweep first, and below them how many are left out; empty without trials.

    Trials without a usable metric come after those that have one, failed ones before others; else collection order holds. Where
    any configuration has replicates, a row stands for a configuration, and its numbers are means over those that ended well.

    Args:
        progress: what is known of the trials.
        width: of the terminal, in characters; None is no limit.
        columns_of: returns the columns of a table; None takes `default_columns`.
    """
    rows = configurations(progress)
    entries = [complete(entry) for entry in final_rows(rows)]
    left_out = not_shown_line(progress, entries, len(rows) if len(rows) < len(progress) else None)
    drawn = "\n".join(tables(progress, entries, columns_of, width))
    return "\n".join(line for line in (drawn, left_out, _hint(progress, entries, drawn)) if line)


def best_lines(progress: Progress) -> list[str]:
    """Return a line on the best trial of each sweep that has a metric, and one that says so where no trial has a value of it.

    Of a sweep with several metrics it names those trials that none beats (the Pareto front).
    Where a configuration of the sweep has replicates, it is the configuration whose mean is best. A sweep of which `missing_metric_lines`
    says what is wrong has no line.
    """
    missing, several = {its.sweep.id for its in missing_metrics(progress)}, fronts(progress)
    return [
        front_line(progress, sweep, several[sweep.id])
        if sweep.id in several
        else (_best_configuration if has_replicates else _best_trial)(progress, sweep, entry)
        for sweep, entry, has_replicates in best_entries(progress)
        if sweep.id not in missing
    ]


def gaps_lines(progress: Progress) -> list[str]:
    """Return a line for each sweep that averages over something and has configurations that lack trials with a value."""
    found: dict[str, list[ConfigurationProgress]] = {}
    for entry in configurations(progress):
        if isinstance(entry, ConfigurationProgress) and has_gaps(entry):
            found.setdefault(entry.trial.sweep.id, []).append(entry)
    lines = []
    for entries in found.values():
        sweep = entries[0].trial.sweep
        named = [
            f"{progress.label(entry.trial)} ({with_value(entry)} of {len(entry.replicates)})"
            for entry in entries[:_MOST_REASONS]
        ]
        more = [f"and {len(entries) - _MOST_REASONS} more"] if len(entries) > _MOST_REASONS else []
        lines.append(
            f"{progress.sweep_label(sweep)}: {counted(len(entries), 'configuration')} not judged, because not all trials ended well with "
            f"a value of {name_text(sweep.metric)}: {', '.join([*named, *more])}"
        )
    return lines


def missing_metric_lines(progress: Progress) -> list[str]:
    """Return a line for each sweep whose metric no trial has reported as a number, although some trial has ended well."""
    return [
        f"{progress.sweep_label(sweep)}: no trial reported a number as '{name_text(metric)}': it was {' or '.join(kinds)}"
        if kinds
        else f"{progress.sweep_label(sweep)}: no trial reported '{name_text(metric)}'; reported: {_listed(names)}"
        for sweep, metric, names, kinds in missing_metrics(progress)
    ]


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


def flaky_line(progress: Progress, width: int | None = None) -> str:
    """Return how many trials passed only at a later attempt, and the first of them; empty if none did.

    Where the line is wider than `width`, digits of keys stand for names that take more than half of it.
    """
    passed = (entry for state in (TrialState.TERMINATED, TrialState.STOPPED) for entry in progress.in_state(state))
    flaky = sorted((entry for entry in passed if entry.attempt > entry.first_attempt), key=lambda entry: entry.index)
    if not flaky:
        return ""
    more = f" and {len(flaky) - _MOST_REASONS} more" if len(flaky) > _MOST_REASONS else ""

    def line(label: Callable[[Trial], str]) -> str:
        named = ", ".join(f"{label(entry.trial)} (attempt {entry.attempt})" for entry in flaky[:_MOST_REASONS])
        return f"{counted(len(flaky), 'flaky trial')}, passed at a later attempt: {named}{more}"

    whole = line(progress.label)
    if width is None or text_width(whole) <= width:
        return whole
    return line(lambda trial: _fitting(progress, trial, width // 2))


def _fitting(progress: Progress, trial: Trial, width: int) -> str:
    label = progress.label(trial)
    return label if text_width(label) <= width else progress.short_name(trial)


def tolerated_lines(progress: Progress) -> list[str]:
    """Return a line for each sweep that tolerates failures and has some: whether they are few enough."""
    lines = []
    for sweep, counts in progress.counts_by_sweep():
        failed, ran = failed_of(counts)
        if sweep.tolerate and failed:
            limit = f"{sweep.tolerate:g}" if sweep.tolerate >= 1 else f"{float(100 * sweep.tolerate):g}%"
            few = sweep.tolerates(failed, ran)
            verdict = f"which is tolerated (tolerate={limit})" if few else f"more than tolerate={limit}"
            lines.append(f"{progress.sweep_label(sweep)}: {failed} of {counted(ran, 'trial')} failed, {verdict}")
    return lines


def excluded_line(address: str, cause: str) -> str:
    """Return what is said of a node on which no worker can be started."""
    return f"node {address} is not used: {cause}"


def _hint(progress: Progress, entries: Sequence[TrialProgress], drawn: str) -> str:
    """Return what to do with the digits that stand for names that do not fit; empty where none do."""
    for entry in entries:
        digits = progress.short_label(entry.trial)
        if digits in drawn and progress.label(entry.trial) not in drawn:
            what = "configuration" if isinstance(entry, ConfigurationProgress) else "trial"
            return f"A name that does not fit is shown as the first digits of its {what}'s key; -k {digits} selects that {what}."
    return ""


def _best_trial(progress: Progress, sweep: Sweep, entry: TrialProgress | None) -> str:
    name = progress.sweep_label(sweep)
    if entry is None:
        which = f"no trial{feasible_text(sweep)}"
        return f"Best trial of {name}: none, because {which} ended well with a finite {name_text(sweep.metric)}"
    value = cell_text(judged_value(entry))
    line = f"Best trial of {name}: {progress.label(entry.trial)} with {name_text(sweep.metric)}={value} ({sweep.mode})"
    if entry.iteration is not None:
        line += f" after {counted(entry.iteration, 'iteration')}"
    return line + _varying(progress, entry.trial)


def _best_configuration(progress: Progress, sweep: Sweep, entry: TrialProgress | None) -> str:
    name = progress.sweep_label(sweep)
    if entry is None:
        which = (
            "all its trials"
            if sweep.average_over
            else f"its trials that meet {conditions_text(sweep)} and ended well"
            if sweep.feasible
            else "its trials that ended well"
        )
        mean = f"finite mean of {name_text(sweep.metric)} over {which}"
        return f"Best configuration of {name}: none, because no configuration has a {mean}"
    value, total = judged_value(entry), len(entry.states)
    count = value.count if isinstance(value, Spread) else 1
    of = counted(total, "trial") if count == total else f"{count} of {counted(total, 'trial')}"
    goal = f"{sweep.mode}, mean of {of}" if count > 1 else f"{sweep.mode}, {of}"
    label = progress.label(entry.trial)
    line = f"Best configuration of {name}: {label} with {name_text(sweep.metric)}={cell_text(value)} ({goal})"
    return line + _varying(progress, entry.trial)


def _varying(progress: Progress, trial: Trial) -> str:
    config = flatten(trial.config)
    values = {key: config[key] for key in trial.sweep.varying if key in config}
    for name, value in varying_params(progress, trial).items():
        values.setdefault(name, value)
    shown = ", ".join(f"{name_text(key)}={_parameter_text(value)}" for key, value in values.items())
    return f"; config: {shown}" if shown else ""


def _parameter_text(value: object) -> str:
    # With all digits: it is what somebody will type in next.
    return cut_middle(repr(value) if isinstance(value, float) else cell_text(value), LONGEST_VALUE)


def _listed(names: Sequence[str]) -> str:
    more = [f"and {len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
    return ", ".join([*map(name_text, names[:_MOST_NAMES]), *more]) or "nothing"
