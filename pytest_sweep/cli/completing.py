"""What a shell completes, by argcomplete: sub-commands and options, names of runs and tags, and of trials. Imported for that only."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import argcomplete

from pytest_sweep.cli.context import Context
from pytest_sweep.cli.output import Output
from pytest_sweep.errors import SweepError
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
        if (action.dest in ("run", "base") and not action.option_strings) or action.dest == "against":
            action.completer = _runs  # type: ignore[attr-defined]
        elif action.dest == "trial":
            action.completer = _trials  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action


def _runs(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
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


def _context(parsed_args: argparse.Namespace) -> Context:
    devnull: Any = None
    return Context(Output(devnull, devnull), getattr(parsed_args, "dir", None))
