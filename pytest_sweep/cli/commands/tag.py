"""``pytest-sweep tag``: names that people give to runs."""

from __future__ import annotations

import argparse

from pytest_sweep.cli.arguments import add_run
from pytest_sweep.cli.context import Context
from pytest_sweep.cli.errors import NoSuchRunError, Status, UsageError
from pytest_sweep.reporting.table import Cells
from pytest_sweep.store import DATABASE, found_runs, has_database


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = "Without arguments the tags are listed. A tagged run is never pruned."
    add_run(parser, default="")
    parser.add_argument("name", nargs="?", metavar="NAME", help="the tag: letters, digits and `_.+-`")
    parser.add_argument("--delete", metavar="NAME", help="take this tag away")
    parser.add_argument("--json", action="store_true", help="JSON; see docs/command.md")


def run(options: argparse.Namespace, context: Context) -> int:
    """Give a tag, take one away, or list them."""
    if options.delete is not None:
        if options.run:
            raise UsageError("--delete NAME takes the tag away, whatever run has it: leave out the run")
        found = context.tags.remove(options.delete)
        if found is None:
            raise NoSuchRunError(f"there is no tag {options.delete!r}: {_listed(context)}")
        context.output.note(f"{found} is not tagged {options.delete} any more")
    elif options.run and options.name is None:
        raise UsageError("write the run and the tag: pytest-sweep tag last baseline")
    elif options.run:
        _add(options.run, options.name, context)
    elif options.json:
        tags = [{"tag": tag, "run": name} for tag, name in sorted(context.tags.read().items())]
        context.output.json({"command": "tag", "tags": tags})
    else:
        tags_there_are = sorted(context.tags.read().items())
        gone = [
            None if has_database(context.results_dir / name, DATABASE) else "it is not there any more"
            for _, name in tags_there_are
        ]
        context.output.table([
            Cells("tag", [tag for tag, _ in tags_there_are], 90),
            Cells("run", [name for _, name in tags_there_are], 100),
            Cells("note", gone, 50),
        ])  # fmt: skip
        if not tags_there_are:
            context.output.note("no run has a tag: give one with pytest-sweep tag RUN NAME")
    return Status.OK


def _add(word: str, tag: str, context: Context) -> None:
    folder = context.find(word)
    if folder.parent != context.results_dir.resolve() and folder.parent != context.results_dir:
        raise UsageError(
            f"only runs in {context.results_dir} can have a tag there; name another folder for results with --dir"
        )
    before = context.tags.add(tag, folder.name)
    moved = f", and {before} is not any more" if before not in (None, folder.name) else ""
    context.output.note(f"{folder.name} is tagged {tag}{moved}")
    others = [run.name for run in found_runs(context.results_dir) if tag in run.name and run != folder]
    if others:
        context.output.note(f"{tag} is also a part of the name {min(others)}: the tag goes before it")


def _listed(context: Context) -> str:
    tags = sorted(context.tags.read())
    return f"there are {', '.join(tags)}" if tags else "no run has a tag"
