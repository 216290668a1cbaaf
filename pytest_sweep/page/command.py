"""``pytest-sweep report``: writes a run as one HTML file."""

from __future__ import annotations

import argparse
import webbrowser
from pathlib import Path

from pytest_sweep.cli.arguments import add_run
from pytest_sweep.cli.context import Context
from pytest_sweep.cli.errors import Status, UsageError
from pytest_sweep.page.build import build, write

FILE = "report.html"
"""The name of the page in the folder of its run."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_run(parser)
    parser.add_argument("--against", metavar="BASE", help="an earlier run that it is compared with, named as RUN")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help=f"where to; - is stdout; default {FILE} in the folder of the run"
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.add_argument("--json", action="store_true", help="JSON in place of the file's name; see docs/command.md")


def run(options: argparse.Namespace, context: Context) -> int:
    """Write the page, and say where it is."""
    to_stdout = options.output == "-"
    if to_stdout and (options.open or options.json):
        raise UsageError("-o - writes the page to stdout: leave out --open and --json, or name a file")
    folder = context.find(options.run)
    against = None if options.against is None else context.find(options.against)
    target = None if to_stdout else Path(options.output or folder / FILE).absolute()
    text = build(folder, against, tags=context.tags_of(folder), target=target)
    output = context.output
    if target is None:
        output.out.write(text)
        return Status.OK
    write(text, target)
    if options.json:
        output.json({"command": "report", "run": folder.name, "path": str(target), "bytes": len(text.encode())})
    else:
        output.block(str(target))
    if options.open and not webbrowser.open(target.as_uri()):
        output.note(f"no browser could be opened: open {target}")
    return Status.OK
