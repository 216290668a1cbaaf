"""What the engine knows of one trial, and what follows from it at its end. A record, and functions without side effects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pytest_sweep.engine.course import Course
from pytest_sweep.engine.worker import Shape, Worker
from pytest_sweep.model import events
from pytest_sweep.model.trials import Trial, TrialState


@dataclass(slots=True)
class Entry:
    """What is known of a trial.

    Attributes:
        trial: the trial.
        shape: the shape of worker that it needs now.
        state: what has become of it so far.
        attempt: the attempt that counts.
        lease: the number of the call in which a worker was last handed it: only what carries it is accepted.
        failures: how often it has failed by itself.
        crashes: how often its worker has died under it.
        memory_kills: how often its worker was killed because the node had no memory left.
        excused: whether a worker has died with it that may have been dead before.
        alone: whether it travels in a call of its own, since a worker died with it.
        worker: who has it, or None.
        metrics: those of its last report; where the attempt has made none, of the report whose checkpoint it goes on from.
        saved: those that were reported with its newest checkpoint.
        sections: what pytest had captured of an attempt that has no end of its own.
        course: what its study knows of it; None where it belongs to none.
    """

    trial: Trial
    shape: Shape
    state: TrialState = TrialState.PENDING
    attempt: int = 1
    lease: int = 0
    failures: int = 0
    crashes: int = 0
    memory_kills: int = 0
    excused: bool = False
    alone: bool = False
    worker: Worker | None = None
    metrics: dict[str, Any] | None = None
    saved: dict[str, Any] | None = None
    sections: tuple[tuple[str, str], ...] = ()
    course: Course | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is still to be finished."""
        return self.state in (TrialState.PENDING, TrialState.RUNNING, TrialState.PAUSED)

    def is_beyond(self, study: str, iteration: int) -> bool:
        """Say whether it is a trial of a study that was judged at a later iteration."""
        return self.course is not None and self.trial.study == study and self.course.judged > iteration


def completed(finished: events.TrialFinished, entry: Entry) -> events.TrialFinished:
    """Return the end of an attempt with what was reported and captured before, where its process could not say it any more."""
    if finished.metrics is None and entry.metrics is not None:
        finished = replace(finished, metrics=entry.metrics)
    if entry.sections and not finished.reports:
        finished = replace(finished, sections=entry.sections)
    return finished


def interrupted(entry: Entry, reason: str, now: float) -> events.TrialInterrupted | None:
    """Return what is to be recorded of a trial that is cut off at `now`; None where it was never begun, in this run or an earlier one."""
    is_running, worker = entry.state is TrialState.RUNNING, entry.worker
    if not is_running and entry.attempt == 1:
        return None
    duration = time = None
    if is_running and worker is not None:
        duration = max(now - worker.since, 0.0)
        time = worker.heard + duration
    attempt = entry.attempt if is_running else entry.attempt - 1
    return events.TrialInterrupted(entry.trial.key, attempt, reason, entry.metrics, entry.sections, duration, time)
