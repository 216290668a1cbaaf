"""``pytest-sweep prune``: deletes runs, or their checkpoints; without ``--yes`` it only says which."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

from pytest_sweep import clock
from pytest_sweep.cli.context import Context
from pytest_sweep.cli.errors import CommandError, Status, UsageError
from pytest_sweep.cli.pruning import Criteria, Plan, own_checkpoints, plan
from pytest_sweep.cli.removing import remove_checkpoints, remove_run, sweep_out
from pytest_sweep.cli.run_rows import RunRow, folder_size
from pytest_sweep.durations import parse_duration
from pytest_sweep.errors import StoreError
from pytest_sweep.reporting.text import counted
from pytest_sweep.sizes import size_words
from pytest_sweep.store import newest_runs


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = (
        "A run is deleted if all that is given holds for it. Never deleted is a run that goes on, that has a tag, or that a run which stays"
        " refers to: one that was resumed from it, has taken results from it, or uses its checkpoints."
    )
    parser.add_argument("--keep", type=int, metavar="N", help="leave the newest N runs")
    parser.add_argument("--older-than", metavar="TIME", help="only runs that began so long ago: 30d, 12h")
    parser.add_argument(
        "--failed", action="store_true", help="only runs that did not pass: failed, interrupted or killed"
    )
    parser.add_argument(
        "--checkpoints", action="store_true", help="delete only the checkpoints in these runs; results stay"
    )
    parser.add_argument("--yes", action="store_true", help="delete; without it, only what would be deleted is said")
    parser.add_argument("--json", action="store_true", help="JSON; see docs/command.md")


def run(options: argparse.Namespace, context: Context) -> int:
    """Say what is deleted, and delete it if that is wanted."""
    criteria = _criteria(options)
    tags = context.tags.by_run()
    rows = [RunRow(folder, tags.get(folder.name, ())) for folder in newest_runs(context.results_dir)]
    made = plan(rows, criteria, clock.wall())
    if options.yes:
        sweep_out(context.results_dir)
    if options.checkpoints:
        entries, problems = _prune_checkpoints(made, delete=options.yes)
    else:
        entries, problems = _prune_runs(made, delete=options.yes)
    _tell(options, context, made, entries)
    for problem in problems:
        context.output.note(problem)
    return Status.FAILED if problems else Status.OK


@dataclasses.dataclass
class Entry:
    """What is deleted of a run.

    Attributes:
        name: the run.
        size: how many bytes.
        what: what of it, as a clause.
    """

    name: str
    size: int
    what: str


def _criteria(options: argparse.Namespace) -> Criteria:
    if options.keep is not None and options.keep < 0:
        raise UsageError(f"--keep {options.keep}: it is a number of runs")
    try:
        older_than = None if options.older_than is None else parse_duration(options.older_than)
    except ValueError as error:
        raise UsageError(f"--older-than: {error}, or 30d") from error
    if options.keep is None and older_than is None and not options.failed and not options.checkpoints:
        raise UsageError(
            "say which runs: --keep N, --older-than 30d, --failed, or --checkpoints for the checkpoints of all"
        )
    return Criteria(options.keep, older_than, options.failed)


def _prune_runs(made: Plan, *, delete: bool) -> tuple[list[Entry], list[str]]:
    entries, problems = [], []
    for row in made.removed:
        entry = Entry(row.folder.name, folder_size(row.folder), _elsewhere(row))
        try:
            if delete:
                remove_run(row.folder)
            entries.append(entry)
        except (CommandError, StoreError) as error:
            problems.append(str(error))
    return entries, problems


def _prune_checkpoints(made: Plan, *, delete: bool) -> tuple[list[Entry], list[str]]:
    entries, problems = [], []
    for row in made.removed:
        try:
            own, _ = own_checkpoints(row.folder)
            entry = Entry(row.folder.name, sum(map(folder_size, own)), counted(len(own), "checkpoint"))
            if delete:
                remove_checkpoints(row.folder, own)
        except (CommandError, StoreError) as error:  # noqa: PERF203 - what is wrong with one run does not spare the others
            problems.append(str(error))
        else:
            entries += [entry] if own else []
    return entries, problems


def _elsewhere(row: RunRow) -> str:
    try:
        _, elsewhere = own_checkpoints(row.folder)
    except StoreError:
        return ""
    return f"{counted(elsewhere, 'checkpoint')} elsewhere stay" if elsewhere else ""


def _tell(options: argparse.Namespace, context: Context, made: Plan, entries: Sequence[Entry]) -> None:
    output = context.output
    if options.json:
        output.json({
            "command": "prune", "deleted": options.yes, "checkpoints": options.checkpoints,
            "runs": [dataclasses.asdict(entry) for entry in entries],
            "kept": [{"name": name, "why": why} for name, why in made.kept.items()],
        })  # fmt: skip
        return
    verb = "deleted" if options.yes else "would be deleted"
    for entry in entries:
        output.line(f"{entry.name}: {verb}, {size_words(entry.size)}{f' ({entry.what})' if entry.what else ''}")
    for name, why in made.kept.items():
        output.line(f"{name}: kept, since it {why}")
    what = "checkpoints of " if options.checkpoints else ""
    total = size_words(sum(entry.size for entry in entries))
    stay = f"; {counted(len(made.kept), 'run')} kept, for the reasons above" if made.kept else ""
    output.line(f"{what}{counted(len(entries), 'run')} {verb}, {total}{stay}")
    if entries and not options.yes:
        output.note("nothing was deleted: add --yes")
