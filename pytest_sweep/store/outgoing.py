"""Reads what trackers are sent of a run that may go on: reports in their order, and what became of trials. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from sqlalchemy import func, select

from pytest_sweep.store import schema
from pytest_sweep.store.changes import Changes, TrialChanges
from pytest_sweep.store.reader import RunReader, listed
from pytest_sweep.store.records import StoredReport, StoredRun, StoredSweep, StoredTrial


class Outgoing:
    """What a tracker is sent of a run. Each tracker has one of its own.

    While the driver lives only what is stored is seen, since only that has a number for good; after it was killed, all that it left.

    Args:
        folder: the run's folder.

    All methods raise SchemaError and StoreError as those of `RunReader` do.
    """

    def __init__(self, folder: Path) -> None:
        self._stored = RunReader(folder, unheard=False)
        self._whole = RunReader(folder)
        self._reader = self._stored
        self._changes = TrialChanges(self._stored)

    def see_all(self) -> None:
        """See what the driver has left, too: it is dead, and stores nothing more."""
        if self._reader is not self._whole:
            self._reader, self._changes = self._whole, TrialChanges(self._whole)

    def run(self) -> StoredRun:
        """Return what is known of the run."""
        return self._reader.run()

    def sweeps(self) -> list[StoredSweep]:
        """Return its sweeps."""
        return self._reader.sweeps()

    def goes_on(self) -> bool:
        """Say whether its driver lives."""
        return self._reader.goes_on()

    def look(self, limit: int) -> Changes:
        """Return which trials have changed since the last look."""
        return self._changes.look(limit)

    def reports_after(self, number: int, limit: int) -> Sequence[StoredReport]:
        """Return the next reports."""
        return self._reader.reports_after(number, limit)

    def trials(self, keys: Collection[str]) -> list[StoredTrial]:
        """Return trials as they are now."""
        return self._reader.trials(keys=keys)

    def last_reports(self, keys: Collection[str]) -> dict[str, StoredReport]:
        """Return the last report of each of these trials, by their keys; none of a trial that has not reported."""
        its = schema.report.c
        columns = list(its)
        last = select(func.max(its.id)).where(its.trial_key.in_(listed(keys))).group_by(its.trial_key)
        query = select(*columns).where(its.id.in_(last))
        with self._reader.reading() as connection:
            found = [StoredReport(*row) for row in self._reader.checked(connection, query, columns)]
        return {report.trial_key: report for report in found}

    def reports_of(self, key: str) -> list[StoredReport]:
        """Return all reports of a trial, in their order."""
        its = schema.report.c
        columns = list(its)
        query = select(*columns).where(its.trial_key == key).order_by(its.id)
        with self._reader.reading() as connection:
            return [StoredReport(*row) for row in self._reader.checked(connection, query, columns)]

    def left(self, number: int) -> int:
        """Return how many reports come after this number."""
        its = schema.report.c
        with self._reader.reading() as connection:
            return int(connection.execute(select(func.count()).where(its.id > number)).scalar_one())
