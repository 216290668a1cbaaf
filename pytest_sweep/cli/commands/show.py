"""``pytest-sweep show``: a run with its trials, or one trial with all that is known of it."""

from __future__ import annotations

import argparse

from pytest_sweep.cli.arguments import add_run, add_selection, columns_of, least_priority, limit_of
from pytest_sweep.cli.bests import SweepSummary, best_judged, goal_of
from pytest_sweep.cli.context import Context
from pytest_sweep.cli.errors import Status, UsageError
from pytest_sweep.cli.marks import NO_MARKS, all_marks, marks_of
from pytest_sweep.cli.run_rows import RunRow
from pytest_sweep.cli.showing import (
    best_lines,
    default_columns,
    failure_lines,
    front_keys,
    run_lines,
    sweep_line,
    trial_cells,
)
from pytest_sweep.cli.trial_rows import TrialView
from pytest_sweep.cli.trials import Selection, find_sweeps, find_trial, select, views
from pytest_sweep.reporting.text import counted
from pytest_sweep.store import RunScan


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_run(parser)
    parser.add_argument(
        "trial",
        nargs="?",
        metavar="TRIAL",
        help="one trial: its name or a part of it, its node id, or the first digits of its key",
    )
    add_selection(parser, "trials of each sweep", "loss", "lr < 0.1 and state == 'ERROR'")
    parser.add_argument("--failed", action="store_true", help="only trials that failed")
    parser.add_argument(
        "--sweep", action="append", metavar="NAME", help="only this sweep: its name or node id (repeatable)"
    )
    parser.add_argument("--log", action="store_true", help="of TRIAL also what it has printed, for each attempt")


def run(options: argparse.Namespace, context: Context) -> int:
    """Show the run, or the trial."""
    folder = context.find(options.run)
    row = RunRow(folder, context.tags_of(folder))
    with RunScan(folder) as scan:
        if options.trial is not None:
            return _show_trial(options, context, scan)
        if options.log:
            raise UsageError("--log shows what one trial has printed: name it after the run")
        return _show_run(options, context, scan, row)


def _show_run(options: argparse.Namespace, context: Context, scan: RunScan, row: RunRow) -> int:
    output = context.output
    sweeps = find_sweeps(scan, options.sweep)
    counts = scan.counts()
    goals = {sweep.id: goal for sweep in sweeps if (goal := goal_of(sweep)) is not None}
    judged = {sweep: scan.judged(sweep, goal) for sweep, goal in goals.items()}
    bests = {
        sweep.id: best_judged(judged[sweep.id], goals[sweep.id], whole=bool(sweep.average_over))
        for sweep in sweeps
        if sweep.id in goals
    }
    marks = all_marks(scan, sweeps)
    row.sweeps = [
        SweepSummary(sweep, counts[sweep.id], bests.get(sweep.id), front_keys(scan, marks[sweep.id]))
        for sweep in sweeps
    ]
    chosen = Selection(marks, options.where, options.sort, options.failed, limit_of(options))
    found = select(scan, sweeps, judged, chosen)
    asked = columns_of(options, lambda: views(scan.trials(), None, failed=False, marks=marks))
    if options.json:
        trials = (view.as_json() for one in found for view in one.shown)
        count = sum(one.count for one in found)
        output.json({"command": "show", "run": row.as_json(), "count": count, "trials": trials})
        return Status.OK
    output.lines(run_lines(row))
    for one in found:
        sweep, shown, count = one.sweep, one.shown, one.count
        output.line()
        output.line(sweep_line(sweep, counts[sweep.id]), "bold")
        output.lines(best_lines(scan, sweep, bests.get(sweep.id), marks[sweep.id]))
        columns = asked or default_columns(shown, sweep, all_columns=not output.is_terminal)
        output.table(trial_cells(shown, columns, sweep, least_priority(options)))
        if len(shown) < count:
            output.line(f"... {counted(count - len(shown), 'more trial')} not shown; --limit 0 shows all", "dim")
        elif not count:
            output.line("no trial meets the condition" if options.where or options.failed else "no trials")
    if not options.where and not options.failed:
        output.lines(failure_lines(scan, {sweep.id for sweep in sweeps}, output.width), cut=True)
    return Status.OK


def _show_trial(options: argparse.Namespace, context: Context, scan: RunScan) -> int:
    if options.where or options.sort or options.failed or options.sweep or options.columns:
        raise UsageError(
            "--where, --sort, --columns, --failed and --sweep choose among the trials of a run: leave them out with TRIAL"
        )
    from pytest_sweep.cli.trial_details import trial_document, trial_lines

    row = find_trial(scan, options.trial)
    sweep = next((sweep for sweep in scan.sweeps if sweep.id == row.sweep_id), None)
    view = TrialView(row, NO_MARKS if sweep is None else marks_of(scan, sweep))
    if options.json:
        context.output.json({"command": "show", "run": scan.folder.name, **trial_document(scan, view)})
    else:
        trial_lines(context.output, scan, view, log=options.log)
    return Status.OK
