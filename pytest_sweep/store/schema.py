"""The tables of a run's database. JSON holds what is open-ended; no pickle, ever. Knows nothing of files."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)

from pytest_sweep.model import TrialState

SCHEMA_VERSION = 4
"""Kept in SQLite's ``PRAGMA user_version``. A change of the tables raises it, and adds a step to `store/migrations.py`."""

INTERRUPTED = TrialState.INTERRUPTED.value
"""The state of an attempt that was cut off."""

# Made once: `json.dumps` makes an encoder a call when it is given separators.
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


class JsonText(TypeDecorator[Any]):
    """Plain data as compact JSON, with Python's tokens ``NaN`` and ``Infinity``; None is NULL.

    SQLAlchemy's own JSON type gives its column a numeric affinity, so that SQLite would rewrite what looks like a number.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the text that is stored."""
        return None if value is None else _ENCODE(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the data that was stored."""
        return None if value is None else json.loads(value)


class FreeText(TypeDecorator[str]):
    """Text from anywhere, such as an error's: half a surrogate pair, which SQLite refuses, is written as its escape."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the text that is stored."""
        if value is None or value.isascii():
            return value
        return value.encode("utf-8", "backslashreplace").decode("utf-8")


class StateText(TypeDecorator[TrialState]):
    """The state of a trial, by its word."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: TrialState | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - as above
        """Return the text that is stored."""
        return None if value is None else value.value

    def process_result_value(self, value: str | None, dialect: Dialect) -> TrialState | None:  # noqa: ARG002 - as above
        """Return the state that was stored."""
        return None if value is None else TrialState(value)


tables = MetaData()

run = Table(
    "run",
    tables,
    Column("name", Text, primary_key=True),
    Column("seed", Integer, nullable=False),
    Column("command", FreeText, nullable=False),
    Column("executor", Text, nullable=False),
    Column("rootdir", FreeText, nullable=False),
    Column("started", Float, nullable=False),
    Column("finished", Float),
    Column("exit_status", Integer),
    Column("versions", JsonText, nullable=False),
    Column("git_commit", Text),
    Column("git_dirty", Boolean),
    # The name of a run in the same folder for results, or a path.
    Column("resumed_from", FreeText),
)

sweep = Table(
    "sweep",
    tables,
    Column("id", FreeText, primary_key=True),
    Column("name", FreeText, nullable=False),
    Column("metric", FreeText),
    Column("mode", Text, nullable=False),
    Column("varying", JsonText, nullable=False),
    Column("source", JsonText),
    Column("average_over", JsonText),
)

trial = Table(
    "trial",
    tables,
    # The order of collection is the order on the disk; everything else goes by the key.
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False, unique=True),
    Column("sweep_id", FreeText, ForeignKey("sweep.id"), nullable=False),
    Column("node_id", FreeText, nullable=False),
    Column("name", FreeText, nullable=False),
    Column("config", JsonText, nullable=False),
    Column("resources", JsonText, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("folder", Text, nullable=False),
    Column("replicate", Integer, nullable=False),
    # No foreign key: the first of the replicates may have been left out of this run.
    Column("group_key", Text, nullable=False),
    Column("state", StateText, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("metrics", JsonText),
    Column("error", FreeText),
    Column("reason", FreeText),
    Column("location", FreeText),
    Column("started", Float),
    Column("finished", Float),
    Column("duration", Float),
    Column("checkpoint", FreeText),
    # What an earlier run has made of it, if anything: the code that did, where that is not its sweep's.
    Column("source", JsonText),
    Column("taken_from", FreeText),
    Column("params", JsonText),
)

attempt = Table(
    "attempt",
    tables,
    Column("trial_key", Text, ForeignKey("trial.key"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("location", FreeText),
    Column("started", Float),
    Column("finished", Float),
    Column("duration", Float),
    Column("error", FreeText),
    Column("output", FreeText),
)

report = Table(
    "report",
    tables,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("trial_key", Text, ForeignKey("trial.key"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("iteration", Integer, nullable=False),
    Column("metrics", JsonText, nullable=False),
    Column("checkpoint", FreeText),
    Index("report_trial", "trial_key"),
    # An interrupt may come between a commit and the news of it: what is written once more is there already.
    Index("report_once", "trial_key", "attempt", "iteration", unique=True, sqlite_where=text("iteration > 0")),
    # Few of many reports have one: they are found without looking at the others.
    Index("report_checkpoint", "trial_key", "checkpoint", sqlite_where=text("checkpoint IS NOT NULL")),
)
