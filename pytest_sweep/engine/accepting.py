"""Takes what workers say of trials, if it belongs to the hand-out that counts, and refuses everything else."""

from __future__ import annotations

from pytest_sweep.engine.clock import Clock
from pytest_sweep.engine.endings import Endings
from pytest_sweep.engine.entry import Entry
from pytest_sweep.engine.limits import SameFailures
from pytest_sweep.engine.pacing import Pacing
from pytest_sweep.engine.studies import Studies
from pytest_sweep.engine.trials import Ledger
from pytest_sweep.engine.worker import Worker
from pytest_sweep.engine.workers import Workers
from pytest_sweep.model.events import TrialFinished, TrialLeft, TrialReported, TrialReturned, TrialStarted
from pytest_sweep.model.shared import SharedLost
from pytest_sweep.model.trials import TrialState


class Acceptance:
    """Applies the events of trials.

    Args:
        ledger: the trials.
        clock: the time.
        pacing: measures how long trials last.
        same_failures: watches for sweeps that only fail.
        endings: ends trials before their time.
        studies: judge trials, and have others go on.
        workers: orders the workers.

    Attributes:
        progressed: when a trial last began, reported or ended, on the engine's clock.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        pacing: Pacing,
        same_failures: SameFailures,
        endings: Endings,
        studies: Studies,
        workers: Workers,
    ) -> None:
        self.progressed = 0.0
        self._ledger = ledger
        self._clock = clock
        self._pacing = pacing
        self._same_failures = same_failures
        self._endings = endings
        self._studies = studies
        self._workers = workers

    def started(self, event: TrialStarted) -> None:
        """Take the start of an attempt, once."""
        entry = self._ledger.current(event.key, event.attempt, event.lease)
        if entry is not None and entry.worker is not None and entry.state is not TrialState.RUNNING:
            self._mark_progress(entry.worker, event.time)
            self._ledger.start(entry, event)

    def reported(self, event: TrialReported) -> None:
        """Take a report."""
        entry = self._ledger.current(event.key, event.attempt, event.lease)
        if entry is None:
            return
        self.progressed = self._clock.now
        entry.metrics = event.metrics
        self._ledger.record(event)
        if event.checkpoint is not None:
            entry.saved = event.metrics
            self._endings.note_checkpoint(entry)
        if entry.course is not None:
            self._studies.reported(entry, entry.course, event)

    def left_open(self, event: TrialLeft) -> None:
        """Take what was captured of an attempt that has no end of its own: it is cut off with the run, which ends."""
        entry = self._ledger.current(event.key, event.attempt, event.lease)
        if entry is not None:
            entry.sections = event.sections

    def left(self, event: TrialFinished | TrialReturned) -> bool:
        """Take the end of an attempt, or the return of a trial that was not begun; say whether the trial waits again."""
        entry = self._ledger.current(event.key, event.attempt, event.lease)
        if entry is None or entry.worker is None:
            return False
        if isinstance(event, TrialReturned):
            if entry.state is TrialState.RUNNING:
                return False
            if event.lost:
                self._ledger.note_shared(SharedLost(event.lost, is_built=True), self._clock.now)
            self._ledger.requeue(entry)
            return True
        self._mark_progress(entry.worker, event.time)
        if event.state is TrialState.PAUSED:
            return self._paused(entry, event)
        self._pacing.measure(entry.trial.sweep.id, event.duration)
        if self._ledger.retry_after_failure(entry, event, self._clock.now):
            return True
        self.finish(event)
        return False

    def finish(self, finished: TrialFinished) -> None:
        """Record how a trial has ended, and give its sweep up if that has only failed so far."""
        entry = self._ledger[finished.key]
        if entry.course is not None:
            self._studies.ended(entry, entry.course, finished)
        self._ledger.finish(entry, finished)
        sweep = entry.trial.sweep
        error = self._same_failures.note(sweep.id, finished)
        if error is not None:
            reason = f"the first {self._same_failures.limit} trials of {sweep.name} all failed with: {error}"
            self._workers.return_waiting(self._ledger.give_up_waiting(reason, sweep.id))

    def _paused(self, entry: Entry, event: TrialFinished) -> bool:
        """Take an attempt that has paused; say whether the trial waits again."""
        if entry.course is None:
            self._ledger.pause(entry, event)
        elif (finished := self._studies.paused(entry, entry.course, event)) is not None:
            self.finish(finished)
        return True

    def _mark_progress(self, worker: Worker, time: float) -> None:
        """A trial has begun or ended on `worker`, which says that it was at `time`, on its own clock."""
        now = self.progressed = self._clock.now
        worker.since = min(max(self._clock.when(worker, time), worker.since), now)
        worker.teardown, worker.heard = None, time
