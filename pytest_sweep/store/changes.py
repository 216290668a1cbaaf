"""Tells what has become of the trials of a run since the last look, for who follows it. Reads only, and sends nothing anywhere."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from pytest_sweep.model import TrialState
from pytest_sweep.store import schema
from pytest_sweep.store.reader import RunReader
from pytest_sweep.store.records import StoredTrial, is_open, left_open_as

_NUMBERS = {state: number for number, state in enumerate(TrialState, 1)}
_UNSEEN = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed at one look.

    Attributes:
        trials: the trials that are new or have another state or attempt than at the last look, in the order of their collection.
        last_report: the number of the newest report, 0 where there is none: the reports of those `trials` that have ended have no higher
            one. `RunReader.reports_after` returns them.
        has_more: whether more trials have changed than a look returns.
    """

    trials: Sequence[StoredTrial]
    last_report: int
    has_more: bool


class TrialChanges:
    """Follows the trials of a run, also while it goes on, by looking again and again.

    A look reads the state of each trial (100,000 take a tenth of a second), and the whole row only of those that have changed. Between
    looks eight bytes a trial are kept.

    A trial that begins and ends between two looks is seen once, as it is then. One that was retried has more `attempts`.

    Args:
        reader: reads the run.

    Example:
        >>> changes, cursor = TrialChanges(reader), 0
        >>> seen = changes.look()
        >>> while cursor < seen.last_report:
        ...     reports = reader.reports_after(cursor)
        ...     send(reports)
        ...     cursor = reports[-1].id
        >>> end(trial for trial in seen.trials if trial.state.is_finished)
    """

    def __init__(self, reader: RunReader) -> None:
        self._reader = reader
        self._seen = array("q")

    def look(self, limit: int = 1000) -> Changes:
        """Return what has changed since the last look.

        Args:
            limit: how many trials are returned at the most; the others come with the next look.

        Raises:
            SchemaError, StoreError: as for `RunReader`.
        """
        # Asked before the states are read: those of a driver that is dead by then do not change any more.
        goes_on = self._reader.goes_on()
        changed: dict[str, int] = {}
        has_more = False
        with self._reader.reading() as connection:
            for ordinal, key, word, attempts in connection.exec_driver_sql(
                "SELECT ordinal, key, state, attempts FROM trial ORDER BY ordinal"
            ):
                state = TrialState(word)
                if is_open(state) and not goes_on:
                    state = left_open_as(attempts)
                if self._mark_at(ordinal) == _mark(state, attempts):
                    continue
                if len(changed) == limit:
                    has_more = True
                    break
                changed[key] = ordinal
        trials = self._reader.trials(keys=changed) if changed else []
        for trial in trials:  # As they are now, which may be later.
            self._seen[changed[trial.key]] = _mark(trial.state, trial.attempts)
        with self._reader.reading() as connection:
            last = connection.execute(select(func.max(schema.report.c.id))).scalar_one()
        return Changes(trials, last or 0, has_more)

    def _mark_at(self, ordinal: int) -> int:
        if ordinal >= len(self._seen):
            self._seen.extend([_UNSEEN] * (ordinal + 1 - len(self._seen)))
        return self._seen[ordinal]


def _mark(state: TrialState, attempts: int) -> int:
    return attempts * (len(_NUMBERS) + 1) + _NUMBERS[state]
