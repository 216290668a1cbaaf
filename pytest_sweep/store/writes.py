"""What a batch of events writes, merged to one write a row. Knows the tables, and no connection."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Executable, Text, bindparam, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from pytest_sweep.model import TrialState
from pytest_sweep.model.code import Used
from pytest_sweep.model.events import (
    Accepted,
    CheckpointDamaged,
    Decision,
    TrialConfigured,
    TrialFinished,
    TrialInterrupted,
    TrialJudged,
    TrialNotRun,
    TrialReported,
    TrialResumed,
    TrialRetried,
    TrialStarted,
)
from pytest_sweep.store.decisions import Row, row_of
from pytest_sweep.store.schema import INTERRUPTED, attempt, code, decision, report, trial

MOST_OUTPUT = 100_000
"""How many characters of an attempt's output are stored, its end: a run of a million trials should fit on a disk."""


_CHECKPOINTS_OF = (report.c.trial_key == bindparam("of")) & report.c.checkpoint.is_not(None)
_KEPT = func.json_each(bindparam("kept", type_=Text)).table_valued("value")
_WITHIN = func.substr(report.c.checkpoint, 1, func.length(bindparam("within", type_=Text))) == bindparam("within")
# The reports stay; a checkpoint that is not there any more is none of theirs. Those of the run that was resumed lie elsewhere, and stay.
_FORGET_DELETED = (
    update(report)
    .where(_CHECKPOINTS_OF, _WITHIN, report.c.checkpoint.not_in(select(_KEPT.c.value)))
    .values(checkpoint=None)
)
_FORGET_DAMAGED = (
    update(report).where(_CHECKPOINTS_OF, report.c.checkpoint == bindparam("damaged")).values(checkpoint=None)
)
_NEWEST = select(report.c.checkpoint).where(_CHECKPOINTS_OF).order_by(report.c.id.desc()).limit(1).scalar_subquery()
# Made once, as `_upsert_attempt` is for its columns: a statement that SQLAlchemy has seen is not compiled again.
_INSERT_REPORT = upsert(report).on_conflict_do_nothing()
_UPDATE_TRIAL = update(trial).where(trial.c.key == bindparam("of"))
_INSERT_DECISION = upsert(decision).on_conflict_do_nothing()
_INSERT_CODE = upsert(code).on_conflict_do_nothing()
# A trial that has gone on from a checkpoint of other code stays one of other code.
_MADE_BY = (
    update(trial)
    .where(trial.c.key == bindparam("of"))
    .values(source=func.coalesce(trial.c.source, bindparam("made_by", type_=Text)))
)
# Of a trial that has paused: its last leg is one attempt, those before it are others. Attempts that failed are none of them.
_LEGS = (attempt.c.state == TrialState.PAUSED.value) | (attempt.c.number == bindparam("last"))
_SUM_LEGS = (
    update(trial)
    .where(trial.c.key == bindparam("of"))
    .values(
        duration=select(func.sum(attempt.c.duration))
        .where(attempt.c.trial_key == bindparam("of"), _LEGS)
        .scalar_subquery()
    )
)
_TAKE_NEWEST = update(trial).where(trial.c.key == bindparam("of")).values(checkpoint=_NEWEST)


@dataclass
class Batch:
    """The writes of some events, in which a later one of a row completes or replaces an earlier one.

    Attributes:
        stored_path: turns the path of a checkpoint into the form that is stored.
        source: returns what has made a trial's result, by the trial's key and what it has used, as a row of `code`.
        points: the names of the runs that have tried configurations of slots before, by the keys of their points.
        slots: the keys of the points of slots, as they were added.
        folders: the folders of trials that go on from an earlier run, which they have in this one as soon as they have run in it.
    """

    stored_path: Callable[[str], str]
    source: Callable[[str, Used], Row]
    points: Mapping[str, str] = field(default_factory=dict)
    slots: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    _attempts: dict[tuple[str, int], Row] = field(default_factory=dict)
    _reports: list[Row] = field(default_factory=list)
    _trials: dict[str, Row] = field(default_factory=dict)
    _cut_off: list[Row] = field(default_factory=list)
    _kept: dict[str, Row] = field(default_factory=dict)
    _damaged: list[Row] = field(default_factory=list)
    _sources: dict[str, Row] = field(default_factory=dict)
    _made_by: list[Row] = field(default_factory=list)
    _decisions: list[Row] = field(default_factory=list)
    _stopped: set[str] = field(default_factory=set)
    _legs: dict[str, Row] = field(default_factory=dict)

    def add(self, event: Accepted) -> None:
        """Take in one event; what concerns no trial is not stored."""
        if isinstance(event, TrialReported):
            self._reported(event)
        elif isinstance(event, TrialStarted):
            self._started(event)
        elif isinstance(event, TrialFinished):
            self._finished(event)
        elif isinstance(event, TrialRetried):
            self._ended_attempt(event.failed)
            self._trial(event.failed.key, state=TrialState.PENDING, attempts=event.failed.attempt)
        elif isinstance(event, CheckpointDamaged):
            self._damaged.append({"of": event.key, "damaged": self.stored_path(event.checkpoint)})
        elif isinstance(event, TrialInterrupted):
            self._interrupted(event)
        elif isinstance(event, TrialNotRun):
            self._trial(event.key, state=TrialState.NOT_RUN, reason=event.reason)
            self._cut_off.append({"of": event.key})
        elif isinstance(event, (TrialConfigured, TrialJudged, TrialResumed)):
            self._decided(event)

    def statements(self) -> Iterator[tuple[Executable, Sequence[Row]]]:
        """Yield what is to be executed, in this order: each statement once, with its rows."""
        for columns, rows in _by_columns(self._attempts.values()):
            yield _upsert_attempt(columns), rows
        if self._reports:
            yield _INSERT_REPORT, self._reports
        if self._kept:
            yield _FORGET_DELETED, list(self._kept.values())
        for _, rows in _by_columns(self._trials.values()):
            yield _UPDATE_TRIAL, rows
        if self._legs:
            yield _SUM_LEGS, list(self._legs.values())
        if self._decisions:
            yield _INSERT_DECISION, self._decisions
        if self._made_by:
            yield _INSERT_CODE, list(self._sources.values())
            yield _MADE_BY, self._made_by
        if self._damaged:
            yield _FORGET_DAMAGED, self._damaged
            yield _TAKE_NEWEST, [{"of": row["of"]} for row in self._damaged]
        if self._cut_off:
            # Last, because an attempt may have begun in this batch; nothing follows on a trial's NOT_RUN.
            running = (attempt.c.trial_key == bindparam("of")) & (attempt.c.state == TrialState.RUNNING.value)
            yield update(attempt).where(running).values(state=INTERRUPTED), self._cut_off

    def _started(self, event: TrialStarted) -> None:
        began = {"location": event.location, "started": event.time}
        self._attempt(event.key, event.attempt, state=TrialState.RUNNING.value, **began)
        self._trial(event.key, state=TrialState.RUNNING, attempts=event.attempt, **began)
        self._take_own_folder(event.key)

    def _reported(self, event: TrialReported) -> None:
        checkpoint = None if event.checkpoint is None else self.stored_path(event.checkpoint)
        iteration = event.metrics.get("training_iteration")
        self._reports.append(
            {
                "trial_key": event.key,
                "attempt": event.attempt,
                "iteration": iteration if isinstance(iteration, int) and 0 <= iteration < 2**63 else 0,
                "metrics": event.metrics,
                "checkpoint": checkpoint,
            }
        )
        if checkpoint is not None:
            self._trial(event.key, checkpoint=checkpoint)
        if event.kept is not None and checkpoint is not None:
            self._kept[event.key] = {
                "of": event.key,
                "within": checkpoint.rpartition("/")[0],
                "kept": json.dumps([self.stored_path(path) for path in event.kept]),
            }

    def _finished(self, event: TrialFinished) -> None:
        if event.attempt:  # A slot that is not needed was never begun.
            self._ended_attempt(event)
            self._note_legs(event.key, event.attempt, was_paused=_was_paused(event))
        self._trial(
            event.key,
            state=event.state,
            attempts=event.attempt,
            metrics=event.metrics,
            error=event.error,
            finished=event.time,
            duration=event.duration,
        )
        if event.state is TrialState.CACHED:  # A slot whose configuration an earlier run has tried.
            point = self._trials[event.key].get("point_key", self.slots.get(event.key, ""))
            self._trial(event.key, taken_from=self.points.get(point))
        if event.error and (not event.attempt or event.key in self._stopped):
            self._trial(event.key, error=None, reason=event.error)  # The engine has ended it, and nothing has failed.
        if event.used is not None:
            source = self.source(event.key, event.used)
            self._sources[source["id"]] = source
            self._made_by.append({"of": event.key, "made_by": source["id"]})

    def _decided(self, event: Decision) -> None:
        self._decisions.append(row_of(event))
        if isinstance(event, TrialConfigured):
            self._trial(event.key, config=event.proposed.config, point_key=event.proposed.point_key)
        elif isinstance(event, TrialResumed):
            if event.resumption.config is not None:
                self._trial(event.key, config=event.resumption.config)
        elif event.observation.outcome.is_end and event.verdict is not None:
            self._trial(event.key, reason=event.verdict.reason)
            self._stopped.add(event.key)

    def _interrupted(self, event: TrialInterrupted) -> None:
        state = TrialState.INTERRUPTED
        if event.duration is not None:
            ended = {"finished": event.time, "duration": event.duration, "output": _joined(event.sections)}
            self._attempt(event.key, event.attempt, state=state.value, **ended)
            self._trial(event.key, finished=event.time, duration=event.duration, attempts=event.attempt)
        self._trial(event.key, state=state, reason=event.reason)
        if event.metrics is not None:
            self._trial(event.key, metrics=event.metrics)
        if event.attempt:
            self._note_legs(event.key, event.attempt, was_paused=event.duration is None)
        self._cut_off.append({"of": event.key})

    def _note_legs(self, key: str, last: int, *, was_paused: bool) -> None:
        """Have the duration of a trial be that of all its legs, which only one with several attempts or a pause has."""
        if last > 1 or was_paused:
            self._legs[key] = {"of": key, "last": last}

    def _ended_attempt(self, event: TrialFinished) -> None:
        if _was_paused(event):  # What the attempt has said, and how long it took, is known since it has paused.
            self._attempt(event.key, event.attempt, state=event.state.value, error=event.error)
            return
        row = self._attempt(
            event.key,
            event.attempt,
            state=event.state.value,
            finished=event.time,
            duration=event.duration,
            error=event.error,
            output=_captured(event.reports) if event.reports else _joined(event.sections),
        )
        # Where its start got lost, this is when it must have been.
        row.setdefault("started", event.time - event.duration)
        self._take_own_folder(event.key)

    def _take_own_folder(self, key: str) -> None:
        if key in self.folders:
            self._trial(key, folder=self.folders[key])

    def _attempt(self, key: str, number: int, **values: Any) -> Row:
        row = self._attempts.setdefault((key, number), {"trial_key": key, "number": number})
        row.update(values)
        return row

    def _trial(self, key: str, **values: Any) -> None:
        self._trials.setdefault(key, {"of": key}).update(values)


def _was_paused(event: TrialFinished) -> bool:
    """Return whether a trial was stopped while no worker had it: nothing has run, and nothing has reported."""
    return event.state is TrialState.STOPPED and not event.reports and not event.duration


def _captured(reports: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the sections of pytest's last report, which has those of all phases, but the ends of long ones only."""
    return _joined(reports[-1].get("sections", ()) if reports else ())


def _joined(sections: Iterable[tuple[str, str]]) -> str | None:
    text = "".join(f"--- {name} ---\n{content}" for name, content in sections)
    if len(text) > MOST_OUTPUT:
        text = f"... the first {len(text) - MOST_OUTPUT} characters are cut\n{text[-MOST_OUTPUT:]}"
    return text or None


@cache
def _upsert_attempt(columns: tuple[str, ...]) -> Executable:
    statement = upsert(attempt)
    new = statement.excluded
    values: dict[str, Any] = {name: new[name] for name in columns if name not in ("trial_key", "number")}
    values["started"] = func.coalesce(attempt.c.started, new.started)
    return statement.on_conflict_do_update(index_elements=["trial_key", "number"], set_=values)


def _by_columns(rows: Iterable[Row]) -> Iterable[tuple[tuple[str, ...], list[Row]]]:
    groups: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(sorted(row))].append(row)
    return groups.items()
