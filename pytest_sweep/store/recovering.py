"""Adds what a trial had said when its driver was killed to a copy of the run's database. Decides nothing about files."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NoReturn

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from pytest_sweep.model import TrialState
from pytest_sweep.model.code import Used
from pytest_sweep.store.unheard import Said
from pytest_sweep.store.writes import Batch

_STORED = """
SELECT trial.attempts, attempt.state
FROM trial LEFT JOIN attempt ON attempt.trial_key = trial.key AND attempt.number = ? WHERE trial.key = ?
"""


def add_unheard(copy: sqlite3.Connection, unheard: Sequence[Said]) -> None:
    """Store events in a copy of the database that is at today's schema; those of attempts that have ended there are passed over."""
    batch = Batch(str, _no_source)
    goes_on: dict[tuple[str, int], bool] = {}
    for event in unheard:
        attempt = event.key, event.attempt
        if attempt not in goes_on:
            goes_on[attempt] = _goes_on(copy, *attempt)
        if goes_on[attempt]:
            batch.add(event)
    # One connection, and the copy lives as long as it does: it stays open.
    engine = create_engine("sqlite://", creator=lambda: copy, poolclass=StaticPool)
    with engine.connect() as connection, connection.begin():
        for statement, rows in batch.statements():
            connection.execute(statement, rows)


def _goes_on(copy: sqlite3.Connection, key: str, attempt: int) -> bool:
    found = copy.execute(_STORED, (attempt, key)).fetchone()
    if found is None:
        return False
    attempts, state = found
    return bool(state == TrialState.RUNNING.value if state is not None else attempts < attempt)


def _no_source(key: str, used: Used) -> NoReturn:
    raise AssertionError(f"nothing that {key} has used before its end is known: {used}")
