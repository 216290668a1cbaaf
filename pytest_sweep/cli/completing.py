"""What a shell completes, by argcomplete: sub-commands and options, names of runs and tags, and of trials. Imported for that only."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import argcomplete
from argcomplete.completers import DirectoriesCompleter, FilesCompleter, SuppressCompleter

from pytest_sweep.cli.context import Context
from pytest_sweep.cli.output import Output
from pytest_sweep.cli.run_rows import RunRow
from pytest_sweep.cli.trial_rows import TrialView
from pytest_sweep.errors import SweepError
from pytest_sweep.results.finding import is_path
from pytest_sweep.store import RunScan, newest_runs

_MOST = 200


def complete(parser_for: Callable[[Sequence[str]], argparse.ArgumentParser]) -> None:
    """Print what completes the line that the shell has handed over, and exit."""
    line = os.environ.get("COMP_LINE", "")
    try:
        words = shlex.split(line)[1:]
    except ValueError:  # A quote is still open.
        words = line.split()[1:]
    parser = parser_for(words)
    for action in _actions(parser):
        if (completer := _completer(action, words[0] if words else "")) is not None:
            action.completer = completer  # type: ignore[attr-defined]
    # What has no completer of its own is no file.
    argcomplete.autocomplete(parser, default_completer=SuppressCompleter())


def _completer(action: argparse.Action, command: str) -> Callable[..., Any] | None:
    if action.option_strings:
        return _tags if (command, action.dest) == ("tag", "delete") else _OF_OPTIONS.get(action.dest)
    return _OF_ARGUMENTS.get(action.dest)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action


def _runs(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    if is_path(prefix):
        return list(DirectoriesCompleter()(prefix))
    try:
        context = _context(parsed_args)
        names = [folder.name for folder in islice(newest_runs(context.results_dir), _MOST)]
        return ["last", "running", *context.tags.read(), *names]
    except (SweepError, OSError):
        return []


def _trials(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    try:
        with RunScan(_context(parsed_args).find(parsed_args.run)) as scan:
            return [row.name for row in islice(scan.trials(), _MOST)]
    except (SweepError, OSError):
        return []


def _tags(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    try:
        return list(_context(parsed_args).tags.read())
    except (SweepError, OSError):
        return []


def _columns(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    try:
        context = _context(parsed_args)
        if parsed_args.command == "ls":
            return list(RunRow(context.results_dir).columns())
        with RunScan(context.find(parsed_args.run)) as scan:
            names = dict.fromkeys(name for row in islice(scan.trials(), _MOST) for name in TrialView(row).columns())
        return list(names)
    except (SweepError, OSError):
        return []


def _sweeps(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    try:
        with RunScan(_context(parsed_args).find(parsed_args.run)) as scan:
            return [sweep.name for sweep in scan.sweeps]
    except (SweepError, OSError):
        return []


_OF_ARGUMENTS: Mapping[str, Callable[..., Any]] = {"run": _runs, "base": _runs, "trial": _trials, "name": _tags}
_OF_OPTIONS: Mapping[str, Callable[..., Any]] = {
    "output": FilesCompleter(), "dir": DirectoriesCompleter(), "against": _runs, "sort": _columns, "columns": _columns, "sweep": _sweeps,
}  # fmt: skip


def _context(parsed_args: argparse.Namespace) -> Context:
    devnull: Any = None
    return Context(Output(devnull, devnull), getattr(parsed_args, "dir", None))
