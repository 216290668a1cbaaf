"""The command that continues a run which was cut off, as it can be pasted into a shell."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

_RESUME = "--sweep-resume"


def continuing_command(arguments: Sequence[str], run: str, program: str) -> str:
    """Return the command line that continues a run.

    Args:
        arguments: of the session, as the user has written them.
        run: the name of the run.
        program: what Python has been started with: ``sys.argv[0]``.
    """
    first, rest = [f"{_RESUME}={run}"], _without_resume(arguments)
    if "--sweep" in rest:
        rest.remove("--sweep")
        first.insert(0, "--sweep")
    called = ["python", "-m", "pytest"] if Path(program).name == "__main__.py" else ["pytest"]
    return _joined([*called, *first, *rest])


def _without_resume(arguments: Sequence[str]) -> list[str]:
    """Return the arguments but for the run that this one was continued from itself."""
    kept: list[str] = []
    has_value = False
    for place, argument in enumerate(arguments):
        if argument == "--":
            return [*kept, *arguments[place:]]
        is_value, has_value = has_value and not argument.startswith("-"), argument == _RESUME
        if not is_value and not has_value and not argument.startswith(f"{_RESUME}="):
            kept.append(argument)
    return kept


def _joined(arguments: Sequence[str]) -> str:
    if os.name == "nt":
        return subprocess.list2cmdline(arguments)
    return shlex.join(arguments)
