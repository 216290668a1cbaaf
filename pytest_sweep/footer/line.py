"""The line of output in which the cursor of a terminal is. Writes nothing."""

from __future__ import annotations

import re

from wcwidth import wcwidth

_COLOURS = re.compile(r"\x1b(?:\[[\d;:]*m|\].*?(?:\x07|\x1b\\))", re.DOTALL)
"""Escapes that leave the cursor where it is: colours and titles."""

_LONGEST = 20_000
"""How much of a line without end is looked at to find out in which column it ends."""


class OutputLine:
    """Follows what is written.

    Args:
        column: in which column, from 0, the cursor is.

    Attributes:
        is_rewound: whether the cursor has been moved in its line, also by a tab, so that there may be output right of it.
    """

    def __init__(self, column: int = 0) -> None:
        self.is_rewound = False
        self._text = " " * column
        self._is_wrapped = False
        self._is_known = True

    def note(self, text: str) -> None:
        """Take note of what is written."""
        _, newline, rest = text.rpartition("\n")
        if newline:
            self._text, self.is_rewound, self._is_known = "", False, True
        shown = _COLOURS.sub("", rest) if "\x1b" in rest else rest
        if "\r" in shown:
            shown = shown.rpartition("\r")[2]
            self._text, self.is_rewound, self._is_known = "", True, True
        self._text = (self._text + shown)[-_LONGEST:]
        if not shown.isprintable():
            self.is_rewound, self._is_known = True, False

    def takes(self, text: str, columns: int) -> bool:
        """Return whether the row of the cursor takes all of `text` and has room left, so that nothing below it is touched.

        Args:
            text: what is to be written.
            columns: how many a row has.
        """
        if self._is_wrapped or self.is_rewound:
            return False
        shown = _COLOURS.sub("", text) if "\x1b" in text else text
        return shown.isprintable() and _column(self._text, columns) + _column(shown, 10 * columns) < columns

    def is_full(self, columns: int) -> bool:
        """Return whether the output has filled its row to the last column.

        There a terminal waits for the next character before it wraps, and would forget that when the cursor is moved.
        """
        if (
            self._is_wrapped
            or not self._is_known
            or not all(map(wcwidth, self._text if not self._text.isascii() else ""))
        ):
            return False  # Terminals do not agree on how wide a character is that others join.
        return _column(self._text, columns) == columns

    def wrap(self, columns: int) -> str:
        """Return what has the terminal wrap a row that `is_full`: it knows then that the next row goes on with the same line."""
        if not self.is_full(columns):
            return ""
        self._is_wrapped = True
        return " \b"

    def after_wrap(self, text: str) -> str:
        """Return `text` as it is to be written after `wrap`: a line break that follows is done already."""
        if not self._is_wrapped:
            return text
        self._is_wrapped = False
        if text.startswith(("\n", "\r\n")):
            return text.partition("\n")[2]
        return f"\x1b[A{text}" if text.startswith("\r") else text


def _column(line: str, columns: int) -> int:
    """Return in which column a line of output ends, from 0; `columns` where it has filled its last row."""
    if line.isascii():
        return (len(line) - 1) % columns + 1 if line else 0
    column = 0
    for char in line:
        width = max(wcwidth(char), 0)
        column = width if column + width > columns else column + width
    return column
