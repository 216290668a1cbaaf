"""What a row may hold: a database may come from anyone, or be damaged, and SQLite keeps any value in any column. Opens no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, Column, Float, Integer, Table, TypeDecorator

from pytest_sweep.model import TrialState
from pytest_sweep.store import schema

MOST_ATTEMPTS = 1_000_000
"""More attempts of one trial than any run can make."""

_LATEST = 1e11
"""Seconds since the epoch: more than three thousand years."""
_STATES = frozenset(state.value for state in TrialState)


class NonsenseError(ValueError):
    """A value that no version of pytest-sweep stores; the text names its column and the value."""


Test = Callable[[Any], bool]


def _between(least: float, most: float) -> Test:
    # A comparison with NaN is false.
    return lambda value: least <= value <= most


def _are_texts(values: Any) -> bool:
    return all(type(value) is str for value in values)


def _are_goals(values: Any) -> bool:
    return all(type(value) is list and len(value) == 2 and _are_texts(value) for value in values)


def _texts_by_name(values: Mapping[str, Any], *, may_be_none: bool = False) -> bool:
    return all(type(value) is str or (may_be_none and value is None) for value in values.values())


def _is_source(content: Mapping[str, Any]) -> bool:
    fixtures, files, packages = (content.get(name) or {} for name in ("fixtures", "files", "packages"))
    if not all(type(part) is dict for part in (fixtures, files, packages)):
        return False
    own = [content.get("function"), content.get("module")]
    of_fixtures = [part for its in fixtures.values() for part in (its if type(its) is list else [its])]
    sizes = {len(its) for its in fixtures.values() if type(its) is list}
    texts = [value for value in (*own, *of_fixtures, *files.values()) if value is not None]
    return _are_texts(texts) and _texts_by_name(packages) and sizes <= {1, 2}


_AMOUNTS: Test = lambda values: all(type(value) in (int, float) and 0 <= value < 1e15 for value in values.values())  # noqa: E731
_TIME = _between(-_LATEST, _LATEST)
_JSON: Mapping[str, type] = {"varying": list, "average_over": list, "objectives": list, "feasible": list}
"""Columns of JSON that hold a list; the others hold an object."""

_TESTS: Mapping[str, Test] = {
    "attempts": _between(0, MOST_ATTEMPTS),
    "number": _between(1, MOST_ATTEMPTS),
    "attempt": _between(1, MOST_ATTEMPTS),
    "decision.attempt": _between(0, MOST_ATTEMPTS),
    "decision.number": _between(1, 2**53),
    "replicate": _between(0, 2**53),
    "ordinal": _between(0, 2**53),
    "slot": _between(0, 2**53),
    "iteration": _between(0, 2**63),
    "started": _TIME,
    "finished": _TIME,
    "duration": _TIME,
    "varying": _are_texts,
    "average_over": _are_texts,
    "feasible": _are_texts,
    "objectives": _are_goals,
    "versions": _texts_by_name,
    "resources": _AMOUNTS,
    "code.content": _is_source,
    "mode": lambda mode: mode in ("min", "max"),
    "attempt.state": lambda state: state in _STATES,
}
"""What the values of a column must be besides of its type; None is not asked."""


class RowCheck:
    """Checks rows, as SQLAlchemy returns them.

    Args:
        columns: the columns that a row consists of.
    """

    def __init__(self, columns: Sequence[Column[Any]]) -> None:
        self._columns = tuple(columns)
        self._kinds = [_kinds(column) for column in columns]
        tests = [_TESTS.get(f"{column.table.name}.{column.name}", _TESTS.get(column.name)) for column in columns]
        self._tests = [(place, test) for place, test in enumerate(tests) if test is not None]
        self._known: set[tuple[type, ...]] = set()

    def __call__(self, row: Sequence[Any]) -> None:
        """Check a row.

        Raises:
            NonsenseError: it holds what is never stored.
        """
        kinds = tuple(map(type, row))
        if kinds not in self._known:  # Of all rows there are a few combinations.
            for column, value, allowed in zip(self._columns, row, self._kinds, strict=True):
                if type(value) not in allowed:
                    raise NonsenseError(_said(column, value))
            self._known.add(kinds)
        for place, test in self._tests:
            if row[place] is not None and not test(row[place]):
                raise NonsenseError(_said(self._columns[place], row[place]))


class RawRowCheck:
    """Checks rows as they are stored, all columns of a table."""

    def __init__(self, table: Table) -> None:
        self._columns = list(table.columns)
        self._check = RowCheck(self._columns)
        self._converters = [_converter(column) for column in self._columns]

    def problem(self, row: Sequence[Any]) -> str | None:
        """Return what is wrong with a row; None if nothing is."""
        try:
            self.values(row)
        except NonsenseError as error:
            return str(error)
        return None

    def values(self, row: Sequence[Any]) -> list[Any]:
        """Return the values of a row, as SQLAlchemy would.

        Raises:
            NonsenseError: it holds what is never stored.
        """
        values = [_converted(*each) for each in zip(self._columns, self._converters, row, strict=True)]
        self._check(values)
        return values


def _kinds(column: Column[Any]) -> frozenset[type]:
    """Return the types that values of a column have when they were read."""
    kind: Any = column.type
    allowed: tuple[type, ...] = (str,)
    if isinstance(kind, schema.StateText):
        allowed = (TrialState,)
    elif isinstance(kind, schema.JsonText):
        allowed = (_JSON.get(column.name, dict),)
    elif isinstance(kind, Boolean):
        allowed = (bool,)
    elif isinstance(kind, (Integer, schema.AnyInteger)):
        allowed = (int,)
    elif isinstance(kind, Float):
        allowed = (float, int)
    return frozenset((*allowed, type(None)) if column.nullable else allowed)


def _converter(column: Column[Any]) -> Callable[[Any], Any]:
    kind: Any = column.type
    if isinstance(kind, TypeDecorator) and not isinstance(kind, schema.FreeText):
        return lambda value: kind.process_result_value(value, None)  # type: ignore[arg-type] # ours ask for no dialect
    if isinstance(kind, Boolean):
        return lambda value: bool(value) if value in (0, 1) else value
    return lambda value: value


def _converted(column: Column[Any], convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        if type(value) is str:
            value.encode()  # Bytes that are no text are read as halves of surrogate pairs.
        return convert(value)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise NonsenseError(_said(column, value, error)) from error


def _said(column: Column[Any], value: Any, error: Exception | None = None) -> str:
    text = (
        repr(value)
        if not isinstance(value, (str, bytes, dict, list))
        else repr(value[:60] if isinstance(value, (str, bytes)) else value)
    )
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    why = f" ({error})" if error is not None and type(column.type) is not schema.StateText else ""
    return f"{column.name} is {shown}{why}"
