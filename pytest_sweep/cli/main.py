"""The command line: which sub-commands there are, what all of them take, and how the command ends."""

# PYTHON_ARGCOMPLETE_OK - by which argcomplete knows, where it is on for all programs, that this one can be completed.

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TextIO

from pytest_sweep.cli.context import Context
from pytest_sweep.cli.errors import CommandError, Status
from pytest_sweep.cli.output import Output, spaced
from pytest_sweep.errors import StoreError, SweepError
from pytest_sweep.results.errors import TagsError

COMMANDS: Mapping[str, str] = {
    "ls": "list runs",
    "show": "show a run and its trials, or one trial",
    "compare": "compare two runs, trial by trial",
    "export": "write trials, or all their reports, as csv, jsonl or parquet",
    "report": "write a run as one HTML file, to look at in a browser",
    "track": "send a run to trackers: TensorBoard, MLflow and others",
    "tag": "give a run a name, or list the names",
    "prune": "delete old runs, or their checkpoints",
    "watch": "show a run while it goes on",
    "path": "print the path of a run's folder",
}
"""The sub-commands, each a module of `cli.commands`, with what ``--help`` says of it."""

_ELSEWHERE: Mapping[str, str] = {"report": "pytest_sweep.page.command"}
"""The modules of sub-commands that are in rooms above this one, which use it."""

_PROGRAM = "pytest-sweep"


def entry_point() -> int:
    """Run the command line of this process, and return the exit status: what the console script calls."""
    for stream in (sys.stdout, sys.stderr):
        # Whatever a terminal's encoding is, a character that it has not ends nothing.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    return int(main(sys.argv[1:]))


def main(arguments: Sequence[str], out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Do what a command line says, and return the exit status, one of `Status`.

    Args:
        arguments: without the name of the program.
        out: where results go; default stdout.
        err: where messages go; default stderr.
    """
    out, err = out or sys.stdout, err or sys.stderr
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = _run(arguments, out, err)
        out.flush()
    except BrokenPipeError:
        _silence(out)
        return Status.BROKEN_PIPE
    except KeyboardInterrupt:
        return Status.INTERRUPTED
    except SystemExit as error:  # argparse: --help, or a wrong command line.
        return error.code if isinstance(error.code, int) else Status.USAGE
    except (SweepError, OSError) as error:
        if isinstance(error, OSError) and error.filename is None:  # The output is full, or its device is gone.
            _silence(out)
        return _told(error, err)
    except Exception:
        err.write(traceback.format_exc())
        return Status.FAILED
    return status


def parser_for(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of a command line; only the sub-command that it calls has its arguments, since importing all of them takes time.

    Args:
        words: the command line.
    """
    called = next((word for word in words if not word.startswith("-")), None)
    parser = argparse.ArgumentParser(
        _PROGRAM, description="Looks at the runs that pytest --sweep has stored, without collecting tests."
    )
    parser.add_argument("--version", action="store_true", help="print the version, and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name == called:
            _module(name).configure(command)
            _add_common(command)
    return parser


def _run(arguments: Sequence[str], out: TextIO, err: TextIO) -> int:
    if "_ARGCOMPLETE" in os.environ:
        importlib.import_module("pytest_sweep.cli.completing").complete(parser_for)
    parser = parser_for(arguments)
    options = parser.parse_args(arguments)
    if options.version:
        from importlib.metadata import version

        out.write(f"{_PROGRAM} {version('pytest-sweep')}\n")
        return Status.OK
    if options.command is None:
        parser.print_help(err)
        return Status.USAGE
    context = Context(Output.of(out, err, options.color), options.dir)
    status = _module(options.command).run(options, context)
    assert isinstance(status, int)
    return status


def _module(name: str) -> ModuleType:
    return importlib.import_module(_ELSEWHERE.get(name, f"pytest_sweep.cli.commands.{name}"))


def _add_common(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("for all commands")
    group.add_argument(
        "--dir", metavar="DIR", help="the folder in which runs are; default that of the project, as for load_results()"
    )
    group.add_argument(
        "--color",
        choices=("auto", "yes", "no"),
        default="auto",
        help="default auto: on a terminal, unless NO_COLOR is set",
    )


def _told(error: SweepError | OSError, err: TextIO) -> int:
    if isinstance(error, OSError):
        what = (
            "the output cannot be written" if error.filename is None else f"{error.filename} cannot be read or written"
        )
        error = CommandError(f"{what}: {error.strerror or error}")
    with contextlib.suppress(OSError):
        err.write(f"{_PROGRAM}: {spaced(str(error))}\n")
    if isinstance(error, CommandError):
        return error.status
    if isinstance(error, TagsError):
        return Status.FAILED
    return Status.NO_RUN if isinstance(error, StoreError) else Status.USAGE


def _silence(out: TextIO) -> None:
    """Have Python not complain once more when it flushes the stream at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
