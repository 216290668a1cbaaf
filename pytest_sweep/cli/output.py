"""What is written where: results to stdout, messages to stderr, colours and widths for terminals only. Knows nothing of runs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from pytest_sweep.cli.strict_json import write_json
from pytest_sweep.reporting.table import Cells, fitted_table
from pytest_sweep.reporting.text import cut_end
from pytest_sweep.space import printable

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}

WORDS: Mapping[str, str] = {
    "TERMINATED": "green", "STOPPED": "green", "CACHED": "green", "passed": "green", "better": "green",
    "ERROR": "red", "failed": "red", "killed": "red", "unreadable": "red", "worse": "red",
    "RUNNING": "cyan", "running": "cyan", "PAUSED": "cyan",
    "INTERRUPTED": "yellow", "NOT_RUN": "yellow", "SKIPPED": "yellow", "interrupted": "yellow", "stopped": "yellow",
}  # fmt: skip
"""The colours of cells that hold nothing but one of these words."""


class Output:
    """Where a command writes to.

    Args:
        out: where results go.
        err: where messages go.
        width: of the terminal, in characters; None for no limit, as in a pipe.
        colour: whether colours are used.
    """

    def __init__(self, out: TextIO, err: TextIO, width: int | None = None, *, colour: bool = False) -> None:
        self.out = out
        self.width = width
        self._err = err
        self._colour = colour

    @classmethod
    def of(cls, out: TextIO, err: TextIO, colour: str = "auto", environ: Mapping[str, str] = os.environ) -> Output:
        """Return the output for these streams.

        Args:
            out: where results go.
            err: where messages go.
            colour: ``yes``, ``no``, or ``auto``: on a terminal, unless ``NO_COLOR`` is set or ``TERM`` is ``dumb``.
            environ: the environment.
        """
        is_terminal = out.isatty()
        auto = is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb" and sys.platform != "win32"
        width = shutil.get_terminal_size().columns if is_terminal else None
        return cls(out, err, width, colour=colour == "yes" or (colour == "auto" and auto))

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads along, whose lines have a width."""
        return self.width is not None

    def line(self, text: str = "", style: str | None = None, *, cut: bool = False) -> None:
        """Write a line; what would move a terminal's cursor or change its colours is written as a space.

        Args:
            text: the line.
            style: its colour.
            cut: whether its end is cut off where a terminal is too narrow, instead of going on in the next line.
        """
        shown = spaced(text)
        self.out.write(f"{self.styled(cut_end(shown, self.width) if cut else shown, style)}\n")

    def lines(self, texts: Iterable[str], *, cut: bool = False) -> None:
        """Write lines."""
        for text in texts:
            self.line(text, cut=cut)

    def block(self, text: str) -> None:
        """Write text of several lines as it is but for what would move the cursor or be a command to CI; it is not cut."""
        self.out.writelines(f"{printable(line)}\n" for line in text.splitlines())

    def note(self, text: str) -> None:
        """Write a message to stderr, where it is not among the results."""
        self.out.flush()
        self._err.write(f"{spaced(text)}\n")
        self._err.flush()

    def table(self, columns: Sequence[Cells]) -> None:
        """Write a table: on a terminal as wide as that is, else with all that it has."""
        drawn = fitted_table(columns, self.width, self._painted if self._colour else None, cut=self.is_terminal)
        if drawn:
            self.out.write(f"{drawn}\n")

    def json(self, document: Mapping[str, Any]) -> None:
        """Write a document as strict JSON on lines of its own; see docs/command.md."""
        write_json(self.out, document)

    def styled(self, text: str, style: str | None) -> str:
        """Return `text` in a colour, where there are colours."""
        return f"\033[{_STYLES[style]}m{text}\033[0m" if self._colour and style and text else text

    def _painted(self, cell: str) -> str:
        return self.styled(cell, WORDS.get(cell.strip()))


def spaced(text: str) -> str:
    """Return `text` with a space in place of each character that is not printable, such as an escape."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)
