"""Reading a run's database, also while it is written and after its writer was killed. Writes nothing."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from pytest_sweep.model import TrialState
from pytest_sweep.model.search_events import Decision
from pytest_sweep.store import schema
from pytest_sweep.store.database import NotBegunError, reading_engine, reporting_errors
from pytest_sweep.store.decisions import decision_of
from pytest_sweep.store.folders import DATABASE
from pytest_sweep.store.records import StoredAttempt, StoredRun, StoredSweep, StoredTrial
from pytest_sweep.store.running import is_running

_OPEN = (TrialState.PENDING, TrialState.RUNNING, TrialState.PAUSED)


class _Report(NamedTuple):
    attempt: int
    iteration: int
    metrics: dict[str, Any]
    checkpoint: str | None


class RunReader:
    """Reads one run. Every call opens the database anew, so that none is kept open and each sees the newest state.

    Attributes:
        path: the run's folder.

    All methods raise SchemaError for the database of a version that cannot be read, and StoreError for one that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = path / DATABASE
        self._engine = reading_engine(self._database)

    def __reduce__(self) -> tuple[type[RunReader], tuple[Path]]:
        """Travel as the path of the run: in another process, and after a copy, it is opened there."""
        return RunReader, (self.path,)

    def run(self) -> StoredRun:
        """Return what is known of the run itself."""
        with self.reading() as connection:
            row = connection.execute(select(schema.run)).one_or_none()
        if row is None:
            raise NotBegunError(self._database, "holds no run")
        return StoredRun(**row._mapping)

    def sweeps(self) -> list[StoredSweep]:
        """Return the run's sweeps, in the order of their first trials."""
        first = func.min(schema.trial.c.ordinal)
        with self.reading() as connection:
            rows = connection.execute(
                select(schema.sweep)
                .join(schema.trial, schema.trial.c.sweep_id == schema.sweep.c.id)
                .group_by(schema.sweep.c.id)
                .order_by(first)
            ).all()
        return [
            StoredSweep(
                row.id,
                row.name,
                row.metric,
                row.mode,
                tuple(row.varying),
                tuple(row.average_over or ()),
                tuple((metric, mode) for metric, mode in row.objectives or ()),
                tuple(row.feasible or ()),
                row.search,
                row.scheduler,
            )
            for row in rows
        ]

    def trials(self, sweep_id: str | None = None, keys: Collection[str] | None = None) -> list[StoredTrial]:
        """Return trials in the order of their collection: all, those of one sweep, those with one of `keys`."""
        # By position, which for a hundred thousand trials is worth seconds.
        query = select(*(schema.trial.c[field.name] for field in fields(StoredTrial))).order_by(schema.trial.c.ordinal)
        if sweep_id is not None:
            query = query.where(schema.trial.c.sweep_id == sweep_id)
        if keys is not None:
            query = query.where(schema.trial.c.key.in_(listed(keys)))
        with self.reading() as connection:
            found = [self._trial(row) for row in connection.execute(query)]
        return self._with_cut_off(found)

    def decisions(self, trial_key: str | None = None) -> list[Decision]:
        """Return what searchers and schedulers have decided, in order: all of it, or on one trial.

        The configuration of a slot is there where its trial is in this run.
        """
        table, its = schema.decision, schema.trial.c
        query = select(table, its.config).outerjoin(schema.trial, table.c.trial_key == its.key).order_by(table.c.number)
        if trial_key is not None:
            query = query.where(table.c.trial_key == trial_key)
        with self.reading() as connection:
            return [decision_of(row._asdict(), row.config) for row in connection.execute(query)]

    def attempts(self, trial_key: str) -> list[StoredAttempt]:
        """Return the attempts of a trial, the first one first."""
        table = schema.attempt
        query = select(table).where(table.c.trial_key == trial_key).order_by(table.c.number)
        with self.reading() as connection:
            rows = connection.execute(query).all()
        is_over = any(row.state == TrialState.RUNNING.value for row in rows) and not self._goes_on()
        return [
            StoredAttempt(
                row.number,
                schema.INTERRUPTED if is_over and row.state == TrialState.RUNNING.value else row.state,
                row.location,
                row.started,
                row.finished,
                row.duration,
                row.error,
                row.output,
            )
            for row in rows
        ]

    def checkpoints(self, trial_key: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the checkpoints of a trial that were kept, the oldest one first, each with the metrics that it was reported with."""
        columns = schema.report.c
        query = (
            select(columns.checkpoint, columns.metrics)
            .where(columns.trial_key == trial_key, columns.checkpoint.is_not(None))
            .order_by(columns.id)
        )
        with self.reading() as connection:
            return [(self._full_path(row.checkpoint), row.metrics) for row in connection.execute(query)]

    def history(self, trial_key: str) -> list[dict[str, Any]]:
        """Return what a trial reported, in order, each iteration once.

        An attempt that is restored from a checkpoint goes on counting: what earlier attempts reported up to there counts too.
        """
        return self.histories([trial_key])[trial_key]

    def histories(self, trial_keys: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        """Return the `history` of each of these trials; read at once, which is quicker than one by one."""
        columns = schema.report.c
        reports = (
            select(columns.trial_key, columns.attempt, columns.iteration, columns.metrics, columns.checkpoint)
            .where(columns.trial_key.in_(listed(trial_keys)))
            .order_by(columns.id)
        )
        begun = select(schema.trial.c.key, schema.trial.c.attempts).where(schema.trial.c.key.in_(listed(trial_keys)))
        with self.reading() as connection:
            attempts: dict[str, int] = {row.key: row.attempts for row in connection.execute(begun)}
            found: defaultdict[str, list[_Report]] = defaultdict(list)
            for row in connection.execute(reports):
                found[row.trial_key].append(_Report(row.attempt, row.iteration, row.metrics, row.checkpoint))
        return {key: _history(found.get(key, ()), attempts.get(key, 0)) for key in trial_keys}

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Return a connection for queries of one's own, in one transaction, so that all of them see the same state."""
        with reporting_errors(self._database, "read"), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection

    def _goes_on(self) -> bool:
        return is_running(self.path, self.run().driver)

    def _with_cut_off(self, trials: list[StoredTrial]) -> list[StoredTrial]:
        """Return `trials` with what is known of those that were cut off: a driver that was killed could not say what became of them."""
        if any(trial.state in _OPEN for trial in trials) and not self._goes_on():
            trials = [_left_open(trial) if trial.state in _OPEN else trial for trial in trials]
        bare = [trial.key for trial in trials if trial.state is TrialState.INTERRUPTED and trial.metrics is None]
        if not bare:
            return trials
        last = {key: history[-1] for key, history in self.histories(bare).items() if history}
        return [replace(trial, metrics=last[trial.key]) if trial.key in last else trial for trial in trials]

    def _trial(self, row: Sequence[Any]) -> StoredTrial:
        trial = StoredTrial(*row)
        return trial if trial.checkpoint is None else replace(trial, checkpoint=self._full_path(trial.checkpoint))

    def _full_path(self, stored: str) -> str:
        # Stored relative to the run where it lies in it; an absolute one and a URL are kept as they are.
        return stored if "://" in stored else str(self.path / stored)


def listed(keys: Collection[str]) -> Select[tuple[Any]]:
    """Return a query for `keys` themselves."""
    # As one JSON value, because SQLite limits how many values a query may have.
    return select(func.json_each(json.dumps(list(keys))).table_valued("value").c.value)


def _history(reports: Sequence[_Report], attempts: int) -> list[dict[str, Any]]:
    last = max([attempts, *(report.attempt for report in reports)])
    kept: list[_Report] = []
    for number in range(1, last + 1):
        new = [report for report in reports if report.attempt == number]
        if not new and number < last:
            continue  # What it had from before, the next one says: it may have recovered more than was heard of until then.
        # An attempt without reports goes on from the newest checkpoint, or from the start, all the same.
        restored = next((report.iteration for report in reversed(kept) if report.checkpoint is not None), 0)
        first = new[0].iteration if new else restored + 1
        kept = [report for report in kept if report.iteration < first] + new
    return [report.metrics for report in kept]


def _left_open(trial: StoredTrial) -> StoredTrial:
    state = TrialState.INTERRUPTED if trial.attempts else TrialState.NOT_RUN
    return replace(trial, state=state, reason="the session was killed")
