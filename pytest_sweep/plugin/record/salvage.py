"""Writes what the session still knows to a new database, where the run's own was damaged beyond repair. Knows no SQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from pytest_sweep import clock
from pytest_sweep.errors import StoreError
from pytest_sweep.model import TrialState
from pytest_sweep.model.events import Accepted, TrialFinished, TrialInterrupted, TrialNotRun, TrialReported
from pytest_sweep.plugin.session.tasks import TaskMaker
from pytest_sweep.reporting import Progress
from pytest_sweep.store import DATABASE, RunStore, set_aside


def salvage(folder: Path, make_store: Callable[[], RunStore], known: Iterable[Accepted], status: int) -> str:
    """Put the damaged database aside, and write what is known to a new one.

    Args:
        folder: the run's folder.
        make_store: makes the new store, with the trials, and what is taken of earlier runs.
        known: what is known of the trials, as events.
        status: the session's exit status.

    Returns:
        What is to be said of it.
    """
    path = folder / DATABASE
    try:
        damaged = set_aside(path)
        store = make_store()
        store.record(list(known))
        store.finish(status)
        store.close()
    except (StoreError, OSError) as error:
        return f"What this session knows is not stored, and is shown here only: {path.name} could not be written again. {error}"
    kept = "" if damaged is None else f" What is left of the damaged database is {damaged.name}."
    return (
        f"What this session still knows was written to a new {path.name}: the states of all trials, their final metrics, errors and "
        f"newest checkpoints. Reports before the last one, output, and what searchers and schedulers decided are lost.{kept}"
    )


def known_events(progress: Progress, tasks: TaskMaker, taken: Collection[str]) -> Iterator[Accepted]:
    """Yield events that make of new trials what is known of them; for those with the keys `taken`, of an earlier run, there are none."""
    for entry in progress:
        key, attempt, metrics = entry.trial.key, entry.attempt, entry.metrics
        if key in taken:
            continue
        never_began = entry.started is None and entry.state in (TrialState.SKIPPED, TrialState.CACHED)
        checkpoint, iteration = tasks.checkpoints.get(key, (None, 0))
        if checkpoint is not None:
            yield TrialReported(key, attempt, {"training_iteration": iteration}, checkpoint)
        if metrics is not None and not never_began and metrics.get("training_iteration") != iteration:
            yield TrialReported(key, attempt, {"training_iteration": 0, **metrics})
        if entry.state.is_finished:
            ended = clock.wall() if entry.started is None else entry.started + entry.duration
            error, attempt = (entry.reason, 0) if never_began else (entry.error, attempt)
            yield TrialFinished(key, attempt, entry.state, metrics, error, entry.duration, ended)
        elif entry.state is TrialState.INTERRUPTED:
            yield TrialInterrupted(
                key, attempt, entry.reason or "", metrics, duration=entry.duration, time=clock.wall()
            )
        elif entry.state is TrialState.NOT_RUN:
            yield TrialNotRun(key, entry.reason or "")
