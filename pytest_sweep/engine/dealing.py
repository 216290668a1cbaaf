"""Deals waiting trials to workers: to each as many as travel well in one call."""

from __future__ import annotations

from pytest_sweep.engine.deadlines import Deadlines
from pytest_sweep.engine.entry import Entry
from pytest_sweep.engine.limits import SameFailures
from pytest_sweep.engine.pacing import Pacing
from pytest_sweep.engine.trials import Ledger
from pytest_sweep.engine.worker import Worker
from pytest_sweep.engine.workers import Workers


class Dealer:
    """Takes trials from the queues and orders workers to run them.

    Args:
        ledger: knows what waits.
        workers: orders the workers.
        pacing: knows how long the trials of a sweep last.
        deadlines: takes note of who was handed what.
        failures: knows how many of a sweep may still be tried, where all have failed alike.
    """

    def __init__(
        self, ledger: Ledger, workers: Workers, pacing: Pacing, deadlines: Deadlines, failures: SameFailures
    ) -> None:
        self._ledger = ledger
        self._workers = workers
        self._pacing = pacing
        self._deadlines = deadlines
        self._same_failures = failures

    def deal(self, worker: Worker) -> None:
        """Give `worker` the next trials of its shape, if any wait."""
        queue = self._ledger.queues.get(worker.shape)
        if not queue:
            return
        size = self._size(worker, self._ledger[queue[0]], len(queue))
        first = self._ledger.pop(worker.shape)
        batch = [first]
        while queue and len(batch) < size:
            entry = self._ledger[queue[0]]
            # Of another sweep's trials nothing is known by this one's durations.
            if entry.alone or entry.trial.sweep.id != first.trial.sweep.id:
                break
            batch.append(self._ledger.pop(worker.shape))
        lease = self._workers.run(worker, {entry.trial.key: entry.attempt for entry in batch})
        for entry in batch:
            entry.worker, entry.lease = worker, lease
            self._deadlines.hand_out(worker, entry)

    def _size(self, worker: Worker, first: Entry, waiting: int) -> int:
        if worker.shape.fresh_process or first.alone:
            return 1
        sweep = first.trial.sweep.id
        workers = self._workers.capacity.count(worker.shape)
        wanted = self._pacing.batch_size(sweep, waiting, workers)
        return self._same_failures.most_next(sweep, wanted, workers)
