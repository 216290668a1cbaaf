"""What a live view shows of a run, a few rows at a time. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple

from pytest_sweep.model import TrialState
from pytest_sweep.model.exact_json import from_json
from pytest_sweep.model.judging import Goal
from pytest_sweep.store.files import reporting_errors
from pytest_sweep.store.scanning import Judged, RunScan, judging_query
from pytest_sweep.store.trial_row import decoded

_ERROR_END = 600
"""How much of the end of an error is read: its last line says why a trial failed."""

_PART = 5000
_GROUP = 2
"""The column of a row of `judging_query` with the key of its group."""

_ENDED = tuple(state.value for state in TrialState if state.is_finished and state is not TrialState.CACHED)


class RunningRow(NamedTuple):
    """A trial that runs.

    Attributes:
        key: its key.
        name: its name.
        sweep_id: the node id of its sweep.
        started: when its attempt began, in seconds since the epoch; None where that is not known.
        config: of a slot of a search its configuration in its stored form, else None.
        metrics: what it has reported last in this attempt; None before that.
    """

    key: str
    name: str
    sweep_id: str
    started: float | None
    config: dict[str, Any] | None
    metrics: dict[str, Any] | None


class LiveScan(RunScan):
    """Reads what a live view shows of a run, as it is when it is asked for. To be closed; a context manager."""

    def running(self, most: int) -> list[RunningRow]:
        """Return up to `most` trials that run, the one that has run longest first; none if the driver is dead."""
        if not self.goes_on:
            return []
        trials = self._rows(
            "SELECT key, name, sweep_id, started, attempts, CASE WHEN slot IS NOT NULL THEN config END FROM trial "
            "WHERE state = 'RUNNING' ORDER BY started LIMIT ?",
            [most],
        )
        found = []
        for key, name, sweep, started, attempt, config in trials:
            last = self._rows(
                "SELECT metrics FROM report WHERE trial_key = ? AND attempt = ? ORDER BY id DESC LIMIT 1",
                [key, attempt],
            )
            metrics = decoded(last[0][0], from_json) if last else None
            found.append(RunningRow(key, name, sweep, started, decoded(config, json.loads), metrics))
        return found

    def running_since(self) -> list[tuple[str, float]]:
        """Return the sweep of each trial that runs, and when its attempt began."""
        if not self.goes_on:
            return []
        return self._rows("SELECT sweep_id, started FROM trial WHERE state = 'RUNNING' AND started IS NOT NULL")

    def began(self) -> float | None:
        """Return when the first trial of this run began; None before that."""
        ((began,),) = self._rows("SELECT min(started) FROM trial WHERE taken_from IS NULL")
        return began if isinstance(began, float) else None

    def lengths(self) -> list[tuple[str, int, float, float]]:
        """Return for each sweep how many of its trials have ended in this run, the sum of their seconds, and that of the squares."""
        return self._rows(
            "SELECT sweep_id, count(*), sum(duration), sum(duration * duration) FROM trial WHERE taken_from IS NULL "
            "AND duration IS NOT NULL AND state IN (SELECT value FROM json_each(?)) GROUP BY sweep_id",
            [json.dumps(_ENDED)],
        )

    def judged_in_parts(self, sweep_id: str, goal: Goal) -> Iterator[list[Judged]]:
        """Iterate over what `judged` returns, in parts of some thousand trials, each with whole groups."""
        query = f"{judging_query(goal)} ORDER BY group_key, ordinal"
        with reporting_errors(self._database, "read"), closing(self._connection.execute(query, [sweep_id])) as cursor:
            rest: list[tuple[Any, ...]] = []
            while rows := [*rest, *cursor.fetchmany(_PART)]:
                last = rows[-1][_GROUP]
                whole = [row for row in rows if row[_GROUP] != last] if len(rows) > len(rest) else rows
                rest = rows[len(whole) :]
                yield sorted(self.judge(whole, goal), key=lambda one: one.ordinal)

    def retries(self) -> int:
        """Return how many trials wait for another attempt."""
        ((count,),) = self._rows("SELECT count(*) FROM trial WHERE state = 'PENDING' AND attempts > 0")
        return int(count) if self.goes_on else 0

    def error_ends(self) -> Iterator[tuple[int, str]]:
        """Iterate over the trials that failed: their places in the order of collection, and the ends of their errors."""
        query = "SELECT ordinal, substr(coalesce(error, ''), ?) FROM trial WHERE state = 'ERROR' ORDER BY ordinal"
        with (
            reporting_errors(self._database, "read"),
            closing(self._connection.execute(query, [-_ERROR_END])) as cursor,
        ):
            yield from cursor
