"""``pytest-sweep export``: trials, or all their reports, as a file that other programs read."""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

from pytest_sweep.cli.arguments import add_run
from pytest_sweep.cli.conditions import Where, canonical, sorted_rows
from pytest_sweep.cli.context import Context
from pytest_sweep.cli.errors import CommandError, Status, UsageError
from pytest_sweep.cli.exporting import Rows
from pytest_sweep.cli.formats import SUFFIXES, write_csv, write_jsonl, write_parquet
from pytest_sweep.cli.marks import all_marks
from pytest_sweep.cli.trial_rows import TrialView
from pytest_sweep.cli.trials import find_sweeps, views
from pytest_sweep.store import DATABASE, RunScan, snapshot


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = "Columns are those of get_dataframe(), with the others behind; see docs/command.md."
    add_run(parser)
    parser.add_argument(
        "--format", choices=("csv", "jsonl", "parquet"), help="default: by the end of FILE's name, else csv"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="where to; default stdout")
    parser.add_argument(
        "--histories", action="store_true", help="a row for each report, as get_dataframe(all_reports=True)"
    )
    parser.add_argument(
        "--sweep", action="append", metavar="NAME", help="only this sweep: its name or node id (repeatable)"
    )
    parser.add_argument(
        "--where", metavar="CONDITION", help='only trials that meet it: "lr < 0.1"; as --sweep-where, of any column'
    )
    parser.add_argument("--sort", metavar="COLUMN", help="by a column; default the order of collection")
    parser.add_argument("--columns", metavar="NAMES", help="which columns, separated by commas")
    parser.add_argument("--limit", metavar="N", type=int, default=0, help="at most N trials; default all")
    parser.add_argument(
        "--raw", action="store_true", help="csv: no apostrophe before texts that a spreadsheet may take for a formula"
    )


def run(options: argparse.Namespace, context: Context) -> int:
    """Write the file."""
    kind = _format(options)
    if options.limit < 0:
        raise UsageError(f"--limit {options.limit}: it is a number of trials, or 0 for all")
    folder = context.find(options.run)
    with _settled(folder) as (scan, database):
        wanted = find_sweeps(scan, options.sweep)
        sweeps, marks = {sweep.id for sweep in wanted}, all_marks(scan, wanted)

        def chosen() -> Iterable[TrialView]:
            where = None if options.where is None else Where(options.where)
            found = views((row for row in scan.trials() if row.sweep_id in sweeps), where, failed=False, marks=marks)
            ordered = sorted_rows(found, options.sort) if options.sort else found
            return islice(ordered, options.limit or None)

        rows = Rows(chosen, folder.name, database.parent if options.histories else None)
        columns = _columns(options, rows, lambda: views(scan.trials(), None, failed=False, marks=marks))
        with _target(options, context) as (stream, path):
            if kind == "parquet":
                write_parquet(path, columns, lambda: rows)
            elif kind == "jsonl":
                write_jsonl(stream, columns, rows)
            else:
                write_csv(stream, columns, rows, raw=options.raw)
    return Status.OK


def _format(options: argparse.Namespace) -> str:
    suffix = Path(options.output or "").suffix.lower()
    kind = options.format or SUFFIXES.get(suffix)
    if kind is None and suffix:
        raise UsageError(f"-o {options.output}: add --format, or end the name with {', '.join(SUFFIXES)}")
    if kind == "parquet" and options.output in (None, "-"):
        raise UsageError("--format parquet needs -o FILE: it is no text")
    return kind or "csv"


def _columns(options: argparse.Namespace, rows: Rows, all_trials: Callable[[], Iterable[TrialView]]) -> list[str]:
    if options.columns is None:
        return list(rows.columns)
    names = [name.strip() for name in options.columns.split(",") if name.strip()]
    if not names:
        raise UsageError("--columns names no column")
    return list(
        dict.fromkeys(name if name in rows.columns else canonical(all_trials(), name, "--columns") for name in names)
    )


@contextlib.contextmanager
def _settled(folder: Path) -> Iterator[tuple[RunScan, Path]]:
    """Read a run that does not change meanwhile: one that goes on is copied first."""
    with RunScan(folder) as scan:
        if not scan.goes_on:
            yield scan, folder / DATABASE
            return
    with tempfile.TemporaryDirectory(prefix="pytest-sweep-") as scratch:
        database = Path(scratch, DATABASE)
        snapshot(folder / DATABASE, database)
        with RunScan(folder, database) as copy:
            yield copy, database


@contextlib.contextmanager
def _target(options: argparse.Namespace, context: Context) -> Iterator[tuple[TextIO, Path]]:
    """Open what is written to; a file is there under its name when it is complete."""
    if options.output in (None, "-"):
        yield context.output.out, Path()
        return
    given = Path(options.output)
    target = Path(os.path.realpath(given))
    # A pipe or a device: nothing can be put in its place. What /dev/stdout leads to may have no name.
    if given.exists() and not given.is_file():
        try:
            with given.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
                yield stream, given
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CommandError(f"{given} cannot be written: {error.strerror or error}") from error
        return
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror or error}") from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            yield stream, temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
