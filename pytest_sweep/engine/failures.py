"""What the death of a worker means to the trials that it had: whose fault it was, and what is tried again."""

from __future__ import annotations

from pytest_sweep.durations import duration_words
from pytest_sweep.engine.capacity import Worker, WorkerState
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.trials import Entry, Ledger
from pytest_sweep.model.events import Death, TrialFinished, WorkerDied
from pytest_sweep.model.retry import type_names
from pytest_sweep.model.trials import TrialState


class Failures:
    """Judges deaths, and which workers are to be killed because a trial takes too long.

    Args:
        ledger: the trials.
        policy: the engine's settings.
    """

    def __init__(self, ledger: Ledger, policy: Policy) -> None:
        self._ledger = ledger
        self._policy = policy

    @property
    def has_limits(self) -> bool:
        """Whether any trial may take too long: where none may, nobody has to look at all workers."""
        return self._policy.timeout is not None or self._ledger.has_timeouts

    def overdue(self, worker: Worker, now: float) -> str | None:
        """Return the key of the trial that the worker runs, if that takes longer than it may.

        By what the worker was handed, not by its word: where a trial holds Python's lock from its first instruction on, nobody hears
        that it has begun.
        """
        key = next(iter(worker.batch), None)
        limit = None if key is None else self._limit(self._ledger[key])
        return None if limit is None or now - worker.since < limit else key

    def bury(self, worker: Worker, died: WorkerDied, now: float) -> list[TrialFinished]:
        """Have what the worker had tried again; return how those have ended that are not."""
        batch, duration = list(worker.batch), max(now - worker.since, 0.0)
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
        worker.batch, worker.timed_out, worker.moves = {}, None, False
        return ended

    def _may_have_been_dead(self, worker: Worker, entry: Entry) -> bool:
        """Say whether a worker may have died while it had nothing to do, which Ray tells only whoever calls it next.

        Where nobody has heard that the trial began, it may also have killed the worker at once: so it is believed only once.
        """
        return worker.idled > 0 and entry.state is not TrialState.RUNNING and not entry.excused

    def _limit(self, entry: Entry) -> float | None:
        own = entry.trial.sweep.timeout
        return self._policy.timeout if own is None else own

    def _timeout(self, entry: Entry, died: WorkerDied, duration: float) -> TrialFinished:
        last = f"TimeoutError: the attempt took longer than {duration_words(self._limit(entry) or 0.0)}, and its process was ended"
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
