"""``pytest-sweep path``: where a run, or a trial of it, has its files."""

from __future__ import annotations

import argparse
import os

from pytest_sweep.cli.arguments import add_run
from pytest_sweep.cli.context import Context
from pytest_sweep.cli.errors import NoSuchRunError, Status
from pytest_sweep.cli.trials import find_trial
from pytest_sweep.store import RunScan


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_run(parser)
    parser.add_argument(
        "trial", nargs="?", metavar="TRIAL", help="a trial: its name or a part of it, its node id, or digits of its key"
    )
    parser.add_argument("--json", action="store_true", help="JSON; see docs/command.md")


def run(options: argparse.Namespace, context: Context) -> int:
    """Print the path."""
    path = folder = context.find(options.run)
    if options.trial is not None:
        with RunScan(folder) as scan:
            row = find_trial(scan, options.trial)
        path = folder / row.folder
        if not os.path.isdir(path):  # noqa: PTH112 - a database may name what is no path
            raise NoSuchRunError(f"{row.name} of the run {folder.name} has no folder: it has written no file")
    if options.json:
        context.output.json({"command": "path", "path": str(path)})
    elif context.output.is_terminal:
        context.output.block(str(path))
    else:  # As it is: another command takes it.
        context.output.out.write(f"{path}\n")
    return Status.OK
