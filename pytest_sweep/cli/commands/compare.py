"""``pytest-sweep compare``: what has changed from one run to another, trial by trial."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_sweep.cli.arguments import add_run, add_selection, columns_of, least_priority, limit_of
from pytest_sweep.cli.comparison import PairRow, SweepComparison, compare_sweeps
from pytest_sweep.cli.conditions import Where, sorted_rows
from pytest_sweep.cli.context import Context
from pytest_sweep.cli.errors import Status, UsageError
from pytest_sweep.cli.made_by import MadeBy, made_by
from pytest_sweep.cli.run_rows import RunRow
from pytest_sweep.cli.showing import short_keys
from pytest_sweep.cli.times import time_text
from pytest_sweep.cli.verdicts import BASIS, Verdict, judge
from pytest_sweep.reporting.table import Cells
from pytest_sweep.reporting.text import cell_text, counted
from pytest_sweep.store import RunScan

_ORDER = ("newly failed", "worse", "fixed", "better", "new", "lost", "not compared", "same")
_OF_TERMINAL = ("name", "status", "base", "run", "change", "change_percent", "base_state", "state")
_PRIORITIES = {
    "name": 100,
    "status": 90,
    "run": 89,
    "base": 88,
    "change_percent": 70,
    "change": 60,
    "state": 50,
    "base_state": 45,
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = f"Exit status 1 if the later run is worse. {BASIS}"
    add_run(parser, "base", "last~1")
    add_run(parser)
    parser.add_argument("--metric", metavar="NAME", help="another metric than that of the sweeps; with --mode")
    parser.add_argument("--mode", choices=("min", "max"), help="which values of --metric are better")
    add_selection(parser, "trials of each sweep", "change", "status == 'worse' and change_percent > 5")


def run(options: argparse.Namespace, context: Context) -> int:
    """Compare both runs."""
    if (options.metric is None) is not (options.mode is None):
        raise UsageError("--metric and --mode go together: --metric accuracy --mode max")
    base, later = context.find(options.base), context.find(options.run)
    with RunScan(base) as base_scan, RunScan(later) as scan:
        sweeps = list(compare_sweeps(base_scan, scan, options.metric, options.mode))
        both = {
            pair.now.row.key: its.sweep.id
            for its in sweeps
            for pair in its.pairs
            if pair.base is not None and pair.now is not None
        }
        made = made_by(base_scan, scan, both)
        verdict = judge(sweeps)
        shown, count = _shown(options, sweeps)
        status = Status.WORSE if verdict.is_worse else Status.OK
        output = context.output
        if options.json:
            output.json({
                "command": "compare", "base": base.name, "run": later.name, "verdict": verdict.word, "reasons": list(verdict.reasons),
                "basis": BASIS, "changes": made.as_json(), "sweeps": [_as_json(its) for its in sweeps], "count": count,
                "trials": (row.pair.as_json() for rows in shown for row in rows),
            })  # fmt: skip
            return status
        _show(options, context, (base, later), Outcome(sweeps, made, verdict, shown, count))
    return status


@dataclass(frozen=True)
class Outcome:
    """What came out of a comparison, and what of it is shown."""

    sweeps: Sequence[SweepComparison]
    made: MadeBy
    verdict: Verdict
    shown: Sequence[Sequence[PairRow]]
    count: int


def _show(options: argparse.Namespace, context: Context, folders: tuple[Path, Path], its: Outcome) -> None:
    output = context.output
    for title, folder in zip(("Base", "Run"), folders, strict=True):
        row = RunRow(folder)
        output.line(f"{title}: {folder.name} ({row.status}, began {time_text(row.started)})")
    output.lines(its.made.lines())
    asked = columns_of(options, [row for rows in its.shown for row in rows])
    for sweep, rows in zip(its.sweeps, its.shown, strict=True):
        output.line()
        output.line(_sweep_line(sweep), "bold")
        output.line(_best_line(sweep))
        columns = asked or (_OF_TERMINAL if output.is_terminal else _all_columns(rows))
        output.table(_cells(rows, columns, least_priority(options)))
    left = its.count - sum(map(len, its.shown))
    if left:
        output.line(f"... {counted(left, 'more trial')} not shown; --limit 0 shows all", "dim")
    output.line()
    output.line(f"Verdict: {its.verdict.word}", {"worse": "red", "better": "green"}.get(its.verdict.word))
    output.lines([*(f"  {reason}" for reason in its.verdict.reasons), BASIS])


def _shown(options: argparse.Namespace, sweeps: Sequence[SweepComparison]) -> tuple[list[list[PairRow]], int]:
    """Return the rows of each sweep that are shown, and how many there are."""
    rows = [PairRow(pair) for its in sweeps for pair in its.pairs]
    if options.where:
        rows = list(Where(options.where).select(rows))
    if options.sort:
        rows = sorted_rows(rows, options.sort)
    else:
        rows.sort(key=lambda row: (_ORDER.index(row.pair.status), -abs(row.pair.percent or 0.0)))
    limit = limit_of(options)
    of_sweep = {
        its.sweep.id: [row for row in rows if row.pair.view.row.sweep_id == its.sweep.id][:limit] for its in sweeps
    }
    return list(of_sweep.values()), len(rows)


def _sweep_line(its: SweepComparison) -> str:
    counts = {status: len(its.of_status(status)) for status in _ORDER}
    return (
        f"{its.sweep.id}: {', '.join(f'{count} {status}' for status, count in counts.items() if count) or 'no trials'}"
    )


def _best_line(its: SweepComparison) -> str:
    if its.goal is None:
        return "The sweep has no metric: name one with --metric and --mode"
    was, now = ("none" if best is None else cell_text(best.value) for best in (its.best_before, its.best))
    return f"Best {its.goal.metric} ({its.goal.mode}): {was}, now {now}"


def _all_columns(rows: Sequence[PairRow]) -> list[str]:
    columns = dict.fromkeys(column for row in rows for column in row.columns())
    return list(columns)


def _cells(rows: Sequence[PairRow], columns: Sequence[str], least: int) -> list[Cells]:
    return [
        Cells(
            column,
            [row.cell(column) for row in rows],
            max(_PRIORITIES.get(column, 40), least),
            (lambda: short_keys([row.pair.view.row.key for row in rows])) if column == "name" else None,
        )
        for column in columns
    ]


def _as_json(its: SweepComparison) -> dict[str, object]:
    return {
        "id": its.sweep.id,
        "name": its.sweep.name,
        "metric": None if its.goal is None else its.goal.metric,
        "mode": None if its.goal is None else its.goal.mode,
        "best_base": None if its.best_before is None else its.best_before.value,
        "best": None if its.best is None else its.best.value,
        "statuses": {status: len(found) for status in _ORDER if (found := its.of_status(status))},
    }
