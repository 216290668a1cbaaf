"""Arguments that several sub-commands share, and what they mean."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable

from pytest_sweep.cli.conditions import canonical
from pytest_sweep.cli.errors import UsageError
from pytest_sweep.cli.rows import Row

_LIMIT = 20


def add_run(parser: argparse.ArgumentParser, name: str = "run", default: str | None = "last") -> None:
    """Add the argument that names a run."""
    what = "a name or a part of it, last, last~2, running, a tag, or a path"
    parser.add_argument(
        name, nargs=None if default is None else "?", default=default, metavar=name.upper(),
        help=what if default is None else f"{what}; default {default}",
    )  # fmt: skip


def add_selection(parser: argparse.ArgumentParser, what: str, column: str, condition: str) -> None:
    """Add what says which rows are shown, in which order, and what of them.

    Args:
        parser: what it is added to.
        what: the rows: ``runs``.
        column: a column, as an example.
        condition: a condition, as an example.
    """
    parser.add_argument(
        "--where", metavar="CONDITION", help=f'only {what} that meet it: "{condition}"; as --sweep-where, of any column'
    )
    parser.add_argument(
        "--sort", metavar="COLUMN", help=f"by a column, shown or not: {column}; --sort=-{column} for the highest first"
    )
    parser.add_argument("--columns", metavar="NAMES", help="which columns, separated by commas")
    parser.add_argument(
        "--limit", metavar="N", type=int, help=f"at most N {what}; 0 is all; default {_LIMIT}, all with --json"
    )
    parser.add_argument("--json", action="store_true", help="JSON in place of a table; see docs/command.md")


def least_priority(options: argparse.Namespace) -> int:
    """Return the least priority of columns. Those that ``--columns`` names have their cells cut on a narrow terminal before one goes."""
    return 0 if options.columns is None else 84


def limit_of(options: argparse.Namespace) -> int | None:
    """Return how many rows are shown at the most; None for all.

    Raises:
        UsageError: it is negative.
    """
    if options.limit is None:
        return None if options.json else _LIMIT
    if options.limit < 0:
        raise UsageError(f"--limit {options.limit}: it is a number of rows, or 0 for all")
    return options.limit or None


def columns_of(options: argparse.Namespace, rows: Callable[[], Iterable[Row]]) -> list[str] | None:
    """Return the columns that ``--columns`` names; None where it is not given.

    Args:
        options: the options.
        rows: returns all rows that there are, shown or not; asked only where ``--columns`` is given.

    Raises:
        UsageError: no row has one that is asked for.
    """
    if options.columns is None:
        return None
    names = [name.strip() for name in options.columns.split(",") if name.strip()]
    if not names:
        raise UsageError("--columns: write the names of columns, separated by commas")
    return list(dict.fromkeys(canonical(rows(), name, "--columns") for name in names))
