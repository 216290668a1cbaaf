"""Values of many trials as columns of the page: numbers, or texts that are written once each. Knows nothing of where they come from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_sweep.model.spread import is_number, judged_number
from pytest_sweep.reporting.text import cell_text

MOST_CELLS = 4_000_000
"""How many values all columns of a sweep may have together."""

_FEWEST = 12
_LARGEST = 2**53
"""Up to where JavaScript has every integer."""

_LONGEST = 200
_WORDS_SHARE = 0.5
_MISSING = object()


class Columns:
    """Collects the columns of the trials of one sweep, a trial at a time.

    Args:
        count: how many trials there will be.

    Attributes:
        left_out: the names of columns that there was no room for.
    """

    def __init__(self, count: int) -> None:
        self.left_out: dict[str, None] = {}
        self._most = max(_FEWEST, MOST_CELLS // max(count, 1))
        self._columns: dict[str, list[Any]] = {}
        self._roles: dict[str, str] = {}
        self._count = 0

    def add(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Add a trial.

        Args:
            values: by the role of columns (``param``, ``metric``, ``own``) their values by name.
        """
        for role, columns in values.items():
            for name, value in columns.items():
                self._column(name, role, value)
        self._count += 1

    def document(self) -> list[dict[str, Any]]:
        """Return the columns for the page, in the order of their roles; those that nobody has a value in are left out."""
        found = []
        for name, column in self._columns.items():
            column += [_MISSING] * (self._count - len(column))  # noqa: PLW2901 - in place
            role = self._roles[name]
            # Of a configuration None is a value, elsewhere it is none.
            values = column if role == "param" else [_MISSING if value is None else rounded(value) for value in column]
            if any(value is not _MISSING for value in values):
                found.append({"name": name, "role": role, **(metric(values) if role == "metric" else encoded(values))})
        order = list(dict.fromkeys(self._roles.values()))
        return sorted(found, key=lambda column: order.index(column["role"]))

    def _column(self, name: str, role: str, value: Any) -> None:
        column = self._columns.get(name)
        if column is None:
            if len(self._columns) >= self._most:
                self.left_out[name] = None
                return
            column = self._columns[name] = []
            self._roles[name] = role
        column += [_MISSING] * (self._count - len(column))
        column.append(_cell(value))


def encoded(column: Sequence[Any]) -> dict[str, Any]:
    """Return a column as the page reads it: ``number`` with null where a trial has none, ``text``, or ``word`` with each text once.

    NaN and infinities, which JSON has not, are the strings ``nan``, ``inf`` and ``-inf``. None is the word ``None``.
    """
    present = [value for value in column if value is not _MISSING]
    if all(is_number(value) and (isinstance(value, float) or abs(value) < _LARGEST) for value in present):
        return {"kind": "number", "values": [None if value is _MISSING else number_json(value) for value in column]}
    texts = [None if value is _MISSING else _text(value) for value in column]
    words = {text for text in texts if text is not None}
    if len(words) > _WORDS_SHARE * len(present) and len(words) > 20:
        return {"kind": "text", "values": texts}
    ordered = sorted(words, key=_order)
    places = {word: place for place, word in enumerate(ordered)}
    return {
        "kind": "word",
        "words": ordered,
        "values": [None if text is None else places[text] for text in texts],
    }


def metric(column: Sequence[Any]) -> dict[str, Any]:
    """Return a column of a metric: numbers, if it has any, with what else was reported as ``texts`` by the place of the trial.

    Booleans are numbers, too, since trials are judged by them.
    """
    numbers = [None if value is _MISSING else judged_number(value) for value in column]
    if all(number is None for number in numbers):
        return encoded(column)
    texts = {
        str(place): _text(value)
        for place, value in enumerate(column)
        if value is not _MISSING and not (is_number(value) and (isinstance(value, float) or abs(value) < _LARGEST))
    }
    values = [None if number is None else number_json(number) for number in numbers]
    return {"kind": "number", "values": values, **({"texts": texts} if texts else {})}


def number_json(value: float) -> float | str:
    """Return a number as JSON holds it."""
    try:
        number = float(value)
    except OverflowError:
        return "inf" if value > 0 else "-inf"
    if math.isnan(number):
        return "nan"
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    return int(value) if number.is_integer() and abs(number) < _LARGEST else number


def rounded(value: Any) -> Any:
    """Return a float with nine significant digits, which nobody can tell from all of them on a screen; anything else as it is."""
    return float(f"{value:.9g}") if type(value) is float else value


def _cell(value: Any) -> Any:
    """Return a value that does not keep a large object in memory."""
    if value is None or isinstance(value, (bool, str)):
        return value if not isinstance(value, str) else value[:_LONGEST]
    return value if is_number(value) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, float):
        return repr(value)
    elif isinstance(value, (list, dict)):
        try:
            text = json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError):
            text = cell_text(value)
    else:
        text = "None" if value is None else cell_text(value)
    return text if len(text) < _LONGEST else text[: _LONGEST - 1] + "…"


def _order(word: str) -> tuple[int, float, str]:
    """Return a sort key: numbers by their size, then texts."""
    try:
        number = float(word)
    except ValueError:
        return 1, 0.0, word
    return (0, number, word) if not math.isnan(number) else (1, 0.0, word)
