"""The command that continues a run which was cut off, as it can be pasted into a shell."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

_RESUME = "--sweep-resume"
_STEPWISE = frozenset(("--sw", "--stepwise", "--sw-skip", "--stepwise-skip", "--sw-reset", "--stepwise-reset"))
_FLAGS = "xvqslhV"
"""pytest's one-letter options without a value: ``-xvk NAME`` is ``-x -v -k NAME``."""


def continuing_command(arguments: Sequence[str], run: str, program: str, maxfail: int = 0) -> str:
    """Return the command line that continues a run.

    It has no ``-x``, ``--maxfail`` or ``--stepwise``: the failure that has ended this session is taken, and would end the next one, too.

    Args:
        arguments: of the session, as the user has written them.
        run: the name of the run.
        program: what Python has been started with: ``sys.argv[0]``.
        maxfail: pytest's option, which may come from an ini file or a variable, too.
    """
    given = _without(arguments, _RESUME, may_lack_value=True)
    rest = _without_x(_without(given, "--maxfail"))
    first = [f"{_RESUME}={run}"]
    if maxfail and rest == given:
        first.append("--maxfail=0")
    rest = _without_stepwise(rest)
    if "--sweep" in rest:
        rest.remove("--sweep")
        first.insert(0, "--sweep")
    called = ["python", "-m", "pytest"] if Path(program).name == "__main__.py" else ["pytest"]
    return _joined([*called, *first, *rest])


def _without(arguments: Sequence[str], option: str, *, may_lack_value: bool = False) -> list[str]:
    """Return the arguments but for an option and its value, which is a word of its own or follows a ``=``."""
    kept: list[str] = []
    has_value = False
    for place, argument in enumerate(arguments):
        if argument == "--":
            return [*kept, *arguments[place:]]
        is_value = has_value and not (may_lack_value and argument.startswith("-"))
        has_value = not is_value and argument == option
        if not is_value and not has_value and not argument.startswith(f"{option}="):
            kept.append(argument)
    return kept


def _without_x(arguments: Sequence[str]) -> list[str]:
    """Return the arguments but for ``-x``, also where it stands among other letters."""
    kept: list[str] = []
    for place, argument in enumerate(arguments):
        if argument == "--":
            return [*kept, *arguments[place:]]
        is_short = argument.startswith("-") and not argument.startswith("--")
        without = _without_letter(argument) if is_short else argument
        if without != "-" and argument != "--exitfirst":
            kept.append(without)
    return kept


def _without_letter(argument: str) -> str:
    value = argument[1:].lstrip(_FLAGS)
    flags = argument[1 : len(argument) - len(value)]
    return f"-{flags.replace('x', '')}{value}"


def _without_stepwise(arguments: Sequence[str]) -> list[str]:
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [*(argument for argument in arguments[:end] if argument not in _STEPWISE), *arguments[end:]]


def _joined(arguments: Sequence[str]) -> str:
    if os.name == "nt":
        return subprocess.list2cmdline(arguments)
    return shlex.join(arguments)
