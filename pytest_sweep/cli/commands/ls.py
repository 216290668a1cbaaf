"""``pytest-sweep ls``: the runs that there are, the newest first."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from itertools import islice

from pytest_sweep.cli.arguments import add_selection, columns_of, least_priority, limit_of
from pytest_sweep.cli.conditions import Where, sorted_rows
from pytest_sweep.cli.context import Context
from pytest_sweep.cli.errors import Status
from pytest_sweep.cli.run_rows import PRIORITIES, SHOWN, RunRow
from pytest_sweep.reporting.table import Cells
from pytest_sweep.reporting.text import counted
from pytest_sweep.results.errors import TagsError
from pytest_sweep.store import found_runs, lost_runs, newest_runs
from pytest_sweep.store.losses import lost_database

_MOST_LOST = 5
_OF_ALL = (*PRIORITIES, "finished", "dirty", "size", "path")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_selection(parser, "runs", "best", "ERROR > 0")


def run(options: argparse.Namespace, context: Context) -> int:
    """List the runs."""
    rows, count, found = _selected(options, context)
    output = context.output
    limit = limit_of(options)
    shown = list(rows if limit is None else islice(rows, limit))
    if options.json:
        output.json(
            {"command": "ls", "results_dir": str(context.results_dir), "runs": (row.as_json() for row in shown)}
        )
        return Status.OK
    lost = _note_lost(context)
    if not shown and lost and not found:
        return Status.OK
    if not shown:
        what = (
            "no run meets the condition"
            if options.where and found
            else "there is no run yet: make one with pytest --sweep"
        )
        output.note(f"{context.results_dir}: {what}")
        return Status.OK
    columns = columns_of(options, lambda: shown) or list(PRIORITIES if output.is_terminal else _OF_ALL)
    output.table(_cells(shown, columns, least_priority(options)))
    for row in shown:
        if (remark := row.remark) is not None:
            output.note(remark)
    if len(shown) < count:
        output.note(f"{len(shown)} of {counted(count, 'run')}; --limit 0 shows all")
    return Status.OK


def _selected(options: argparse.Namespace, context: Context) -> tuple[Iterable[RunRow], int, int]:
    """Return the rows in their order, how many meet the condition, and how many runs there are.

    No more rows are made than are asked for.
    """
    try:
        tags = context.tags.by_run()
    except TagsError as error:  # What is wrong with the file of tags hides no run.
        context.output.note(str(error))
        tags = {}
    folders = found_runs(context.results_dir)
    if not options.where and not options.sort and limit_of(options) is not None:
        # No more databases are opened than it takes to know the newest ones.
        return (
            (RunRow(folder, tags.get(folder.name, ())) for folder in newest_runs(context.results_dir)),
            len(folders),
            len(folders),
        )
    made = [RunRow(folder, tags.get(folder.name, ())) for folder in folders]
    if not options.columns:
        for row in made:
            _ = row.sweeps  # First: the database is opened once for all that is shown of it.
    made.sort(key=lambda row: (row.started, row.folder.name), reverse=True)
    rows = list(Where(options.where).select(made) if options.where else made)
    return sorted_rows(rows, options.sort) if options.sort else rows, len(rows), len(made)


def _note_lost(context: Context) -> int:
    """Say which runs are not listed, because they have lost their databases, and return how many there are."""
    lost = sorted(lost_runs(context.results_dir), reverse=True)
    for folder in lost[:_MOST_LOST]:
        context.output.note(str(lost_database(folder)))
    if len(lost) > _MOST_LOST:
        context.output.note(f"... and {counted(len(lost) - _MOST_LOST, 'further run')} that have no database any more")
    return len(lost)


def _cells(rows: Sequence[RunRow], columns: Sequence[str], least: int) -> list[Cells]:
    cells = []
    for column in columns:
        values = [row.value(column) for row in rows]
        shown = SHOWN.get(column)
        cells.append(
            Cells(column, values if shown is None else list(map(shown, values)), max(PRIORITIES.get(column, 20), least))
        )
    return cells
