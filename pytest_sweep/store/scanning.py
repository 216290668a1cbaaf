"""Rows of a run by sqlite3 alone, each value decoded when it is asked for: for who lists a thousand runs or 100,000 trials at once.

`RunReader` says the same of a trial in records, for which SQLAlchemy has to be imported. Writes nothing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_sweep.model import TrialState
from pytest_sweep.model.exact_json import from_json
from pytest_sweep.model.judging import Goal
from pytest_sweep.model.metrics import metric_value
from pytest_sweep.model.spread import is_finite, judged_number
from pytest_sweep.space.feasibility import feasibility
from pytest_sweep.store.files import reporting_errors
from pytest_sweep.store.folders import DATABASE
from pytest_sweep.store.history import Reported, history_of
from pytest_sweep.store.opening import nothing_in, reading_connection
from pytest_sweep.store.records import KILLED, StoredSweep, left_open_as, name_of
from pytest_sweep.store.running import is_running
from pytest_sweep.store.trial_row import COLUMNS, OPEN, TrialRow, decoded, state_of

if TYPE_CHECKING:
    from typing_extensions import Self

_CHUNK = 5000
"""How many rows are read in one transaction: on a file system of several machines, a writer waits for its end."""

# What SQLite finds by its path as Python finds it by its name: no quotes, no backslashes, no escapes.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_./@% -]+")

_TEXT = (str, type(None))
_OF_NONSENSE = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What code raises that is handed values of other types than it expects."""


class Judged(NamedTuple):
    """What a trial is judged by.

    Attributes:
        ordinal: its place in the order of collection.
        group: what it shares with its replicates.
        state: its state.
        reason: why it was not run, or None.
        value: the last finite value of the metric that it has reported, else the last number; None for one that is no candidate.
    """

    ordinal: int
    group: str
    state: TrialState
    reason: str | None
    value: float | None


class RunScan:
    """Reads one run, whose database it opens once. To be closed; a context manager.

    Args:
        folder: the folder of the run.
        database: the database, or a copy of it; default that in `folder`.

    Raises:
        SchemaError: the database is of a version that cannot be read.
        StoreError: it cannot be read; so do all methods. What goes wrong in a ``with`` block because a row holds what is never stored
            becomes one, which names the row.
    """

    def __init__(self, folder: Path, database: Path | None = None) -> None:
        self.folder = folder
        self._database = folder / DATABASE if database is None else database
        self._connection = reading_connection(self._database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._connection.close()
        # Rows are not checked when they are read, for speed: a database may come from anyone, and hold anything.
        if isinstance(error, _OF_NONSENSE):
            from pytest_sweep.store.nonsense import first_problem, unsound_error

            if first_problem(self._database) is not None:
                raise unsound_error(self._database, error) from error

    @cached_property
    def run(self) -> Mapping[str, Any]:
        """The row of the run, its values as they are stored."""
        with reporting_errors(self._database, "read"):
            found = self._connection.execute("SELECT * FROM run")
            row = found.fetchone()
        if row is None:
            raise nothing_in(self._database)
        return dict(zip([name for name, *_ in found.description], row, strict=True))

    @cached_property
    def goes_on(self) -> bool:
        """Whether its driver lived when this was asked first."""
        return self.run["finished"] is None and is_running(self.folder, self.run["driver"])

    @cached_property
    def sweeps(self) -> list[StoredSweep]:
        """The sweeps, in the order of their first trials."""
        query = (
            "SELECT id, name, metric, mode, varying, average_over, objectives, feasible, search, scheduler FROM sweep"
        )
        if self._has_several_sweeps:
            query += " ORDER BY (SELECT min(ordinal) FROM trial WHERE sweep_id = sweep.id)"
        rows = self._rows(query)
        if not all(type(value) in _TEXT for row in rows for value in row):
            from pytest_sweep.store.nonsense import unsound_error

            raise unsound_error(self._database, TypeError("the text of a sweep is none"))
        return [
            StoredSweep(
                key,
                name,
                decoded(metric, name_of),
                mode,
                tuple(decoded(varying, json.loads)),
                tuple(decoded(average, json.loads) or ()),
                tuple((one, its) for one, its in decoded(objectives, json.loads) or ()),
                tuple(decoded(feasible, json.loads) or ()),
                search,
                scheduler,
            )
            for key, name, metric, mode, varying, average, objectives, feasible, search, scheduler in rows
        ]

    def counts(self) -> dict[str, Counter[TrialState]]:
        """Return how many trials of each sweep are in each state."""
        goes_on = self.goes_on
        found: dict[str, Counter[TrialState]] = {sweep.id: Counter() for sweep in self.sweeps}
        for sweep, word, attempts, count in self._rows(
            "SELECT sweep_id, state, attempts > 0, count(*) FROM trial GROUP BY sweep_id, state, attempts > 0"
        ):
            state = state_of(word)
            if state in OPEN and not goes_on:
                state = left_open_as(attempts)
            found.setdefault(sweep, Counter())[state] += count
        return found

    def trials(self, sweep_id: str | None = None) -> Iterator[TrialRow]:
        """Iterate over the trials in the order of their collection: all, or those of one sweep. Few are in memory at once."""
        goes_on, last = self.goes_on, -1
        chosen = "" if sweep_id is None else " AND sweep_id = :sweep"
        query = f"SELECT {COLUMNS} FROM trial WHERE ordinal > :last{chosen} ORDER BY ordinal LIMIT {_CHUNK}"
        while rows := self._rows(query, {"last": last, "sweep": sweep_id}):
            last = rows[-1][0]
            yield from self._completed([TrialRow(row, self.folder, goes_on) for row in rows])

    def trials_at(self, ordinals: Collection[int]) -> list[TrialRow]:
        """Return the trials at these places of the order of collection, in the order in which they are given."""
        query = f"SELECT {COLUMNS} FROM trial WHERE ordinal IN (SELECT value FROM json_each(?))"
        found = {
            row[0]: TrialRow(row, self.folder, self.goes_on) for row in self._rows(query, [json.dumps([*ordinals])])
        }
        return list(self._completed([found[ordinal] for ordinal in ordinals if ordinal in found]))

    def trials_named(self, text: str) -> list[TrialRow]:
        """Return the trials with this name, node id or key; else those whose name or node id has it, or whose key begins so."""
        for condition in (
            "key = :text OR name = :text OR node_id = :text",
            "instr(name, :text) OR instr(node_id, :text) OR substr(key, 1, length(:text)) = :text",
        ):
            rows = self._rows(f"SELECT {COLUMNS} FROM trial WHERE {condition} ORDER BY ordinal", {"text": text})
            if rows:
                return list(self._completed([TrialRow(row, self.folder, self.goes_on) for row in rows]))
        return []

    def errors(self) -> list[tuple[int, str, str]]:
        """Return the place in the order of collection, the sweep and the error of each trial that failed."""
        return self._rows(
            "SELECT ordinal, sweep_id, coalesce(error, '') FROM trial WHERE state = 'ERROR' ORDER BY ordinal"
        )

    def attempts(self) -> Iterator[tuple[int, int, str, str | None, float | None, float | None]]:
        """Iterate over all attempts: ordinal of the trial, number, state, location, when it began and when it ended, in seconds."""
        goes_on, last = self.goes_on, (-1, -1)
        query = (
            "SELECT ordinal, number, attempt.state, attempt.location, attempt.started, attempt.finished FROM trial "
            "JOIN attempt ON trial_key = key WHERE (ordinal, number) > (:ordinal, :number) ORDER BY ordinal, number "
            f"LIMIT {_CHUNK}"
        )
        while rows := self._rows(query, {"ordinal": last[0], "number": last[1]}):
            last = rows[-1][:2]
            for ordinal, number, state, *rest in rows:
                is_cut = state == TrialState.RUNNING.value and not goes_on
                yield ordinal, number, TrialState.INTERRUPTED.value if is_cut else state, *rest

    def report_texts(self, trials: Iterable[TrialRow]) -> dict[str, list[str]]:
        """Return the history of each of these trials by its key, each report as the JSON that is stored: few of many are decoded."""
        attempts = {row.key: row.attempts for row in trials}
        texts: dict[str, list[str]] = {key: [] for key in attempts}
        chosen = "FROM report WHERE trial_key IN (SELECT value FROM json_each(?)) AND attempt > 0 ORDER BY id"
        # Of most trials all reports are their history.
        once = json.dumps([key for key, count in attempts.items() if count < 2])
        for key, text in self._rows(f"SELECT trial_key, metrics {chosen}", [once]):
            texts[key].append(text)
        found: dict[str, list[Reported]] = {key: [] for key, count in attempts.items() if count > 1}
        columns = "trial_key, attempt, iteration, metrics, checkpoint"
        for key, *report in self._rows(f"SELECT {columns} {chosen}", [json.dumps([*found])]) if found else ():
            found[key].append(Reported(*report))
        again: Any = {key: history_of(reports, attempts[key]) for key, reports in found.items()}
        texts.update(again)
        return texts

    def judged(self, sweep_id: str, goal: Goal) -> list[Judged]:
        """Return what each trial of a sweep is judged by, as `model.judging` defines it for the scope ``last``."""
        return self.judge(self._rows(f"{judging_query(goal)} ORDER BY ordinal", [sweep_id]), goal)

    def judge(self, rows: Sequence[tuple[Any, ...]], goal: Goal) -> list[Judged]:
        """Return what trials are judged by, of rows that `judging_query` has found."""
        goes_on = self.goes_on
        found: list[Judged] = []
        unknown: dict[str, int] = {}
        conditions = feasibility(goal.feasible) if goal.feasible else None
        extracted = _value_of(goal)[1]
        considered = {
            (state, is_none): goal.considers(state, None if is_none else "")
            for state in TrialState
            for is_none in (True, False)
        }
        for ordinal, key, group, word, attempts, stored_reason, content in rows:
            state, reason, number = state_of(word), stored_reason, None
            if state in OPEN and not goes_on:
                state, reason = left_open_as(attempts), KILLED
            if considered[state, reason is None]:
                metrics = None if extracted else decoded(content, from_json)
                if conditions is None or conditions.holds(metrics):
                    number = judged_number(content if extracted else metric_value(metrics, goal.metric))
                    if number is None or not is_finite(number):
                        unknown[key] = len(found)
            found.append(Judged(ordinal, group, state, reason, number))
        for key, reports in self._histories(unknown).items():
            place = unknown[key]
            reported = [*(metric_value(report, goal.metric) for report in reports), found[place].value]
            found[place] = found[place]._replace(value=goal.value(reported))
        return found

    @cached_property
    def _has_several_sweeps(self) -> bool:
        ((count,),) = self._rows("SELECT count(*) FROM sweep")
        return bool(count > 1)

    def _completed(self, rows: Iterable[TrialRow]) -> list[TrialRow]:
        rows = list(rows)
        for key, reports in self._histories({row.key: 0 for row in rows if row.is_bare}).items():
            if reports:
                next(row for row in rows if row.key == key).last_report = reports[-1]
        return rows

    def _histories(self, keys: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        if not keys:
            return {}
        from pytest_sweep.store.reader import RunReader

        return RunReader(self._database.parent).histories(list(keys))

    def _rows(self, query: str, values: Any = ()) -> list[tuple[Any, ...]]:
        with reporting_errors(self._database, "read"), closing(self._connection.execute(query, values)) as cursor:
            return cursor.fetchall()


def judging_query(goal: Goal) -> str:
    """Return the query for what the trials of the sweep with an id are judged by, without an order."""
    return (
        f"SELECT ordinal, key, group_key, state, attempts, reason, {_value_of(goal)[0]} FROM trial WHERE sweep_id = ?"
    )


def _value_of(goal: Goal) -> tuple[str, bool]:
    """Return the expression for a metric, and whether it is its number; else it is the JSON of all metrics, as conditions need them."""
    metric = goal.metric
    if goal.feasible or not _PLAIN_NAME.fullmatch(metric):
        return "metrics", False
    paths = [f'$."{metric}"']
    if "/" in metric:
        paths.append("$" + "".join(f'."{part}"' for part in metric.split("/")))
    cases = " ".join(
        f"WHEN json_type(metrics, '{path}') IN ('integer', 'real', 'true', 'false') THEN json_extract(metrics, '{path}')"
        for path in paths
    )
    return f"CASE {cases} END", True
