"""Copies what an earlier run has stored of trials into the database of a new one. Decides nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from pytest_sweep.errors import StoreError
from pytest_sweep.model import TrialState
from pytest_sweep.store import schema
from pytest_sweep.store.database import RunDatabase
from pytest_sweep.store.folders import DATABASE, run_name
from pytest_sweep.store.opening import attached

_TAKEN, _CONTINUED = 1, 0

# The temporary table `chosen` has the keys, and whether a trial is taken; `moved` makes a path complete.
_TRIALS = """
UPDATE trial SET
  ({columns}, state, metrics, error, reason, finished, duration, folder, source, taken_from, config, point_key) =
  (SELECT {earlier},
    CASE WHEN chosen.taken AND old.state = 'ERROR' THEN 'ERROR' WHEN chosen.taken THEN 'CACHED' ELSE 'PENDING' END,
    CASE WHEN chosen.taken AND old.state != 'SKIPPED' THEN old.metrics END,
    CASE WHEN old.state = 'ERROR' AND chosen.taken THEN old.error END,
    CASE WHEN old.state = 'SKIPPED' THEN 'it was skipped in ' || :run WHEN old.state = 'CACHED' THEN old.reason END,
    CASE WHEN chosen.taken THEN old.finished END,
    CASE WHEN chosen.taken THEN old.duration END,
    moved(old.folder),
    CASE WHEN chosen.taken OR old.checkpoint IS NOT NULL THEN {source} END,
    :run,
    -- Of a slot that has none yet; where decisions were lost, nothing else knows it.
    CASE WHEN trial.slot IS NOT NULL AND trial.point_key IS NULL THEN old.config ELSE trial.config END,
    COALESCE(trial.point_key, old.point_key)
  FROM earlier.trial AS old JOIN chosen USING (key) WHERE old.key = trial.key)
WHERE key IN (SELECT key FROM chosen)
"""
# What the sweep's row of this run says need not be said again.
_SOURCE = """NULLIF(
      COALESCE(old.source, (SELECT source FROM earlier.sweep WHERE id = old.sweep_id), 'unknown'),
      COALESCE((SELECT source FROM main.sweep WHERE id = trial.sweep_id), 'unknown'))"""
_CODE = """
INSERT OR IGNORE INTO main.code (id, content)
  SELECT id, content FROM earlier.code WHERE id IN (SELECT source FROM main.trial WHERE key IN (SELECT key FROM chosen))
"""
# What nobody knows is a code of its own.
_UNKNOWN = """
INSERT OR IGNORE INTO main.code (id) SELECT 'unknown' WHERE EXISTS (SELECT 1 FROM main.trial WHERE source = 'unknown')
"""
_OWN_FOLDERS = "SELECT key, folder FROM main.trial JOIN chosen USING (key) WHERE NOT chosen.taken"
_KEPT = ("attempts", "location", "started")
"""Columns that are taken as they are. What the trial of today is, such as its `params`, is not taken."""


def copy_trials(
    database: RunDatabase, folder: Path, taken: Collection[str], continued: Collection[str]
) -> dict[str, str]:
    """Do what `RunStore.copy_trials` promises, by statements that touch no row in Python.

    Args:
        database: the writer's.
        folder: the folder of the earlier run.
        taken: the keys of trials that are not run again.
        continued: the keys of those that go on.

    Returns:
        The folders that those that go on have in the new run once they run in it, by their keys.
    """
    chosen = [(key, _TAKEN) for key in taken] + [(key, _CONTINUED) for key in continued]
    with database.with_driver() as driver:
        driver.create_function("moved", 1, lambda path: _moved(folder, path), deterministic=True)
        with attached(driver, folder / DATABASE):
            try:
                return _copy_chosen(driver, chosen, run_name(folder, database.path.parent.parent))
            except sqlite3.Error as error:  # Of either: SQLite does not say which.
                raise StoreError(
                    f"what {folder / DATABASE} holds cannot be copied to {database.path}: {error}"
                ) from error


def copy_decisions(database: RunDatabase, folder: Path) -> None:
    """Do what `RunStore.copy_decisions` promises.

    Args:
        database: the writer's.
        folder: the folder of the earlier run.
    """
    names = ", ".join(column.name for column in schema.decision.columns)
    with database.with_driver() as driver, attached(driver, folder / DATABASE):
        try:
            driver.execute("BEGIN IMMEDIATE")
            driver.execute(
                f"INSERT OR IGNORE INTO main.decision ({names}) SELECT {names} FROM earlier.decision ORDER BY number"
            )
            driver.execute("COMMIT")
        except sqlite3.Error as error:
            if driver.in_transaction:
                driver.execute("ROLLBACK")
            raise StoreError(
                f"what {folder / DATABASE} has decided cannot be copied to {database.path}: {error}"
            ) from error


def _copy_chosen(driver: sqlite3.Connection, chosen: list[tuple[str, int]], run: str) -> dict[str, str]:
    # Past SQLAlchemy, as none of it is a query that it could help with; in one transaction all the same.
    driver.execute("CREATE TEMP TABLE chosen (key TEXT PRIMARY KEY, taken INTEGER NOT NULL) WITHOUT ROWID")
    try:
        driver.executemany("INSERT INTO chosen VALUES (?, ?)", chosen)
        driver.execute("BEGIN IMMEDIATE")
        own = dict(driver.execute(_OWN_FOLDERS).fetchall())
        for statement in _statements():
            driver.execute(statement, {"run": run})
        driver.execute("COMMIT")
        return own
    finally:
        if driver.in_transaction:  # A full disk has ended it already.
            driver.execute("ROLLBACK")
        driver.execute("DROP TABLE chosen")


def _statements() -> list[str]:
    columns, earlier = ", ".join(_KEPT), ", ".join(f"old.{name}" for name in _KEPT)
    trials = _TRIALS.format(
        columns=f"{columns}, checkpoint", earlier=f"{earlier}, {_path('old.checkpoint')}", source=_SOURCE
    )
    # What ran when its driver died runs no more.
    running = f"CASE state WHEN '{TrialState.RUNNING.value}' THEN '{schema.INTERRUPTED}' ELSE state END"
    return [
        trials,
        _CODE,
        _UNKNOWN,
        _copy(schema.attempt, {"state": running}),
        _copy(schema.report, {"checkpoint": _path("checkpoint")}, without="id") + " ORDER BY id",
    ]


def _copy(table: Table, changed: dict[str, str], without: str = "") -> str:
    names = [column.name for column in table.columns if column.name != without]
    values = ", ".join(changed.get(name, name) for name in names)
    chosen = "trial_key IN (SELECT key FROM chosen)"
    return (
        f"INSERT INTO main.{table.name} ({', '.join(names)}) SELECT {values} FROM earlier.{table.name} WHERE {chosen}"
    )


def _path(column: str) -> str:
    return f"CASE WHEN {column} IS NOT NULL THEN moved({column}) END"


def _moved(folder: Path, path: Any) -> Any:
    """Return a path of the earlier run in full; a URL as it is."""
    return path if "://" in path else str(folder / path)
