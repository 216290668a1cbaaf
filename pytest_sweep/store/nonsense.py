"""Finds the rows of a database that hold what is never stored, and names them. Reads only."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import Table

from pytest_sweep.errors import StoreError
from pytest_sweep.store import schema
from pytest_sweep.store.files import reporting_errors
from pytest_sweep.store.opening import reading_connection, row_of_run
from pytest_sweep.store.records import StoredRun
from pytest_sweep.store.rows import NonsenseError, RawRowCheck

_KEYS = {"trial": "key", "attempt": "trial_key", "report": "trial_key"}
"""The columns that name a trial."""

_LABELS = {
    "run": ("name",),
    "code": ("id",),
    "sweep": ("id",),
    "trial": ("name", "key"),
    "attempt": ("number", "trial_key"),
    "report": ("id", "trial_key"),
    "decision": ("number", "trial_key"),
}
"""The columns that name a row, for people."""


class UnsoundError(StoreError):
    """A row of a database holds what no version of pytest-sweep stores."""


def unsound_error(path: Path, error: Exception) -> UnsoundError:
    """Return the error for a database of which a row cannot be read, which names the first such row.

    Args:
        path: the database.
        error: what went wrong.
    """
    return UnsoundError(
        f"the results database {path} holds what pytest-sweep never stores: {first_problem(path) or error}"
    )


def first_problem(path: Path) -> str | None:
    """Return the name of the first row that holds what is never stored, and what is wrong with it; None if there is none.

    Raises:
        SchemaError, StoreError: the database cannot be read.
    """
    return next((f"{row}: {problem}" for _, row, problem in _problems(path, None)), None)


def stored_run(path: Path) -> StoredRun:
    """Return what is known of the run itself, of any version that can be read; as `RunReader.run`, in a tenth of the time.

    Raises:
        UnsoundError: it holds what is never stored.
        SchemaError, StoreError: the database cannot be read.
    """
    found = row_of_run(path)
    try:
        values = RawRowCheck(schema.run).values([found.get(column.name) for column in schema.run.columns])
    except NonsenseError as error:
        raise UnsoundError(f"the results database {path} holds what pytest-sweep never stores: run: {error}") from error
    return StoredRun(**dict(zip(schema.run.columns.keys(), values, strict=True)))


def unsound(path: Path, keys: Collection[str]) -> dict[str, str]:
    """Return which of the trials with these keys cannot be taken from a database, and for each what is wrong with it.

    All of it is looked at: the trial, its sweep, its attempts and its reports.

    Raises:
        SchemaError, StoreError: the database cannot be read.
    """
    found: dict[str, str] = {}
    for key, row, problem in _problems(path, keys):
        if key is not None:
            found.setdefault(key, problem if row.startswith("trial ") else f"{row}: {problem}")
    return found


def _problems(path: Path, keys: Collection[str] | None) -> Iterator[tuple[str | None, str, str]]:
    """Yield the key of its trial, the name and the problem of each row that is not sound: of these trials, or of all."""
    with reporting_errors(path, "read"), closing(reading_connection(path)) as connection:
        # What is no text becomes halves of surrogate pairs, instead of an error.
        connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        for name in ("run", "code", "sweep", "decision"):
            for row, problem in _of_table(connection, schema.tables.tables[name]):
                yield None, _label(name, row), problem
        yield from _of_sweeps(connection, keys)
        for name, column in _KEYS.items():
            for row, problem in _of_table(connection, schema.tables.tables[name], keys):
                key = row.get(column)
                yield key if isinstance(key, str) else None, _label(name, row), problem


def _of_sweeps(connection: sqlite3.Connection, keys: Collection[str] | None) -> Iterator[tuple[str | None, str, str]]:
    """Yield trials whose sweep, or the code that they were made by, is not there or is not sound."""
    bad = {row["id"]: problem for row, problem in _of_table(connection, schema.sweep)}
    code = {row["id"] for row, _ in _of_table(connection, schema.code)}
    known = {row[0]: row[1] for row in connection.execute("SELECT id, source FROM sweep")}
    for name, key, sweep, source in connection.execute(
        f"SELECT name, key, sweep_id, source FROM trial {_where('key', keys)}", _parameters(keys)
    ):
        label = _label("trial", {"name": name, "key": key})
        if sweep not in known:
            yield key, label, f"its sweep {sweep!r} is not there"
        elif sweep in bad:
            yield key, label, f"of its sweep, {bad[sweep]}"
        elif (source or known[sweep]) in code:
            yield key, label, "its code cannot be read"


def _of_table(
    connection: sqlite3.Connection, table: Table, keys: Collection[str] | None = None
) -> Iterator[tuple[dict[str, object], str]]:
    names = [column.name for column in table.columns]
    listed = ", ".join(f'"{name}"' for name in names)
    check = RawRowCheck(table)
    where = _where(_KEYS[table.name], keys) if table.name in _KEYS else ""
    for row in connection.execute(f"SELECT {listed} FROM {table.name} {where}", _parameters(keys) if where else ()):
        problem = check.problem(row)
        if problem is not None:
            yield dict(zip(names, row, strict=True)), problem


def _where(column: str, keys: Collection[str] | None) -> str:
    return "" if keys is None else f"WHERE {column} IN (SELECT value FROM json_each(?))"


def _parameters(keys: Collection[str] | None) -> tuple[str, ...]:
    return () if keys is None else (json.dumps(list(keys)),)


def _label(table: str, row: dict[str, object]) -> str:
    first, *rest = (_shown(row[name]) for name in _LABELS[table])
    return f"{table} {first}" + "".join(f" of trial {key}" if table != "trial" else f" ({key})" for key in rest)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
