"""Remembers in a few bytes what a database should hold: the sum of the hashes of all its rows, kept up by SQLite's triggers.

Two databases with equal rows have equal sums, in whatever order the rows were written. Hashes are Python's own, which differ between
processes: a sum is never stored.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Table

_MASK = 2**64 - 1
_MOST_SUMS = 64


class Checksum:
    """The sum of all rows that the writer's connection has committed.

    Args:
        tables: the tables that count.
    """

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = tables
        self._pending = 0
        # More than one where an error came in the middle of a commit, so that nobody knows whether it was done.
        self._sums = [0]

    def watch(self, connection: sqlite3.Connection) -> None:
        """Have every change that is made by this connection counted."""
        connection.create_function("count_row", -1, self._add, deterministic=False)
        connection.create_function("discount_row", -1, self._subtract, deterministic=False)
        for place, table in enumerate(self._tables):
            new, old = (
                ", ".join([str(place), *(f'{row}."{column.name}"' for column in table.columns)])
                for row in ("new", "old")
            )
            actions = {
                "INSERT": f"SELECT count_row({new});",
                "UPDATE": f"SELECT discount_row({old}); SELECT count_row({new});",
                "DELETE": f"SELECT discount_row({old});",
            }
            for event, action in actions.items():
                # Temporary: of this connection only, and not in the file.
                connection.execute(
                    f"CREATE TEMP TRIGGER {table.name}_{event.lower()} AFTER {event} ON main.{table.name} BEGIN {action} END"
                )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Count what is changed while the context lasts, in which a transaction is begun and committed."""
        self._pending = 0
        before = self._sums
        try:
            yield
        except BaseException:
            if self._pending:
                # Whether it was committed is not known: an interrupt, or an error of the disk, may come after that.
                self._sums = [*before, *(self._after(known) for known in before)][:_MOST_SUMS]
            raise
        self._sums = [self._after(known) for known in before]

    def matches(self, connection: sqlite3.Connection) -> bool:
        """Say whether a database holds what it should.

        Raises:
            sqlite3.Error: it cannot be read.
        """
        return self.of(connection) in self._sums

    def of(self, connection: sqlite3.Connection) -> int:
        """Return the sum of the rows that a connection sees.

        Raises:
            sqlite3.Error: they cannot be read.
        """
        total = 0
        for place, table in enumerate(self._tables):
            columns = ", ".join(f'"{column.name}"' for column in table.columns)
            total += sum(map(hash, connection.execute(f"SELECT {place}, {columns} FROM main.{table.name}")))
        return total & _MASK

    def _after(self, known: int) -> int:
        return (known + self._pending) & _MASK

    def _add(self, *row: object) -> None:
        self._pending += hash(row)

    def _subtract(self, *row: object) -> None:
        self._pending -= hash(row)
