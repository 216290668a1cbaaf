"""The numbered steps from the schema of an older version to today's. Knows SQLite, and nothing of files.

A change of the tables in `store/schema.py` raises `SCHEMA_VERSION` in `store/version.py` and adds a step here. Steps are never edited
once they are released: databases that they have changed exist. `tests/store_0_1_0` holds a database that version 0.1.0 wrote.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from pytest_sweep.store.version import SCHEMA_VERSION

STEPS: Mapping[int, Sequence[str]] = {
    4: (
        "ALTER TABLE run ADD COLUMN driver TEXT",
        "ALTER TABLE trial ADD COLUMN params TEXT",
        "ALTER TABLE trial ADD COLUMN configuration TEXT",
        "ALTER TABLE sweep ADD COLUMN average_over TEXT",
        # Sources were in the rows themselves.
        "CREATE TABLE code (id TEXT NOT NULL, content TEXT, PRIMARY KEY (id))",
        """
        INSERT INTO code SELECT (SELECT name FROM run) || '-' || row_number() OVER (), source FROM
          (SELECT source FROM sweep WHERE source IS NOT NULL UNION SELECT source FROM trial WHERE source IS NOT NULL)
        """,
        "UPDATE sweep SET source = (SELECT id FROM code WHERE content = source) WHERE source IS NOT NULL",
        "UPDATE trial SET source = (SELECT id FROM code WHERE content = source) WHERE source IS NOT NULL",
    ),
    5: (
        "ALTER TABLE sweep ADD COLUMN objectives TEXT",
        "ALTER TABLE sweep ADD COLUMN feasible TEXT",
        "ALTER TABLE sweep ADD COLUMN search TEXT",
        "ALTER TABLE sweep ADD COLUMN scheduler TEXT",
        "ALTER TABLE trial ADD COLUMN study TEXT",
        "ALTER TABLE trial ADD COLUMN slot INTEGER",
        "ALTER TABLE trial ADD COLUMN point_key TEXT",
        """
        CREATE TABLE decision (number INTEGER NOT NULL, kind TEXT NOT NULL, study TEXT NOT NULL, trial_key TEXT NOT NULL,
          attempt INTEGER, iteration INTEGER, content TEXT NOT NULL, PRIMARY KEY (number))
        """,
    ),
}
"""The statements that lead to a schema from the one before it."""

OLDEST = min(STEPS) - 1
"""The oldest schema that can be read: that of 0.1.0. Older ones were never released."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database from its own schema, which is `OLDEST` or newer, to today's, in one transaction.

    Raises:
        sqlite3.Error: the database cannot be written. It is as it was.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for step in range(version + 1, SCHEMA_VERSION + 1):
            for statement in STEPS[step]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION:d}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # A full disk has ended it already.
            connection.execute("ROLLBACK")
        raise
