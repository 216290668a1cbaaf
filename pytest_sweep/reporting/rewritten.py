"""Streamed text with lines that are written again and again, as progress bars are, into lines that stay. Knows no terminal."""

from __future__ import annotations

import re

_PIECE = re.compile(r"\r\n|\n|\r|\x1b\[(\d{0,3})A|(?:[^\r\n\x1b]|\x1b(?!\[\d{0,3}A))+")
_MOST_ROWS = 20


class RewrittenLines:
    """Takes the output of one trial piece by piece. A carriage return replaces the line; text without one is passed on as it comes.

    A line that was rewritten is held back until ordinary text follows below it, since progress bars that are nested, as tqdm draws
    them, move back up to it.
    """

    def __init__(self) -> None:
        self._rows: list[str] = []
        self._row = 0
        self._is_at_start = self._is_below = self._is_rewritten = self._is_cut = False

    def feed(self, text: str) -> list[str]:
        """Take in more text, and return the lines that stay."""
        done: list[str] = []
        for match in _PIECE.finditer(text):
            piece = match[0]
            if piece in ("\n", "\r\n"):
                self._break_line(done)
            elif piece == "\r":
                self._return()
            elif match[1] is not None:
                self._row = max(self._row - int(match[1] or 1), 0)
                self._is_at_start = True
            else:
                self._put(piece, done)
        if (
            not self._is_rewritten and self._rows
        ):  # Shown at once, though its line has not ended: what it asks for may be waited for.
            done += self._rows
            self._forget()
            self._is_cut = True
        return done

    def end(self) -> list[str]:
        """Return what is held back, as lines that stay."""
        done: list[str] = []
        self._release(done)
        return done

    @property
    def held(self) -> list[str]:
        """The lines that are held back, as they are now."""
        return [row for row in self._rows if row.strip()]

    def _return(self) -> None:
        if self._rows and not self.held:  # Wiped out with spaces: an empty line.
            self._forget()
        else:
            self._is_at_start = True
            self._is_rewritten |= self._row < len(self._rows)

    def _put(self, text: str, done: list[str]) -> None:
        if self._is_rewritten and self._is_below and not self._is_at_start:  # Ordinary text.
            del self._rows[self._row :]
            self._release(done)
        self._rows += [""] * (self._row + 1 - len(self._rows))
        if self._is_at_start:
            self._rows[self._row], self._is_rewritten = text, True
        else:
            self._rows[self._row] += text
        self._is_at_start = self._is_below = self._is_cut = False

    def _break_line(self, done: list[str]) -> None:
        self._is_at_start = False
        if self._is_rewritten:
            self._row += 1
            self._is_below = True
            if self._row > _MOST_ROWS:
                self._release(done)
        else:
            if self._rows or not self._is_cut:  # Else the end of a line that was shown before it ended.
                done.append("".join(self._rows))
            self._forget()

    def _release(self, done: list[str]) -> None:
        """Have the rows stay; what was wiped out with spaces is gone, as tqdm's ``leave=False`` wants it."""
        done += self.held
        self._forget()

    def _forget(self) -> None:
        self._rows.clear()
        self._row = 0
        self._is_below = self._is_rewritten = self._is_cut = False
