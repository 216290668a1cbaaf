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
from pytest_sweep.model.exact_json import from_json, plain_json, to_json
from pytest_sweep.space import stored
from pytest_sweep.store.records import NAME_MARK, name_of

INTERRUPTED = TrialState.INTERRUPTED.value
"""The state of an attempt that was cut off."""

# Made once: `json.dumps` makes an encoder a call when it is given separators.
_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class JsonText(TypeDecorator[Any]):
    """Plain data as compact JSON, as `model.exact_json` writes it; None is NULL.

    SQLAlchemy's own JSON type gives its column a numeric affinity, so that SQLite would rewrite what looks like a number.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the text that is stored."""
        return None if value is None else to_json(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the data that was stored."""
        return None if value is None else from_json(value)


class StoredText(JsonText):
    """Values in their stored form, as `space.stored` makes it, as JSON; read as they are."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the text that is stored."""
        return None if value is None else _ENCODE(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the stored form."""
        return None if value is None else plain_json(value)


class ConfigText(JsonText):
    """A configuration as JSON. What is read is its stored form: `space.restored` makes the values of it."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the text that is stored."""
        return None if value is None else _ENCODE(stored(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the stored form."""
        return None if value is None else plain_json(value)


class AnyInteger(TypeDecorator[int]):
    """An integer; one that SQLite has no room for is written as text, in hexadecimal digits, which SQLite takes for no number."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Return what is stored."""
        return value if value is None or -(2**63) <= value < 2**63 else hex(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the integer that was stored."""
        return int(value, 16) if isinstance(value, str) else value


class FreeText(TypeDecorator[str]):
    """Text from anywhere, such as an error's: half a surrogate pair, which SQLite refuses, is written as its escape."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the text that is stored."""
        if value is None or value.isascii():
            return value
        return value.encode("utf-8", "backslashreplace").decode("utf-8")


class NameText(FreeText):
    """A name by which something is looked up in metrics: with half a surrogate pair in it, it is written as JSON after a mark."""

    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text that is stored."""
        shown = super().process_bind_param(value, dialect)
        return value if value == shown and not str(value).startswith(NAME_MARK) else NAME_MARK + _ENCODE(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - as above
        """Return the name that was stored."""
        return name_of(value)


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
    Column("seed", AnyInteger, nullable=False),
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
    # Who runs it: `4711 on host`.
    Column("driver", FreeText),
)

# What made results, once for all that share it.
code = Table("code", tables, Column("id", Text, primary_key=True), Column("content", JsonText))

sweep = Table(
    "sweep",
    tables,
    Column("id", FreeText, primary_key=True),
    Column("name", FreeText, nullable=False),
    Column("metric", NameText),
    Column("mode", Text, nullable=False),
    Column("varying", JsonText, nullable=False),
    # The id of a row of `code`; NULL where nobody knows.
    Column("source", Text),
    Column("average_over", JsonText),
    # Pairs of metric and mode, where there are several.
    Column("objectives", JsonText),
    Column("feasible", JsonText),
    Column("search", FreeText),
    Column("scheduler", FreeText),
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
    Column("config", ConfigText, nullable=False),
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
    # The id of a row of `code`: what has made its result, where that is not its sweep's; NULL where it is.
    Column("source", Text),
    Column("taken_from", FreeText),
    Column("params", StoredText),
    Column("configuration", FreeText),
    Column("study", FreeText),
    Column("slot", Integer),
    Column("point_key", Text),
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

# What searchers and schedulers have decided: replayed in the order of the numbers it gives them their state.
decision = Table(
    "decision",
    tables,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("study", FreeText, nullable=False),
    # No foreign key: it counts also where its trial is left out of a run.
    Column("trial_key", Text, nullable=False),
    Column("attempt", Integer),
    Column("iteration", Integer),
    Column("content", JsonText, nullable=False),
)
