"""Decides what runs when and where: events in, commands out, no input or output, no clock of its own.

Its promises: a trial is finished once, and never lost; what an older attempt sends is refused; the resources of all workers on
a node never exceed what it has. Which workers there are is the fleet's business.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pytest_sweep.engine.fleet import Fleet, Policy
from pytest_sweep.engine.pacing import Pacing
from pytest_sweep.engine.pool import Shape, Worker, WorkerState
from pytest_sweep.model import commands, events
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.trials import Trial, TrialState


@dataclass(slots=True)
class _Entry:
    """What the scheduler knows of a trial. `alone`: it travels in a call of its own, since a worker died with it."""

    trial: Trial
    state: TrialState = TrialState.PENDING
    attempt: int = 1
    failures: int = 0
    crashes: int = 0
    alone: bool = False
    worker: Worker | None = None


class Scheduler:
    """The decisions of one run.

    Args:
        policy: the settings.
        future: the node types that an autoscaler could add.
    """

    def __init__(self, policy: Policy | None = None, future: Iterable[Resources] = ()) -> None:
        self._policy = policy or Policy()
        self._queues: dict[Shape, deque[str]] = {}
        self._fleet = Fleet(self._policy, self._queues, future)
        self.pool = self._fleet.pool
        self._pacing = Pacing()
        self._entries: dict[str, _Entry] = {}
        self._unfinished = 0
        self._ended = False
        self._records: list[commands.Record | commands.EndRun] = []
        self._handlers: dict[type, Callable[[Any], None]] = {
            events.TrialsAdded: self._on_trials_added,
            events.NodesChanged: self._on_nodes_changed,
            events.Tick: self._on_tick,
            events.RunEnding: self._on_run_ending,
            events.WorkerStarted: self._on_worker_started,
            events.WorkerFailed: self._on_worker_failed,
            events.WorkerDied: self._on_worker_died,
            events.WorkerStopped: self._on_worker_stopped,
            events.SessionExited: self._on_session_exited,
            events.BatchDone: self._on_batch_done,
            events.TrialStarted: self._on_trial_started,
            events.TrialReported: self._on_trial_reported,
            events.TrialFinished: self._on_trial_finished,
            events.TrialReturned: self._on_trial_returned,
        }

    @property
    def done(self) -> bool:
        """Whether no trial is left to run."""
        return self._ended or self._unfinished == 0

    def trial(self, key: str) -> Trial:
        """Return the trial of this key."""
        return self._entries[key].trial

    def handle(self, event: events.Event) -> list[commands.Command]:
        """Take one event and return what is to be done about it, in order."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)
        elif isinstance(event, events.SessionEvent):
            self._record(event)
        else:
            raise TypeError(f"the scheduler knows no event {event!r}")
        return self._take_commands()

    def stop_workers(self) -> list[commands.Command]:
        """Return the commands that end every worker, for the end of the run."""
        self._ended = True
        for worker in list(self.pool.workers.values()):
            self._fleet.stop(worker)
        return self._take_commands()

    def _take_commands(self) -> list[commands.Command]:
        records, self._records = self._records, []
        return [*self._fleet.take_orders(), *records]

    # What comes from the driver

    def _on_trials_added(self, event: events.TrialsAdded) -> None:
        for trial in event.trials:
            self._entries[trial.key] = _Entry(trial)
            self._queues.setdefault(Shape.of(trial), deque()).append(trial.key)
        self._unfinished += len(event.trials)
        self._dispatch()

    def _on_nodes_changed(self, event: events.NodesChanged) -> None:
        self._fleet.set_nodes(event.nodes)
        self._dispatch()

    def _on_tick(self, event: events.Tick) -> None:
        self._fleet.tick(event.now)

    def _on_run_ending(self, event: events.RunEnding) -> None:
        self._ended = True
        for queue in self._queues.values():
            queue.clear()
        for entry in self._entries.values():
            if entry.state in (TrialState.PENDING, TrialState.RUNNING):
                self._leave_worker(entry)
                entry.state = TrialState.NOT_RUN
                self._record(events.TrialNotRun(entry.trial.key, event.reason))

    # What comes from workers

    def _on_worker_started(self, event: events.WorkerStarted) -> None:
        worker = self.pool.workers.get(event.worker)
        if worker is None or worker.state is not WorkerState.STARTING:
            return
        if worker.node is None and event.node is not None:
            self.pool.locate(worker, event.node)
        self._fleet.idle(worker)
        # It works once before it may have to yield: else, where workers take longer to start than `Policy.patience`, two shapes
        # would stop each other's workers for ever.
        if (queue := self._queues.get(worker.shape)) and not self._ended:
            self._feed(worker, queue)
        self._dispatch()

    def _on_worker_failed(self, event: events.WorkerFailed) -> None:
        self._records.append(commands.EndRun(event.cause))

    def _on_session_exited(self, event: events.SessionExited) -> None:
        self._records.append(commands.EndRun(event.reason, event.status))

    def _on_worker_stopped(self, event: events.WorkerStopped) -> None:
        worker = self.pool.workers.get(event.worker)
        if worker is not None:
            self.pool.remove(worker)
            self._dispatch()

    def _on_worker_died(self, event: events.WorkerDied) -> None:
        worker = self.pool.workers.get(event.worker)
        if worker is None:
            return
        if worker.state is WorkerState.STOPPING:
            self._on_worker_stopped(events.WorkerStopped(worker.id))
            return
        batch, worker.batch = list(worker.batch), {}
        # Only a trial that was alone in its call is known to have been the one that ran when the worker died. The others
        # are tried again, each alone, so that nobody is blamed for what another one did.
        for key in reversed(batch):
            self._after_crash(self._entries[key], event, blamed=len(batch) == 1)
        self._fleet.restart(worker)
        self._dispatch()

    def _on_batch_done(self, event: events.BatchDone) -> None:
        worker = self.pool.workers.get(event.worker)
        if worker is None or worker.state is not WorkerState.BUSY:
            return
        for key in reversed(list(worker.batch)):
            self._requeue(self._entries[key])
        if worker.shape.fresh_process:
            self._fleet.restart(worker)
        else:
            self._free_up(worker)

    def _on_trial_started(self, event: events.TrialStarted) -> None:
        entry = self._current(event.key, event.attempt)
        if entry is not None:
            entry.state = TrialState.RUNNING
            self._record(event)

    def _on_trial_reported(self, event: events.TrialReported) -> None:
        if self._current(event.key, event.attempt) is not None:
            self._record(event)

    def _on_trial_finished(self, event: events.TrialFinished) -> None:
        entry = self._current(event.key, event.attempt)
        if entry is None:
            return
        self._pacing.measure(entry.trial.sweep.id, event.duration)
        if event.state is TrialState.ERROR and entry.failures < entry.trial.sweep.retries:
            entry.failures += 1
            self._retry(entry, event)
            self._dispatch()
        else:
            self._finish(entry, event)

    def _on_trial_returned(self, event: events.TrialReturned) -> None:
        entry = self._current(event.key, event.attempt)
        if entry is not None:
            self._requeue(entry)
            self._dispatch()

    # Trials

    def _current(self, key: str, attempt: int) -> _Entry | None:
        """Return the entry if the event belongs to the attempt that counts; what comes from an older one is refused.

        So is what a worker says of a trial that no worker has: it is finished, or waits for another one.
        """
        entry = self._entries.get(key)
        if entry is None or entry.attempt != attempt or entry.worker is None:
            return None
        return entry

    def _leave_worker(self, entry: _Entry) -> None:
        if entry.worker is not None:
            entry.worker.batch.pop(entry.trial.key, None)
            entry.worker = None

    def _requeue(self, entry: _Entry) -> None:
        self._leave_worker(entry)
        entry.state = TrialState.PENDING
        self._queues[Shape.of(entry.trial)].appendleft(entry.trial.key)

    def _retry(self, entry: _Entry, failed: events.TrialFinished) -> None:
        self._record(events.TrialRetried(failed))
        entry.attempt += 1
        self._requeue(entry)

    def _finish(self, entry: _Entry, finished: events.TrialFinished) -> None:
        self._leave_worker(entry)
        entry.state = finished.state
        self._unfinished -= 1
        self._record(finished)

    def _after_crash(self, entry: _Entry, event: events.WorkerDied, *, blamed: bool) -> None:
        key, attempt = entry.trial.key, entry.attempt
        died = events.TrialFinished(key, attempt, TrialState.ERROR, None, event.cause, duration=0.0, time=event.time)
        entry.alone = True
        if blamed and entry.crashes >= self._policy.worker_retries:
            self._finish(entry, died)
        elif blamed or entry.state is TrialState.RUNNING:
            entry.crashes += blamed
            self._retry(entry, died)
        else:
            self._requeue(entry)

    def _record(self, event: events.Accepted) -> None:
        self._records.append(commands.Record(event))

    # Workers

    def _free_up(self, worker: Worker) -> None:
        self._fleet.idle(worker)
        self._dispatch()

    def _dispatch(self) -> None:
        """Give work to idle workers, and see that there are workers for the rest."""
        for worker in self.pool.in_state(WorkerState.IDLE):
            if self._ended or self._fleet.must_yield(worker):
                self._fleet.stop(worker)
            elif queue := self._queues.get(worker.shape):
                self._feed(worker, queue)
        if not self._ended:
            self._fleet.meet_demand()

    def _feed(self, worker: Worker, queue: deque[str]) -> None:
        first = self._entries[queue.popleft()]
        size = self._batch_size(worker, first, 1 + len(queue))
        batch = [first]
        while queue and len(batch) < size:
            entry = self._entries[queue[0]]
            # Of another sweep's trials nothing is known by this one's durations.
            if entry.alone or entry.trial.sweep.id != first.trial.sweep.id:
                break
            queue.popleft()
            batch.append(entry)
        for entry in batch:
            entry.worker = worker
        self._fleet.run(worker, {entry.trial.key: entry.attempt for entry in batch})

    def _batch_size(self, worker: Worker, first: _Entry, waiting: int) -> int:
        if worker.shape.fresh_process or first.alone:
            return 1
        return self._pacing.batch_size(first.trial.sweep.id, waiting, len(self.pool.of_shape(worker.shape)))
