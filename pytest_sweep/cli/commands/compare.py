"""``pytest-sweep compare``: what has changed from one run to another, trial by trial."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_sweep.cli.arguments import add_run, add_selection, columns_of, least_priority, limit_of
from pytest_sweep.cli.bests import Best
from pytest_sweep.cli.comparison import PairRow, SweepComparison, check_metric, compare_sweeps
from pytest_sweep.cli.conditions import Where, sorted_rows
from pytest_sweep.cli.context import Context
from pytest_sweep.cli.errors import Status, UsageError
from pytest_sweep.cli.made_by import MadeBy, made_by
from pytest_sweep.cli.run_rows import RunRow
from pytest_sweep.cli.showing import short_keys
from pytest_sweep.cli.times import time_text
from pytest_sweep.cli.trial_rows import TrialView
from pytest_sweep.cli.verdicts import BASIS, Verdict, judge, not_compared
from pytest_sweep.reporting.table import Cells
from pytest_sweep.reporting.text import cell_text, counted
from pytest_sweep.store import RunScan

_ORDER = ("newly failed", "worse", "fixed", "better", "new", "lost", "not compared", "same")
_STATUSES = {"worse": Status.WORSE, "not compared": Status.NO_RUN}
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
    parser.epilog = f"Exit status 1 if the later run is worse, 3 if nothing could be compared. {BASIS}"
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
        if options.metric is not None:
            check_metric(base_scan, scan, options.metric)
        sweeps = list(compare_sweeps(base_scan, scan, options.metric, options.mode))
        made = made_by(base_scan, scan, sweeps)
        verdict = judge(sweeps)
        asked = columns_of(options, lambda: (PairRow(pair) for its in sweeps for pair in its.pairs))
        shown, count = _shown(options, sweeps)
        status = _STATUSES.get(verdict.word, Status.OK)
        output = context.output
        if options.json:
            output.json({
                "command": "compare", "base": base.name, "run": later.name, "verdict": verdict.word, "reasons": list(verdict.reasons),
                "compared": verdict.compared, "not_compared": verdict.trials - verdict.compared,
                "basis": BASIS, "changes": made.as_json(), "sweeps": [_as_json(its) for its in sweeps], "count": count,
                "trials": (row.pair.as_json() for rows in shown for row in rows),
            })  # fmt: skip
            return status
        _show(options, context, (base, later), Outcome(sweeps, made, verdict, shown, count, asked))
    return status


@dataclass(frozen=True)
class Outcome:
    """What came out of a comparison, and what of it is shown."""

    sweeps: Sequence[SweepComparison]
    made: MadeBy
    verdict: Verdict
    shown: Sequence[Sequence[PairRow]]
    count: int
    asked: Sequence[str] | None


def _show(options: argparse.Namespace, context: Context, folders: tuple[Path, Path], its: Outcome) -> None:
    output = context.output
    for title, folder in zip(("Base", "Run"), folders, strict=True):
        row = RunRow(folder)
        output.line(f"{title}: {folder.name} ({row.status}, began {time_text(row.started)})")
    output.lines(its.made.lines())
    for sweep, rows in zip(its.sweeps, its.shown, strict=True):
        output.line()
        output.line(_sweep_line(sweep), "bold")
        output.lines(_best_lines(sweep))
        columns = its.asked or (_OF_TERMINAL if output.is_terminal else _all_columns(rows))
        output.table(_cells(rows, columns, least_priority(options)))
    left = its.count - sum(map(len, its.shown))
    if left:
        output.line(f"... {counted(left, 'more trial')} not shown; --limit 0 shows all", "dim")
    output.line()
    output.line(f"Verdict: {its.verdict.word}", {"worse": "red", "better": "green"}.get(its.verdict.word, "yellow"))
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


def _best_lines(its: SweepComparison) -> Iterator[str]:
    if its.goal is None:
        yield "The sweep has no metric: name one with --metric and --mode"
    for goal, *bests in its.bests:
        was, now = ("none" if best is None else cell_text(best.value) for best in bests)
        yield f"Best {goal.metric} ({goal.mode}): {was}, now {now}"
    if len(its.bests) > 1:
        was, now = ("none" if marks.front is None else str(len(marks.front)) for marks in its.marks)
        yield f"Trials that none beats in all metrics: {was}, now {now}"
    if its.sweep.feasible:
        was, now = (_feasible(pairs) for pairs in ([pair.base for pair in its.pairs], [pair.now for pair in its.pairs]))
        yield f"Trials that meet {' and '.join(its.sweep.feasible)}: {was}, now {now}"
    if (rest := not_compared(its)) is not None:
        yield rest


def _feasible(views: Iterable[TrialView | None]) -> str:
    known = [view.value("feasible") for view in views if view is not None and view.row.metrics is not None]
    return f"{sum(map(bool, known))} of {len(known)}"


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
        "objectives": [
            {"metric": goal.metric, "mode": goal.mode, "best_base": _value(before), "best": _value(best)}
            for goal, before, best in its.bests
        ],
        "other_configurations": its.others,
        "statuses": {status: len(found) for status in _ORDER if (found := its.of_status(status))},
    }


def _value(best: Best | None) -> float | None:
    return None if best is None else best.value
