"""Writes what the session still knows to a new database, where the run's own was damaged beyond repair. Knows no SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
        return f"What this session still knows could not be written again: {error}"
    kept = "" if damaged is None else f" What is left of the damaged database is {damaged.name}."
    return (
        f"What this session still knows was written to a new {path.name}: the states of all trials, their final metrics, errors and "
        f"newest checkpoints. Reports before the last one, and output, are lost.{kept}"
    )


def known_events(progress: Progress, tasks: TaskMaker) -> Iterator[Accepted]:
    """Yield events that make of new trials what is known of them; for one that was taken from an earlier run there are none."""
    for entry in progress:
        key, attempt, metrics = entry.trial.key, entry.attempt, entry.metrics
        checkpoint, iteration = tasks.checkpoints.get(key, (None, 0))
        if checkpoint is not None:
            yield TrialReported(key, attempt, {"training_iteration": iteration}, checkpoint)
        if metrics is not None and metrics.get("training_iteration") != iteration:
            yield TrialReported(key, attempt, {"training_iteration": 0, **metrics})
        if entry.state.is_finished and entry.started is not None:
            duration = entry.total_time or 0.0
            yield TrialFinished(key, attempt, entry.state, metrics, entry.error, duration, entry.started + duration)
        elif entry.state is TrialState.INTERRUPTED:
            yield TrialInterrupted(
                key, attempt, entry.reason or "", metrics, duration=entry.total_time or 0.0, time=clock.wall()
            )
        elif entry.state is TrialState.NOT_RUN:
            yield TrialNotRun(key, entry.reason or "")
