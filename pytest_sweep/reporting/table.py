"""Rows of trials as a table that fits its terminal. Decides which columns go and what is cut; not which trials are shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from tabulate import tabulate

from pytest_sweep.model.metrics import plain_scalar
from pytest_sweep.reporting.columns import Column
from pytest_sweep.reporting.entry import TrialProgress
from pytest_sweep.reporting.text import DEVIATION, cell_text, cut_end, cut_middle, text_width, wrapped

_WIDEST_CELL = 30
_WIDEST_NAME = 100
_FRAME = 3  # the bar and the two spaces of each column; one more bar ends the line
_MINOR = 61
"""Columns with a lower priority go before the name gets its short form."""
_MAJOR = 80
"""Columns with a lower priority go before headers are broken within words."""
_NARROW_CELLS = (12, 5)
"""To what cells are cut, one after the other, before columns of a high priority go. ``TERM…`` still tells which state it is."""
_NARROW_HEADER = 4
Paint = Callable[[str], str]
_BREAKS = re.compile(r"(?<=[_./ \-])")


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A column of a table, with a value for each row.

    Attributes:
        name: what stands above it.
        values: what its cells show, as for `Column.value`.
        priority: as for `Column`.
        short: returns what they show where the table is too wide; asked only for the column with the highest priority.
    """

    name: str
    values: Sequence[object]
    priority: int = 50
    short: Callable[[], Sequence[object]] | None = None


@dataclass(frozen=True)
class _Texts:
    """A column when its values have become text."""

    column: Cells
    name: str
    header: tuple[str, ...]
    cells: tuple[str, ...]
    numeric: bool

    @cached_property
    def width(self) -> int:
        return max(map(text_width, (*self.header, *self.cells)))

    @cached_property
    def cell_width(self) -> int:
        return max(map(text_width, self.cells))

    @property
    def align(self) -> str:
        return "right" if self.numeric else "left"

    def cut(self, width: int) -> _Texts:
        if self.numeric:  # Two numbers that begin alike could not be told apart.
            return self
        numbers = self.column.values
        shown = (
            zip(self.cells, numbers, strict=False)
            if len(numbers) == len(self.cells)
            else ((cell, None) for cell in self.cells)
        )
        return replace(self, cells=tuple(cell if _is_number(value) else cut_end(cell, width) for cell, value in shown))

    def without_deviations(self) -> _Texts:
        if not self.numeric:
            return self
        return replace(self, cells=tuple(cell.partition(DEVIATION)[0] for cell in self.cells))

    def cut_middle(self, width: int) -> _Texts:
        header = tuple(cut_end(line, width) for line in self.header)
        return replace(self, header=header, cells=tuple(cut_middle(cell, width) for cell in self.cells))

    def with_header(self, width: int | None = None) -> _Texts:
        """Return the column with its header on several lines: of at most `width`; None is as wide as its cells or words need it."""
        parts = _BREAKS.split(self.name)
        least = max(self.cell_width, *map(text_width, map(str.rstrip, parts)))
        return replace(self, header=wrapped(parts, least if width is None else width))


def trial_table(entries: Sequence[TrialProgress], columns: Sequence[Column], width: int | None) -> str:
    """Return the table of these trials, no line of it wider than `width`; empty where there are no trials.

    Where it is too wide, this is done until it fits: columns up to priority 60 go; headers take several lines; the name gets its short
    form; columns below 80 go; words of headers are broken; standard deviations go, cells are cut; the others go, those of a low priority
    first. Numbers are never cut.
    """
    return fitted_table([_cells(column, entries) for column in columns], width)


def fitted_table(columns: Sequence[Cells], width: int | None, paint: Paint | None = None, *, cut: bool = True) -> str:
    """Return a table of any rows, as `trial_table` does; empty where there are none. Columns of empty cells are left out.

    Args:
        columns: its columns.
        width: of the terminal, in characters; None is no limit.
        paint: returns the text of a cell with colours.
        cut: whether cells other than those of the first column by priority are cut to 30 characters also where there is room.
    """
    texts = [text for text in (_texts(column, column.values) for column in columns) if any(text.cells)]
    if not texts:
        return ""
    name = max(texts, key=lambda text: text.column.priority)
    if cut:
        texts = [text if text is name else text.cut(_WIDEST_CELL) for text in texts]
    if width is None:
        return _drawn(texts, paint)
    short = name if name.column.short is None else _texts(name.column, name.column.short())
    fitted = _fitted(texts, name, short, width)
    lines = _drawn(fitted, paint).splitlines()
    # What is narrow enough has colours, which are no part of the width.
    return "\n".join(
        lines if _total(fitted) <= width else (cut_end(line, width) for line in _drawn(fitted).splitlines())
    )


def _cells(column: Column, entries: Sequence[TrialProgress]) -> Cells:
    short = None if column.short is None else partial(_values, column.short, entries)
    return Cells(column.name, _values(column.value, entries), column.priority, short)


def _values(value: Callable[[TrialProgress], object], entries: Sequence[TrialProgress]) -> list[object]:
    return [_value(value, entry) for entry in entries]


def _texts(column: Cells, values: Sequence[object]) -> _Texts:
    filled = [value for value in values if value is not None]
    numeric = all(map(_is_number, filled))
    name = cut_middle(cell_text(column.name[: 10 * _WIDEST_NAME]), _WIDEST_NAME)
    return _Texts(column, name, (name,), tuple(map(cell_text, values)), numeric)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _value(value: Callable[[TrialProgress], object], entry: TrialProgress) -> object:
    try:
        return plain_scalar(value(entry))
    except Exception as error:  # A column that someone added must not end the run; its cell says what is wrong with it.
        return f"<{type(error).__name__}>"


def _fitted(texts: list[_Texts], name: _Texts, short: _Texts, width: int) -> list[_Texts]:
    for named in (name, short):
        flat = [named if text is name else text for text in texts]
        if _total(fitted := _without(flat, width, _MINOR)) <= width:
            return fitted
        high = [text if text is named else text.with_header() for text in flat]
        if _total(fitted := _without(high, width, _MINOR)) <= width:
            return _with_flat_headers(fitted, width)
    return _squeezed(_without(fitted, width, _MAJOR), width)


def _without(texts: Sequence[_Texts], width: int, below: float) -> list[_Texts]:
    """Return the columns but for those that have to go, of a priority below that; of equal ones the rightmost goes first."""
    left, total = list(texts), _total(texts)
    name = max(left, key=lambda text: text.column.priority)
    droppable = [text for text in reversed(left) if text is not name and text.column.priority < below]
    for text in sorted(droppable, key=lambda text: text.column.priority):
        if total <= width:
            break
        left = [other for other in left if other is not text]
        total -= text.width + _FRAME
    return left


def _with_flat_headers(texts: Sequence[_Texts], width: int) -> list[_Texts]:
    """Return the columns with their headers on one line wherever there is room for that."""
    return _eased(texts, [replace(text, header=(text.name,)) for text in texts], width)


def _eased(texts: Sequence[_Texts], wider: Sequence[_Texts], width: int) -> list[_Texts]:
    """Return the columns, each in its wider form if there is room for that."""
    chosen = list(texts)
    for index, text in enumerate(wider):
        if _total([*chosen[:index], text, *chosen[index + 1 :]]) <= width:
            chosen[index] = text
    return chosen


def _squeezed(texts: list[_Texts], width: int) -> list[_Texts]:
    name = max(texts, key=lambda text: text.column.priority)
    others = [text for text in texts if text is not name]
    # Not all of hundreds of columns can stay, each of at least one cell: only those that may are squeezed, which takes its time.
    excess = len(others) - width // (_FRAME + 1)
    rightmost_first = list(reversed(others))
    for text in sorted(rightmost_first, key=lambda text: text.column.priority)[: max(excess, 0)]:
        others = [other for other in others if other is not text]
    for step, most in enumerate((_WIDEST_CELL, _WIDEST_CELL, *_NARROW_CELLS)):
        others = [(text.without_deviations() if step else text).cut(most).with_header() for text in others]
        while _total(others) + name.width + _FRAME > width and (widest := _widest_header(others)) is not None:
            others[widest] = others[widest].with_header(others[widest].width - 1)
        if _total(others) + name.width + _FRAME <= width:
            break
    squeezed = {id(text.column): text for text in (*others, name)}
    left = [squeezed[id(text.column)] for text in texts if id(text.column) in squeezed]
    fitted = _without(left, width, float("inf"))
    if len(fitted) < len(texts):  # What has gone has left room for the others.
        kept = {id(text.column) for text in fitted}
        fitted = _eased(fitted, [text for text in texts if id(text.column) in kept], width)
    room = width - (_total(fitted) - name.width)
    return [text.cut_middle(max(room, 1)) if text is name else text for text in fitted]


def _widest_header(texts: Sequence[_Texts]) -> int | None:
    """Return the index of the column whose header may get narrower, and is the widest of these."""
    able = [index for index, text in enumerate(texts) if text.width > max(text.cell_width, _NARROW_HEADER)]
    return max(able, key=lambda index: texts[index].width, default=None)


def _total(texts: Sequence[_Texts]) -> int:
    return sum(text.width + _FRAME for text in texts) + 1


def _drawn(texts: Sequence[_Texts], paint: Paint | None = None) -> str:
    # "pretty" looks as Tune's "psql" does but for a corner; psql widens every header by two, which costs a column at 80.
    table: str = tabulate(
        list(zip(*(text.cells if paint is None else map(paint, text.cells) for text in texts), strict=True)),
        headers=["\n".join(text.header) for text in texts],
        tablefmt="pretty",
        colalign=[text.align for text in texts],
        headersalign=[text.align for text in texts],
        disable_numparse=True,
        preserve_whitespace=True,
    )
    return table
