"""Rows of trials as a table that fits its terminal. Decides which columns go and what is cut; not which trials are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from pytest_sweep.model.metrics import plain_scalar
from pytest_sweep.reporting.columns import Column
from pytest_sweep.reporting.progress import TrialProgress
from pytest_sweep.reporting.text import cell_text, cut_end, cut_middle, text_width

_WIDEST_CELL = 30
_FRAME = 3  # the bar and the two spaces of each column; one more bar ends the line
_NO_LIMIT = 10_000
_GENTLE = ((21, _NO_LIMIT), (61, 60))
"""What is tried first, in this order: columns below a priority go while they leave the name less than that many characters.

Those of the first step repeat the trial's name, and are not worth a letter of it.
"""
_HARD = ((80, 36), (1000, 12))
"""What is tried when not even the short form of the name fits."""


@dataclass(frozen=True, slots=True)
class _Texts:
    """A column when its values have become text."""

    column: Column
    name: str
    cells: tuple[str, ...]
    numeric: bool
    width: int

    @classmethod
    def of(cls, column: Column, name: str, cells: tuple[str, ...], numeric: bool) -> _Texts:
        return cls(column, name, cells, numeric, max(map(text_width, (name, *cells))))

    @property
    def priority(self) -> int:
        return self.column.priority

    def cut(self, width: int) -> _Texts:
        return self._shortened(width, cut_end)

    def cut_middle(self, width: int) -> _Texts:
        return self._shortened(width, cut_middle)

    @property
    def align(self) -> str:
        return "right" if self.numeric else "left"

    def _shortened(self, width: int, cut: Callable[[str, int], str]) -> _Texts:
        cells = tuple(cut(cell, width) for cell in self.cells)
        return _Texts.of(self.column, cut_end(self.name, width), cells, self.numeric)


def trial_table(entries: Sequence[TrialProgress], columns: Sequence[Column], width: int | None) -> str:
    """Return the table of these trials, no line of it wider than `width`; empty where there are no trials.

    What does not fit goes in this order: parameters that the trial's name repeats; columns up to priority 60, before the name
    gets shorter than 60 characters; the long form of the name; other columns, before it gets shorter than 36; then its middle.
    """
    texts = [text for text in (_texts(column, column.value, entries) for column in columns) if any(text.cells)]
    if not texts:
        return ""
    name = max(texts, key=lambda text: text.priority)
    texts = [text if text is name else text.cut(_WIDEST_CELL) for text in texts]
    if width is None:
        return _drawn(texts)
    short = _texts(name.column, name.column.short or name.column.value, entries)
    lines = _drawn(_fitted(texts, name, short, width)).splitlines()
    return "\n".join(cut_end(line, width) for line in lines)


def _texts(column: Column, value: Callable[[TrialProgress], object], entries: Sequence[TrialProgress]) -> _Texts:
    values = [_value(value, entry) for entry in entries]
    filled = [value for value in values if value is not None]
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in filled)
    return _Texts.of(column, cell_text(column.name), tuple(map(cell_text, values)), numeric)


def _value(value: Callable[[TrialProgress], object], entry: TrialProgress) -> object:
    try:
        return plain_scalar(value(entry))
    except Exception as error:  # A column that someone added must not end the run; its cell says what is wrong with it.
        return f"<{type(error).__name__}>"


def _fitted(texts: list[_Texts], name: _Texts, short: _Texts, width: int) -> list[_Texts]:
    fitted = _without_lowest(texts, name, width, _GENTLE)
    if _total(fitted) <= width:
        return fitted
    texts = [short if text is name else text for text in texts]
    fitted = _without_lowest(_without_lowest(texts, short, width, _GENTLE), short, width, _HARD)
    room = width - (_total(fitted) - short.width)
    return [text.cut_middle(max(room, 1)) if text is short else text for text in fitted]


def _without_lowest(texts: list[_Texts], name: _Texts, width: int, steps: Sequence[tuple[int, int]]) -> list[_Texts]:
    left = list(texts)
    for below, room in steps:
        # Of equal priorities the rightmost goes first.
        droppable = [text for text in reversed(left) if text is not name and text.priority < below]
        for text in sorted(droppable, key=lambda text: text.priority):
            if _total(left) - name.width + min(name.width, room) <= width:
                break
            left = [other for other in left if other is not text]
    return left


def _total(texts: Sequence[_Texts]) -> int:
    return sum(text.width + _FRAME for text in texts) + 1


def _drawn(texts: Sequence[_Texts]) -> str:
    # "pretty" looks as Tune's "psql" does but for a corner; psql widens every header by two, which costs a column at 80.
    table: str = tabulate(
        list(zip(*(text.cells for text in texts), strict=True)),
        headers=[text.name for text in texts],
        tablefmt="pretty",
        colalign=[text.align for text in texts],
        headersalign=[text.align for text in texts],
        disable_numparse=True,
        preserve_whitespace=True,
    )
    return table
