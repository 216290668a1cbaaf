"""Reading a run's database, also while it is written and after its writer was killed. Writes nothing."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from pytest_sweep.errors import StoreError
from pytest_sweep.model import TrialState
from pytest_sweep.model.search_events import Decision
from pytest_sweep.store import schema
from pytest_sweep.store.decisions import decision_of
from pytest_sweep.store.files import reporting_errors
from pytest_sweep.store.folders import DATABASE
from pytest_sweep.store.history import Reported, history_of
from pytest_sweep.store.nonsense import unsound_error
from pytest_sweep.store.opening import nothing_in, reading_engine
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
from pytest_sweep.store.rows import NonsenseError, RowCheck
from pytest_sweep.store.running import is_running

_RUN = [schema.run.c[field.name] for field in fields(StoredRun)]
_SWEEP = [schema.sweep.c[field.name] for field in fields(StoredSweep)]
# By position, which for a hundred thousand trials is worth seconds.
_TRIAL = [schema.trial.c[field.name] for field in fields(StoredTrial)]
_REPORT = [schema.report.c[field.name] for field in fields(StoredReport)]
_ATTEMPT = [schema.attempt.c[field.name] for field in fields(StoredAttempt)]


class RunReader:
    """Reads one run. Every call opens the database anew, so that none is kept open and each sees the newest state.

    Attributes:
        path: the run's folder.

    Args:
        path: the run's folder.
        unheard: whether it sees what a trial that runs inline has said and is not stored yet. Such reports have numbers for this once.

    All methods raise SchemaError for the database of a version that cannot be read, and StoreError for one that cannot be read.
    """

    def __init__(self, path: Path, *, unheard: bool = True) -> None:
        self.path = path
        self._database = path / DATABASE
        self._engine = reading_engine(self._database, unheard=unheard)

    def __reduce__(self) -> tuple[type[RunReader], tuple[Path]]:
        """Travel as the path of the run: in another process, and after a copy, it is opened there."""
        return RunReader, (self.path,)

    def run(self) -> StoredRun:
        """Return what is known of the run itself."""
        with self.reading() as connection:
            rows = list(self.checked(connection, select(*_RUN).limit(2), _RUN))
            if len(rows) > 1:
                raise NonsenseError("there is more than one run")
        if not rows:
            raise nothing_in(self._database)
        return StoredRun(*rows[0])

    def sweeps(self) -> list[StoredSweep]:
        """Return the run's sweeps, in the order of their first trials."""
        first = func.min(schema.trial.c.ordinal)
        with self.reading() as connection:
            query = (
                select(*_SWEEP)
                .join(schema.trial, schema.trial.c.sweep_id == schema.sweep.c.id)
                .group_by(schema.sweep.c.id)
                .order_by(first)
            )
            rows = list(self.checked(connection, query, _SWEEP))
        return [
            StoredSweep(
                sweep,
                name,
                metric,
                mode,
                tuple(varying),
                tuple(average_over or ()),
                tuple((metric, mode) for metric, mode in objectives or ()),
                tuple(feasible or ()),
                search,
                scheduler,
            )
            for sweep, name, metric, mode, varying, average_over, objectives, feasible, search, scheduler in rows
        ]

    def trials(self, sweep_id: str | None = None, keys: Collection[str] | None = None) -> list[StoredTrial]:
        """Return trials in the order of their collection: all, those of one sweep, those with one of `keys`."""
        query = select(*_TRIAL).order_by(schema.trial.c.ordinal)
        if sweep_id is not None:
            query = query.where(schema.trial.c.sweep_id == sweep_id)
        if keys is not None:
            query = query.where(schema.trial.c.key.in_(listed(keys)))
        found = self._read_trials(query)
        if any(is_open(trial.state) for trial in found) and not self.goes_on():
            # Once more: its driver may have written how they ended just before it was gone.
            found = [_left_open(trial) if is_open(trial.state) else trial for trial in self._read_trials(query)]
        return self._with_last_reports(found)

    def decisions(self) -> list[Decision]:
        """Return what searchers and schedulers have decided, in order; also on trials that are not in this run."""
        table = schema.decision
        names, query = table.columns.keys(), select(table).order_by(table.c.number)
        with self.reading() as connection:
            return [
                decision_of(dict(zip(names, row, strict=True)))
                for row in self.checked(connection, query, list(table.columns))
            ]

    def attempts(self, trial_key: str) -> list[StoredAttempt]:
        """Return the attempts of a trial, the first one first."""
        table = schema.attempt
        query = select(*_ATTEMPT).where(table.c.trial_key == trial_key).order_by(table.c.number)
        with self.reading() as connection:
            found = [StoredAttempt(*row) for row in self.checked(connection, query, _ATTEMPT)]
        running = [attempt for attempt in found if attempt.state == TrialState.RUNNING.value]
        if running and not self.goes_on():
            found = [replace(its, state=schema.INTERRUPTED) if its in running else its for its in found]
        return found

    def checkpoints(self, trial_key: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the checkpoints of a trial that were kept, the oldest one first, each with the metrics that it was reported with."""
        its = schema.report.c
        columns = [its.checkpoint, its.metrics]
        query = select(*columns).where(its.trial_key == trial_key, its.checkpoint.is_not(None)).order_by(its.id)
        with self.reading() as connection:
            return [
                (self._full_path(checkpoint), metrics)
                for checkpoint, metrics in self.checked(connection, query, columns)
            ]

    def history(self, trial_key: str) -> list[dict[str, Any]]:
        """Return what a trial reported, in order, each iteration once.

        An attempt that is restored from a checkpoint goes on counting: what earlier attempts reported up to there counts too.
        """
        return self.histories([trial_key])[trial_key]

    def histories(self, trial_keys: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        """Return the `history` of each of these trials; read at once, which is quicker than one by one."""
        its, key, attempts_of = schema.report.c, schema.trial.c.key, schema.trial.c.attempts
        columns = [its.trial_key, its.attempt, its.iteration, its.metrics, its.checkpoint]
        reports = select(*columns).where(its.trial_key.in_(listed(trial_keys))).order_by(its.id)
        begun = select(key, attempts_of).where(key.in_(listed(trial_keys)))
        with self.reading() as connection:
            attempts: dict[str, int] = dict(map(tuple, self.checked(connection, begun, [key, attempts_of])))
            found: defaultdict[str, list[Reported]] = defaultdict(list)
            for trial_key, *report in self.checked(connection, reports, columns):
                found[trial_key].append(Reported(*report))
        return {key: history_of(found.get(key, ()), attempts.get(key, 0)) for key in trial_keys}

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
        its = schema.report.c.id
        query = select(*_REPORT).where(its > bindparam("after")).order_by(its).limit(batch)
        with self._connected() as connection:
            while True:
                with _transaction(connection):
                    rows = list(self.checked(connection, query, _REPORT, {"after": after}))
                if not rows:
                    return
                found = [self._report(row) for row in rows]
                after = found[-1].id
                yield found

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Return a connection for queries of one's own, in one transaction, so that all of them see the same state.

        Raises:
            UnsoundError: a row holds what is never stored; the text names it.
            SchemaError, StoreError: it cannot be read.
        """
        with self._connected() as connection, _transaction(connection):
            yield connection

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with reporting_errors(self._database, "read"), self._engine.connect() as connection:
                yield connection
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise unsound_error(self._database, error) from error
        except StoreError as error:
            # SQLite stores what is no text as text, and refuses to read it.
            if "UTF-8" not in str(error.__cause__):
                raise
            raise unsound_error(self._database, error) from error

    def checked(
        self,
        connection: Connection,
        query: Select[Any],
        columns: Sequence[Any],
        values: Mapping[str, Any] | None = None,
    ) -> Iterator[Sequence[Any]]:
        """Iterate over the rows that a query, with the values of its parameters, returns, which hold these columns, each checked."""
        check = RowCheck(columns)
        for row in connection.execute(query, values):
            check(row)
            yield row

    def goes_on(self) -> bool:
        """Say whether the driver of the run lives."""
        return is_running(self.path, self.run().driver)

    def _read_trials(self, query: Select[Any]) -> list[StoredTrial]:
        with self.reading() as connection:
            return [self._trial(row) for row in self.checked(connection, query, _TRIAL)]

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

    def _report(self, row: Sequence[Any]) -> StoredReport:
        report = StoredReport(*row)
        return report if report.checkpoint is None else replace(report, checkpoint=self._full_path(report.checkpoint))

    def _full_path(self, stored: str) -> str:
        # Stored relative to the run where it lies in it; an absolute one and a URL are kept as they are.
        return stored if "://" in stored else str(self.path / stored)


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    connection.exec_driver_sql("BEGIN")
    try:
        yield
    finally:
        connection.rollback()


def listed(keys: Collection[str]) -> Select[tuple[Any]]:
    """Return a query for `keys` themselves."""
    # As one JSON value, because SQLite limits how many values a query may have.
    return select(func.json_each(json.dumps(list(keys))).table_valued("value").c.value)


def _left_open(trial: StoredTrial) -> StoredTrial:
    return replace(trial, state=left_open_as(trial.attempts), reason=KILLED)
