"""What earlier runs know of a session's trials: which have ended how, and where the others stopped. Reads only, and decides nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from pytest_sweep.errors import StoreError
from pytest_sweep.model import TrialState
from pytest_sweep.model.events import TrialFinished
from pytest_sweep.model.judging import was_skipped
from pytest_sweep.model.source import Source
from pytest_sweep.store import schema
from pytest_sweep.store.files import has_database
from pytest_sweep.store.folders import DATABASE
from pytest_sweep.store.order import started
from pytest_sweep.store.reader import RunReader, listed
from pytest_sweep.store.records import StoredRun

_UNKNOWN = Source(None, None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has stored of a trial.

    Attributes:
        key: the trial's.
        folder: the folder of the run.
        state: what became of the trial.
        attempts: how often it was begun.
        seed: the trial's seed.
        was_skipped: whether it was skipped, in this run or in the one that it was taken from.
        source: what is known of the code that has made it.
        finished: when it ended, in seconds since the epoch, or None.
        reason: why it was not run, cut off, skipped, or stopped by its scheduler; or None.
        study: the id of its study, or None.
        slot: its number in the study, or None.
        point_key: of a slot, the key that a trial of its configuration would have; None until it has one.
    """

    key: str
    folder: Path
    state: TrialState
    attempts: int
    seed: int
    was_skipped: bool
    source: Source
    finished: float | None = None
    reason: str | None = None
    study: str | None = None
    slot: int | None = None
    point_key: str | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Where a trial goes on that an earlier run has begun.

    Attributes:
        attempt: the next attempt.
        checkpoint: path or URL of its newest checkpoint, or None.
        iteration: the ``training_iteration`` that this was reported at; 0 where there is none.
        reported: the attempt and the ``training_iteration`` of its newest report; zeros where there is none.
        errors: of the attempts so far, in order: how each has ended; those that have paused are none.
        metrics: those of its newest report; None where there is none.
    """

    attempt: int
    checkpoint: str | None = None
    iteration: int = 0
    reported: tuple[int, int] = (0, 0)
    errors: tuple[str, ...] = field(default=())
    metrics: dict[str, Any] | None = field(default=None, hash=False)


def origins(folder: Path, *, beside: bool = False) -> Iterator[tuple[Path, StoredRun]]:
    """Iterate over the run in `folder`, the one that it went on from, and so on, as far as they are there.

    Args:
        folder: the run's folder.
        beside: whether only runs in the same folder for results count. A database may come from anyone, and name any path.
    """
    seen: set[Path] = set()
    while folder not in seen and has_database(folder, DATABASE):
        run = RunReader(folder).run()
        yield folder, run
        seen.add(folder)
        if run.resumed_from is None or (beside and not _is_name(run.resumed_from)):
            return
        folder = folder.parent / run.resumed_from


def _is_name(run: str) -> bool:
    return run == Path(run).name != ".."


def outcomes(folder: Path, keys: Collection[str]) -> list[Outcome]:
    """Return what the run in `folder` has stored of the trials with these keys; metrics are not read.

    Raises:
        UnsoundError: a row of one of these trials holds what is never stored; `unsound` says which.
        SchemaError, StoreError: its database cannot be read.
    """
    trial, sweep, code = schema.trial.c, schema.sweep.c, schema.code.c
    its = [trial.reason, trial.study, trial.slot, trial.point_key]
    columns = [trial.key, trial.state, trial.attempts, trial.seed, trial.finished, *its, sweep.id]
    query = (
        select(*columns, func.coalesce(trial.source, sweep.source))
        .outerjoin(schema.sweep, trial.sweep_id == sweep.id)
        .where(trial.key.in_(listed(keys)))
    )
    reader = RunReader(folder)
    with reader.reading() as connection:
        rows = list(reader.checked(connection, query, [*columns, trial.source]))
        of_these = select(code.id, code.content).where(code.id.in_(listed({row[-1] for row in rows if row[-1]})))
        # Many trials share one.
        sources = {
            code_id: Source.of(content)
            for code_id, content in reader.checked(connection, of_these, [code.id, code.content])
        }
    return [
        Outcome(
            key,
            folder,
            state,
            attempts,
            seed,
            was_skipped(state, reason),
            sources.get(code_id, _UNKNOWN),
            finished,
            reason,
            *study,
        )
        for key, state, attempts, seed, finished, reason, *study, _, code_id in rows
    ]


def made_in(folder: Path, keys: Collection[str]) -> dict[str, Path]:
    """Return in which run each of these trials of the run in `folder` was made, by key: `folder` itself, or where it was taken from.

    The folder of a run that was deleted since is returned, too, and that of one in another folder for results, which is not looked into.

    Raises:
        SchemaError, StoreError: a database cannot be read.
    """
    its, began = schema.trial.c, select(schema.run.c.started).scalar_subquery()
    # A failure may have been taken, or be that of an attempt of this run.
    is_taken = (its.state == TrialState.CACHED) | ((its.state == TrialState.ERROR) & (its.started < began))
    columns = [its.key, its.taken_from]
    query = select(*columns).where(its.key.in_(listed(keys)), its.taken_from.is_not(None), is_taken)
    reader = RunReader(folder)
    with reader.reading() as connection:
        taken: defaultdict[str, list[str]] = defaultdict(list)
        for key, run in reader.checked(connection, query, columns):
            taken[run].append(key)
    found = dict.fromkeys(keys, folder)
    for run, theirs in taken.items():
        earlier = folder.parent / run
        # A database may come from anyone, and name any path: only runs beside it are asked. A run goes on from an older one, so this ends.
        is_older = _is_name(run) and has_database(earlier, DATABASE) and started(earlier) < started(folder)
        found |= dict.fromkeys(theirs, earlier)
        if is_older:
            with suppress(StoreError):  # What it had taken itself is not known, then.
                found |= made_in(earlier, theirs)
    return found


def ends(folder: Path, keys: Collection[str]) -> list[TrialFinished]:
    """Return how the trials with these keys have ended, in the order of their collection, as the run in `folder` has it."""
    if not keys:
        return []
    its = schema.trial.c
    columns = [its.key, its.attempts, its.state, its.metrics, its.error, its.duration, its.finished]
    query = select(*columns).where(its.key.in_(listed(keys))).order_by(its.ordinal)
    reader = RunReader(folder)
    with reader.reading() as connection:
        return [
            TrialFinished(key, attempts, state, metrics, error, duration or 0.0, finished or 0.0)
            for key, attempts, state, metrics, error, duration, finished in reader.checked(connection, query, columns)
        ]


def starts(folder: Path, keys: Collection[str]) -> dict[str, Start]:
    """Return, for each trial with one of these keys, where it goes on, as the run in `folder` has it."""
    if not keys:
        return {}
    reader, report, attempt = RunReader(folder), schema.report.c, schema.attempt.c
    newest = select(func.max(report.id)).where(report.trial_key.in_(listed(keys))).group_by(report.trial_key)
    with reader.reading() as connection:
        reported = {
            key: (number, iteration, metrics)
            for key, number, iteration, metrics in connection.execute(
                select(report.trial_key, report.attempt, report.iteration, report.metrics).where(report.id.in_(newest))
            )
        }
        of_checkpoints = newest.where(report.checkpoint.is_not(None))
        query = select(report.trial_key, report.iteration).where(report.id.in_(of_checkpoints))
        saved: dict[str, int] = {row.trial_key: row.iteration for row in connection.execute(query)}
        ended: defaultdict[str, list[str]] = defaultdict(list)
        for key, state, error in connection.execute(
            select(attempt.trial_key, attempt.state, attempt.error)
            .where(attempt.trial_key.in_(listed(keys)))
            .order_by(attempt.trial_key, attempt.number)
        ):
            if state != TrialState.PAUSED.value:
                ended[key].append(error or f"the attempt was {state}")
    return {
        trial.key: Start(
            trial.attempts + 1,
            trial.checkpoint,
            saved.get(trial.key, 0) if trial.checkpoint is not None else 0,
            reported[trial.key][:2] if trial.key in reported else (0, 0),
            tuple(ended[trial.key]),
            reported[trial.key][2] if trial.key in reported else None,
        )
        for trial in reader.trials(keys=keys)
    }
