"""How a failure that no pytest has seen is shown: in the style of pytest's own. Knows nothing of why trials fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pytest_sweep.space import printable


class Writer(Protocol):
    """What is needed of pytest's terminal writer."""

    def line(self, s: str = "", **markup: bool) -> None:
        """Write a line."""


@dataclass(frozen=True)
class Crash:
    """Where a trial failed and why, in one line: what pytest's short test summary, ``--tb=line`` and junit files show."""

    path: str
    lineno: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.lineno}: {self.message}"


class StopReason:
    """What stands beside a trial that its scheduler has stopped, which passed, in pytest's short test summary (``-rA``).

    Args:
        reason: why it was stopped.
        path: the file of the trial.
        line: the line of its function, from 0.

    Attributes:
        reprcrash: as for a `DriverFailure`.
    """

    def __init__(self, reason: str, path: str, line: int | None) -> None:
        self.reprcrash = Crash(path, (line or 0) + 1, reason)

    def toterminal(self, tw: Writer) -> None:
        """Write it to pytest's terminal."""
        tw.line(self.reprcrash.message)

    def __str__(self) -> str:
        return self.reprcrash.message


class DriverFailure:
    """What stands for a traceback in the report of a trial whose process could not make one.

    The stacks of its threads, if they are known, then the cause, once and marked as pytest marks it, then the trial's place.

    Args:
        error: the text of the error, with the cause on its last line.
        path: the file of the trial.
        place: the trial's place as pytest tells it: the file relative to rootdir, the line of its function, from 0, and its name.

    Attributes:
        reprcrash: the cause alone; what takes pytest's own failures finds it by this name.
    """

    def __init__(self, error: str, path: str, place: tuple[str, int | None, str]) -> None:
        # It may come from an earlier run, and that from anyone.
        self._stacks, _, cause = "\n".join(map(printable, error.rstrip().split("\n"))).rpartition("\n")
        file, line, name = place
        lineno = (line or 0) + 1
        self._place = f"{file}:{lineno}: in {name.partition('[')[0]}"
        self.reprcrash = Crash(path, lineno, cause)

    def toterminal(self, tw: Writer) -> None:
        """Write it to pytest's terminal."""
        for line in self._stacks.rstrip().splitlines():
            tw.line(line)
        if self._is_told():
            return
        if self._stacks.strip():
            tw.line()
        tw.line(f"E   {self.reprcrash.message}", bold=True, red=True)
        tw.line()
        tw.line(self._place)

    def _is_told(self) -> bool:
        """Return whether pytest has marked the cause already: in the traceback of an earlier run, which is stored as text."""
        marked = (line[1:].strip() for line in self._stacks.splitlines() if line.startswith("E "))
        return self.reprcrash.message in marked

    def __str__(self) -> str:
        if self._is_told():
            return self._stacks.strip("\n")
        return f"{self._stacks.rstrip()}\n\n{self.reprcrash.message}".lstrip("\n")
