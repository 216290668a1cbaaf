"""Deals waiting trials to workers: to each as many as travel well in one call."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_sweep.engine.deadlines import Deadlines
from pytest_sweep.engine.entry import Entry
from pytest_sweep.engine.limits import SameFailures
from pytest_sweep.engine.pacing import Pacing
from pytest_sweep.engine.slots import Slots
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
        slots: have configurations chosen.
    """

    def __init__(
        self,
        ledger: Ledger,
        workers: Workers,
        pacing: Pacing,
        deadlines: Deadlines,
        failures: SameFailures,
        slots: Slots,
    ) -> None:
        self._ledger = ledger
        self._workers = workers
        self._pacing = pacing
        self._deadlines = deadlines
        self._same_failures = failures
        self._slots = slots

    def deal(self, worker: Worker) -> None:
        """Give `worker` the next trials of its shape, if any wait."""
        queue = self._ledger.queues.get(worker.shape)
        if not queue:
            return
        first = self._ledger[queue[0]]
        if first.course is not None and first.trial.is_blank:
            self._deal_behind_slots(worker, queue)
            return
        size = self._size(worker, first, len(queue))
        batch = [self._ledger.pop(worker.shape)]
        while queue and len(batch) < size:
            entry = self._ledger[queue[0]]
            # Of another sweep's trials nothing is known by this one's durations.
            if entry.alone or entry.trial.sweep.id != first.trial.sweep.id:
                break
            batch.append(self._ledger.pop(worker.shape))
        self._hand_out(worker, batch)

    def _deal_behind_slots(self, worker: Worker, queue: Iterable[str]) -> None:
        """Give `worker` a trial that waits behind slots whose configurations are being chosen, or have another one chosen."""
        entry = self._slots.next_for(worker, queue)
        if entry is not None:
            self._ledger.withdraw((entry.trial.key,))
            self._hand_out(worker, [entry])

    def _hand_out(self, worker: Worker, batch: list[Entry]) -> None:
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
