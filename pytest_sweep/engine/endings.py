"""Ends trials before their time: when the budget is spent, when their node leaves, or when nothing is left that could run them."""

from __future__ import annotations

from pytest_sweep.durations import duration_words
from pytest_sweep.engine.entry import Entry
from pytest_sweep.engine.limits import Budget, Phase
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.trials import Ledger
from pytest_sweep.engine.worker import WorkerState
from pytest_sweep.engine.workers import Workers
from pytest_sweep.model.commands import EndRun


class Endings:
    """Cuts off what has no time or no place any more.

    Args:
        ledger: the trials.
        workers: the workers.
        budget: the time that the run may take.
        policy: the engine's settings.
    """

    def __init__(self, ledger: Ledger, workers: Workers, budget: Budget, policy: Policy) -> None:
        self._ledger = ledger
        self._workers = workers
        self._capacity = workers.capacity
        self._budget = budget
        self._policy = policy
        self._saved: dict[str, int] = {}
        self.is_out_of_time = False

    def close(self, now: float, horizon: float) -> None:
        """Take note of the time: when the budget is spent nothing new begins; in the end, what still runs is cut off, workers too."""
        if not self._budget.update(now, horizon):
            return
        if self._ledger.closed_because is None and self._ledger.unfinished:
            self.is_out_of_time = True
            budget = duration_words(self._policy.budget or 0.0)
            self._workers.return_waiting(self._ledger.give_up_waiting(f"the budget of {budget} is spent"))
        if self._budget.phase is Phase.OVER:
            for entry in list(self._ledger.open()):
                self._cut_off(entry)
            for worker in self._capacity.in_state(WorkerState.BUSY):  # They tear down fixtures.
                self._workers.kill(worker, teardown=worker.teardown is not None)
            for worker in self._capacity.in_state(WorkerState.STOPPING):
                self._workers.kill_stopping(worker)
            for state in (WorkerState.STARTING, WorkerState.IDLE):
                for worker in self._capacity.in_state(state):
                    self._workers.stop(worker)
            self._ledger.shared.cut_off()

    def note_checkpoint(self, entry: Entry) -> None:
        """Take note that a running trial has kept a checkpoint: where its time is over, it can go on from there."""
        is_leaving = entry.worker is not None and self._workers.is_leaving(entry.worker)
        if self.is_out_of_time or is_leaving:
            self._saved[entry.trial.key] = entry.lease

    def cut_off_saved(self) -> None:
        """In the time of grace, or on a node that leaves, cut off who has kept a checkpoint since the last tick, and goes on.

        If its end has arrived, too, by the tick, so much the better.
        """
        saved, self._saved = self._saved, {}
        for key, lease in saved.items():
            entry = self._ledger[key]
            if entry.worker is None or entry.lease != lease or not entry.is_open:
                continue
            if self.is_out_of_time:
                self._cut_off(entry)
            else:
                self._workers.kill(entry.worker, moves=True)

    def hopeless(self) -> EndRun | None:
        """Return the order to end the run, if nothing runs and no node is left that could ever hold what waits."""
        idle = (WorkerState.IDLE, WorkerState.STOPPING)
        if not self._ledger.queues or any(w.state not in idle for w in self._capacity.workers.values()):
            return None
        for shape in self._ledger.queues:
            if self._capacity.place_when_empty(shape) is not None or self._capacity.could_scale_to(shape):
                return None
            if self._capacity.place_when_empty(shape, with_excluded=True) is None:
                return None  # It waits for a node that was there, and may come back.
        causes = dict.fromkeys(self._capacity.excluded.values())
        return EndRun("no worker can be started on any node that could run what waits:\n" + "\n".join(causes))

    def _cut_off(self, entry: Entry) -> None:
        """Have the worker of a trial ended: what it has said by then is heard before the trial is given up."""
        if entry.worker is None:
            self._ledger.give_up(entry, self._ledger.closed_because or "")
        else:
            self._workers.kill(entry.worker, cuts_off=True)
