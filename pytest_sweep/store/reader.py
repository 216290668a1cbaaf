"""Reading a run's database, also while it is written and after its writer was killed. Writes nothing."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, func, select

from pytest_sweep.errors import StoreError
from pytest_sweep.model import TrialState
from pytest_sweep.store import schema
from pytest_sweep.store.database import NotBegunError, reading_engine, reporting_errors
from pytest_sweep.store.folders import DATABASE
from pytest_sweep.store.records import (
    KILLED,
    StoredAttempt,
    StoredReport,
    StoredRun,
    StoredSweep,
    StoredTrial,
    is_open,
    left_open_as,
)
from pytest_sweep.store.running import is_running


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
            StoredSweep(row.id, row.name, row.metric, row.mode, tuple(row.varying), tuple(row.average_over or ()))
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
        found = self._read_trials(query)
        if any(is_open(trial.state) for trial in found) and not self.goes_on():
            # Once more: its driver may have written how they ended just before it was gone.
            found = [_left_open(trial) if is_open(trial.state) else trial for trial in self._read_trials(query)]
        return self._with_last_reports(found)

    def attempts(self, trial_key: str) -> list[StoredAttempt]:
        """Return the attempts of a trial, the first one first."""
        table = schema.attempt
        query = select(table).where(table.c.trial_key == trial_key).order_by(table.c.number)
        with self.reading() as connection:
            rows = connection.execute(query).all()
        is_over = any(row.state == TrialState.RUNNING.value for row in rows) and not self.goes_on()
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

    def reports_after(self, id: int, limit: int = 1000) -> list[StoredReport]:  # noqa: A002 - the column's name
        """Return the first reports with a higher number than `id`, in their order; an empty list if there are none yet.

        Reports are numbered in the order of their commits: who asks again with the number of the last one gets each report once.

        Args:
            id: the number of the last report that is known; 0 for none.
            limit: how many are returned at the most.

        Example:
            >>> while reports := reader.reports_after(cursor):
            ...     send(reports)
            ...     cursor = reports[-1].id
        """
        return next(self.stream_reports(id, limit), [])

    def stream_reports(self, after: int = 0, batch: int = 1000) -> Iterator[list[StoredReport]]:
        """Iterate over the reports with a higher number than `after` that are there, in lists of up to `batch`.

        The database is opened once. Each list is read in a transaction of its own, so that no writer waits for what is done with it.

        Args:
            after: the number of the last report that is known; 0 for none.
            batch: how many are in memory at once.
        """
        columns = schema.report.c
        query = (
            select(*(columns[field.name] for field in fields(StoredReport)))
            .where(columns.id > bindparam("after"))
            .order_by(columns.id)
            .limit(batch)
        )
        with self._connected() as connection:
            while True:
                with self._transaction(connection):
                    rows = connection.execute(query, {"after": after}).all()
                if not rows:
                    return
                after = rows[-1].id
                yield [self._report(row) for row in rows]

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Return a connection for queries of one's own, in one transaction, so that all of them see the same state."""
        with self._connected() as connection, self._transaction(connection):
            yield connection

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with reporting_errors(self._database, "read"), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _transaction(self, connection: Connection) -> Iterator[None]:
        connection.exec_driver_sql("BEGIN")
        try:
            yield
        except ValueError as error:  # It is no JSON, or no state.
            raise StoreError(f"the results database {self._database} cannot be read: it is damaged: {error}") from error
        finally:
            connection.rollback()

    def _report(self, row: Row[Any]) -> StoredReport:
        report = StoredReport(**row._mapping)
        return report if report.checkpoint is None else replace(report, checkpoint=self._full_path(report.checkpoint))

    def goes_on(self) -> bool:
        """Say whether the driver of the run lives."""
        return is_running(self.path, self.run().driver)

    def _read_trials(self, query: Select[Any]) -> list[StoredTrial]:
        with self.reading() as connection:
            return [self._trial(row) for row in connection.execute(query)]

    def _with_last_reports(self, trials: list[StoredTrial]) -> list[StoredTrial]:
        """Return `trials` with the last reports of those that were cut off before they had final metrics."""
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
    return replace(trial, state=left_open_as(trial.attempts), reason=KILLED)
