"""How long attempts, tear-downs and the ends of sessions may take, and which of them take too long."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_sweep.durations import duration_words
from pytest_sweep.engine.entry import Entry
from pytest_sweep.engine.limits import Budget
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.trials import Ledger
from pytest_sweep.engine.worker import Worker, WorkerState
from pytest_sweep.engine.workers import Workers
from pytest_sweep.model.events import TeardownStarted, TeardownTimedOut
from pytest_sweep.model.trials import TrialState

ENDING_SECONDS = 60.0
"""How long the session of a worker may take to end, its fixtures torn down, where no timeout says it."""

EXIT_SECONDS = 15.0
"""How much longer its process may take to exit before the engine has it killed. An executor has a limit of its own, which is shorter."""


class Deadlines:
    """Knows the limits and kills what exceeds them.

    Args:
        ledger: the trials.
        policy: the engine's settings.
        budget: what is left for the whole run.
    """

    def __init__(self, ledger: Ledger, policy: Policy, budget: Budget) -> None:
        self._ledger = ledger
        self._policy = policy
        self._budget = budget
        self.now = 0.0

    def limit(self, entry: Entry) -> float | None:
        """Return how many seconds an attempt of this trial may take, and likewise the tear-down of its fixtures; None is no limit."""
        own = entry.trial.sweep.timeout
        return self._policy.timeout if own is None else own

    def hand_out(self, worker: Worker, entry: Entry) -> None:
        """Take note of a trial that a worker was handed: its fixtures are torn down when the worker's session ends."""
        limit = self.limit(entry)
        if limit is not None and (worker.longest is None or worker.longest < limit):
            worker.longest = limit

    def within(self, worker: Worker | None = None) -> float:
        """Return how many seconds the session of a worker, or of a process that builds a shared fixture, may take to end.

        That is the largest limit of the trials that ran there, else the run's, else a minute; never more than is left of the budget.
        """
        own = worker.longest if worker is not None and worker.longest is not None else self._policy.timeout
        seconds = ENDING_SECONDS if own is None else own
        left = self._budget.left(self.now)
        return seconds if left is None else min(seconds, left)

    def enforce(self, workers: Workers, horizon: float) -> None:
        """Have the processes ended in which something takes longer than it may, as of `horizon`."""
        has_limits = self._policy.timeout is not None or self._ledger.has_timeouts
        for worker in workers.capacity.in_state(WorkerState.BUSY) if has_limits else ():
            if worker.teardown is not None:
                if self._is_overdue(worker, worker.teardown.key, horizon):
                    workers.kill(worker, teardown=True)
            elif (key := next(iter(worker.batch), None)) is not None and self._is_overdue(worker, key, horizon):
                # By what the worker was handed, not by its word: where a trial holds Python's lock from its first instruction on,
                # nobody hears that it has begun.
                workers.kill(worker, timed_out=key)
        for worker in workers.capacity.in_state(WorkerState.STOPPING):
            if worker.within is not None and horizon - worker.since >= worker.within + EXIT_SECONDS:
                workers.kill_stopping(worker)

    def note_teardown(self, workers: Mapping[str, Worker], event: TeardownStarted) -> None:
        """Take note that one of `workers` tears down fixtures of a trial that has ended: the time counts for that trial."""
        worker = workers.get(event.worker)
        if worker is None:
            return
        first = next(iter(worker.batch), None)
        runs = first is not None and self._ledger[first].state is TrialState.RUNNING
        if self._ledger.get(event.key) is None or runs or worker.state is WorkerState.KILLED:
            return
        if worker.state is WorkerState.BUSY and (worker.teardown is None or worker.teardown.key != event.key):
            worker.since = self.now
        worker.teardown = event

    def record_teardown(self, worker: Worker, seconds: float, stacks: str = "") -> None:
        """Record that the tear-down which `worker` was killed in has failed."""
        teardown = worker.teardown
        if teardown is not None and worker.teardown_timed_out:
            limit = duration_words(round(seconds, 1))
            last = (
                f"TimeoutError: the teardown of {teardown.fixture} took longer than {limit}, and its process was ended"
            )
            error = f"{stacks.rstrip()}\n\n{last}" if stacks else last
            self._ledger.record(TeardownTimedOut(teardown.key, teardown.fixture, error))
        worker.teardown, worker.teardown_timed_out = None, False

    def _is_overdue(self, worker: Worker, key: str, horizon: float) -> bool:
        limit = self.limit(self._ledger[key])
        return limit is not None and horizon - worker.since >= limit
