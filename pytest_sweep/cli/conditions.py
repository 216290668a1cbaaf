"""``--where`` and ``--sort``: the language of ``--sweep-where`` over rows of any kind. Knows nothing of what the rows stand for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pytest_sweep.cli.errors import UsageError
from pytest_sweep.cli.rows import Row
from pytest_sweep.cli.times import NoTimeError
from pytest_sweep.errors import SpaceError
from pytest_sweep.model.spread import is_nan, is_number
from pytest_sweep.space.expression_values import ABSENT, found_at
from pytest_sweep.space.expressions import AbsentError, parse_condition

RowT = TypeVar("RowT", bound=Row)

_QUOTED = re.compile(r"`([^`]*)`")
_PLACEHOLDER = "backquoted_{}_"
_MOST_NAMES = 60
_MOST_LOOKED_AT = 1000
"""Of how many rows the names of columns are told where one is unknown."""


class Where:
    """A condition on rows. A row that lacks a name, or has None where something else is compared, does not meet it.

    Args:
        text: the condition. A name that is no identifier stands between backquotes.

    Raises:
        UsageError: it is no condition.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._quoted: dict[str, str] = {}
        try:
            self._condition = parse_condition(_QUOTED.sub(self._placeholder, text))
        except SpaceError as error:
            raise UsageError(self._told(error)) from error
        self._unseen = set(self._condition.names)
        self._known: dict[str, None] = {}

    def select(self, rows: Iterable[RowT]) -> Iterator[RowT]:
        """Yield the rows that meet it.

        Raises:
            UsageError: there are rows, and none has one of the names; or values cannot be compared.
        """
        for row in rows:
            values = _Values(row, self._quoted)
            if self._unseen:
                self._look(values, row)
            if self._holds(values):
                yield row
        for name in sorted(self._unseen if self._known else ()):
            raise UsageError(
                f"--where {self._text!r}: {no_such_column(self._quoted.get(name, name), list(self._known))}"
            )

    def _holds(self, values: _Values) -> bool:
        try:
            return self._condition.holds(values)
        except AbsentError:
            return False
        except SpaceError as error:
            if isinstance(error.__cause__, NoTimeError):
                raise UsageError(f"--where {self._text!r}: {error.__cause__}") from error
            if any(found_at(values, name.split(".")) is None for name in self._condition.names):
                return False
            raise UsageError(self._told(error)) from error

    def _look(self, values: _Values, row: Row) -> None:
        self._unseen = {name for name in self._unseen if found_at(values, name.split(".")) is ABSENT}
        if self._unseen:
            self._known |= dict.fromkeys(row.columns())

    def _placeholder(self, match: re.Match[str]) -> str:
        name = _PLACEHOLDER.format(len(self._quoted))
        self._quoted[name] = match[1]
        return name

    def _told(self, error: SpaceError) -> str:
        text = str(error)
        for name, quoted in self._quoted.items():
            text = text.replace(name, f"`{quoted}`")
        return f"--where: {text}"


class _Values(Mapping[str, Any]):
    """What a condition sees of a row."""

    def __init__(self, row: Row, quoted: Mapping[str, str]) -> None:
        self._row, self._quoted = row, quoted

    def get(self, name: str, default: Any = None) -> Any:
        return self._row.get(self._quoted.get(name, name), default)

    def __getitem__(self, name: str) -> Any:
        found = self.get(name, ABSENT)
        if found is ABSENT:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._row.columns())

    def __len__(self) -> int:
        return len(self._row.columns())


def sorted_rows(rows: Iterable[RowT], order: str) -> list[RowT]:
    """Return rows by a column: numbers before texts, NaN and what is not there last; equal ones stay in their order.

    Args:
        rows: the rows.
        order: the name of the column; with a minus before it, the highest value comes first.

    Raises:
        UsageError: there are rows, and none has the column.
    """
    listed = list(rows)
    is_descending = order.startswith("-")
    name = canonical(listed, order.removeprefix("-"), "--sort")
    key: Callable[[RowT], Any] = lambda row: _rank(row.value(name))  # noqa: E731 - it is given twice
    present = [row for row in listed if key(row) is not None]
    absent = [row for row in listed if key(row) is None]
    return sorted(present, key=key, reverse=is_descending) + absent


def canonical(rows: Iterable[Row], name: str, option: str) -> str:
    """Return the name of the column that is meant by `name`.

    Raises:
        UsageError: there are rows, and none has it.
    """
    known: dict[str, None] = {}
    count = 0
    for count, row in enumerate(rows, start=1):
        if (found := row.resolve(name)) is not None:
            return found
        if count <= _MOST_LOOKED_AT:
            known |= dict.fromkeys(row.columns())
    if not count:
        return name
    raise UsageError(f"{option} {name}: {no_such_column(name, list(known))}")


def no_such_column(name: str, known: Sequence[str]) -> str:
    """Return the sentence for a name that no row has: what may be meant, and which names there are, in the order of the columns."""
    likely = difflib.get_close_matches(name.replace(".", "/"), known, 1)
    ends = [other for other in known if other.endswith(f"/{name}")]
    meant = f"did you mean {(ends or likely)[0]!r}? There are " if ends or likely else "there are "
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return f"there is no {name!r}: {meant}{', '.join(known[:_MOST_NAMES]) or 'no columns at all'}{more}"


def _rank(value: Any) -> tuple[int, Any] | None:
    if value is None or (is_number(value) and is_nan(value)):
        return None
    if isinstance(value, (bool, int, float)):
        return 0, value
    return 1, str(value)
