"""What the death of a worker means to the trials that it had: whose fault it was, and what is tried again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pytest_sweep.durations import duration_words
from pytest_sweep.engine.deadlines import Deadlines
from pytest_sweep.engine.entry import Entry
from pytest_sweep.engine.trials import Ledger
from pytest_sweep.engine.worker import Worker, WorkerState
from pytest_sweep.model.events import Death, TrialFinished, WorkerDied
from pytest_sweep.model.retry import type_names
from pytest_sweep.model.trials import TrialState

DRAINED = "its node was drained: the trial goes on elsewhere"


class Failures:
    """Judges deaths.

    Args:
        ledger: the trials.
        deadlines: knows how long an attempt may take.
    """

    def __init__(self, ledger: Ledger, deadlines: Deadlines) -> None:
        self._ledger = ledger
        self._deadlines = deadlines

    def bury(self, worker: Worker, died: WorkerDied, now: float, *, is_stranded: bool) -> list[TrialFinished]:
        """Have what the worker had tried again; return how those have ended that are not.

        Args:
            worker: the worker.
            died: what was said of its death.
            now: the time.
            is_stranded: whether its node is gone.
        """
        if worker.moves:
            died = replace(died, kind=Death.NODE_LOST, cause=DRAINED)
        elif is_stranded:
            died = replace(died, kind=Death.NODE_LOST)
        self._examine(worker, died, now)
        batch, duration = list(worker.batch), max(now - worker.since, 0.0)
        if worker.is_cut_off:
            return self._cut_off(worker, batch, now)
        if worker.teardown_timed_out:
            return self._bury_teardown(worker, died, batch, now)
        # Only a trial that was alone in its call is known to have been the one that ran when the worker died. The others are tried
        # again, each alone, so that nobody is blamed for what another one did, or for what a worker was killed for.
        blamed = batch[0] if len(batch) == 1 and worker.state is not WorkerState.KILLED else None
        if blamed is not None and self._may_have_been_dead(worker, self._ledger[blamed]):
            self._ledger[blamed].excused, blamed = True, None
        ended = []
        for key in reversed(batch):
            entry = self._ledger[key]
            failed = TrialFinished(key, entry.attempt, TrialState.ERROR, None, _cause(died), duration, died.time)
            if key == worker.timed_out:
                failed = self._timeout(entry, died, duration)
                is_over = not self._ledger.retry_after_failure(entry, failed, now)
            else:
                is_over = not self._try_again(entry, failed, died.kind, is_blamed=key == blamed)
            if is_over:
                ended.append(failed)
        worker.batch, worker.timed_out, worker.moves, worker.teardown = {}, None, False, None
        return ended

    def keep_outputs(self, workers: Mapping[str, Worker], dead: Iterable[WorkerDied], now: float) -> None:
        """Take what was captured of the trials that ran on workers which were ended with the run."""
        for died in dead:
            worker = workers.get(died.worker)
            if worker is not None:
                self._examine(worker, died, now)

    def unfinished(self, worker: Worker, now: float) -> list[TrialFinished]:
        """Have what a worker was handed, and has neither ended nor returned, tried again; return how those have ended that are not.

        What it had not begun just waits again. One that it had begun breaks the executor's promise, and has used up its attempt.
        """
        ended = []
        for key in reversed(list(worker.batch)):
            entry = self._ledger[key]
            if entry.state is not TrialState.RUNNING:
                self._ledger.requeue(entry)
                continue
            text = "the worker ended its call without saying how the trial ended"
            duration = max(now - worker.since, 0.0)
            failed = TrialFinished(key, entry.attempt, TrialState.ERROR, None, text, duration, worker.heard + duration)
            if not self._try_again(entry, failed, Death.CRASH, is_blamed=True):
                ended.append(failed)
        return ended

    def _bury_teardown(self, worker: Worker, died: WorkerDied, batch: list[str], now: float) -> list[TrialFinished]:
        """Blame the trial whose fixtures were torn down for too long; those behind it have nothing to do with it."""
        teardown = worker.teardown
        limit = None if teardown is None else self._deadlines.limit(self._ledger[teardown.key])
        seconds = now - worker.since
        self._deadlines.record_teardown(worker, seconds if limit is None else min(seconds, limit), died.stacks)
        for key in reversed(batch):
            entry = self._ledger[key]
            if (
                entry.state is TrialState.RUNNING
            ):  # Its fixtures were torn down just in time, and the next one had begun.
                text, state = _cause(died), TrialState.ERROR
                failed = TrialFinished(key, entry.attempt, state, None, text, max(now - worker.since, 0.0), died.time)
                self._ledger.retry(entry, failed)
            else:
                self._ledger.requeue(entry)
        worker.batch = {}
        return []

    def _examine(self, worker: Worker, died: WorkerDied, now: float) -> None:
        """Take what a dead worker has left: what was captured of its trial, and when that really began."""
        for entry in map(self._ledger.__getitem__, worker.batch):
            if entry.state is TrialState.RUNNING:
                entry.sections = died.sections
        worker.since = now - worker.ran_for(now, died.time)

    def _cut_off(self, worker: Worker, batch: list[str], now: float) -> list[TrialFinished]:
        """Give up what a worker had that was ended because the time of the run is over."""
        for key in reversed(batch):
            entry = self._ledger[key]
            if entry.state is TrialState.RUNNING:
                self._ledger.give_up(entry, self._ledger.closed_because or "", now)
            else:
                self._ledger.requeue(entry)
        worker.batch, worker.is_cut_off, worker.teardown = {}, False, None
        return []

    def _may_have_been_dead(self, worker: Worker, entry: Entry) -> bool:
        """Say whether a worker may have died while it had nothing to do, which Ray tells only whoever calls it next.

        Where nobody has heard that the trial began, it may also have killed the worker at once: so it is believed only once.
        """
        return worker.idled > 0 and entry.state is not TrialState.RUNNING and not entry.excused

    def _timeout(self, entry: Entry, died: WorkerDied, duration: float) -> TrialFinished:
        limit = duration_words(self._deadlines.limit(entry) or 0.0)
        last = f"TimeoutError: the attempt took longer than {limit}, and its process was ended"
        text = f"{died.stacks.rstrip()}\n\n{last}" if died.stacks else last
        covered = entry.trial.sweep.retry_on.covers(type_names(TimeoutError), last)
        return TrialFinished(
            entry.trial.key, entry.attempt, TrialState.ERROR, None, text, duration, died.time, may_retry=covered
        )

    def _try_again(self, entry: Entry, failed: TrialFinished, kind: Death, *, is_blamed: bool) -> bool:
        """Have a trial whose worker has died tried again; return False if it has had its chances."""
        allowed = entry.trial.sweep.worker_retries
        if kind is Death.NODE_LOST:  # Nobody's fault, however often.
            is_blamed = False
        elif kind is Death.OUT_OF_MEMORY and is_blamed:
            if entry.memory_kills >= allowed:
                return False
            entry.memory_kills += 1
            self._ledger.require_empty_node(entry)
        elif is_blamed:
            if entry.crashes >= allowed:
                return False
            entry.crashes += 1
        entry.alone = entry.alone or kind is not Death.NODE_LOST
        if is_blamed or entry.state is TrialState.RUNNING:
            self._ledger.retry(entry, failed)
        else:
            self._ledger.requeue(entry)
        return True


def _cause(died: WorkerDied) -> str:
    return f"{died.stacks.rstrip()}\n\n{died.cause}" if died.stacks else died.cause
