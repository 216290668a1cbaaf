"""Decides what runs when and where: events in, commands out, no input or output, no clock of its own.

Its promises: a trial is finished once, and never lost; what an older attempt sends is refused; the resources of all workers on
a node never exceed what it has. What became of the trials is the ledger's business, which workers there are the workers's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from pytest_sweep.durations import duration_words
from pytest_sweep.engine.capacity import WorkerState
from pytest_sweep.engine.dealing import Dealer
from pytest_sweep.engine.failures import Failures
from pytest_sweep.engine.limits import Budget, Phase, SameFailures
from pytest_sweep.engine.pacing import Pacing
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.trials import Entry, Ledger
from pytest_sweep.engine.waiting import Explainer
from pytest_sweep.engine.workers import Workers
from pytest_sweep.model import commands, events
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.shared import SharedBuilding, SharedEvent, SharedLost, SharedReady, SharedStopped
from pytest_sweep.model.trials import Trial
from pytest_sweep.model.waiting import Waiting

DRAINED = "its node was drained: the trial goes on elsewhere"


class Controller:
    """The decisions of one run.

    Args:
        policy: the settings.
        future: the node types that an autoscaler could add.
    """

    def __init__(self, policy: Policy | None = None, future: Iterable[Resources] = ()) -> None:
        self._policy = policy or Policy()
        self._ledger = Ledger()
        self._workers = Workers(self._policy, self._ledger.queues, future)
        self.capacity = self._workers.capacity
        self._failures = Failures(self._ledger, self._policy)
        self._budget = Budget(self._policy.budget, self._policy.grace)
        self._same_failures = SameFailures(self._policy.abort_after)
        self._pacing = Pacing()
        self._dealer = Dealer(self._ledger, self._workers, self._pacing, self._same_failures)
        self._saved: dict[str, int] = {}
        self._ended = False
        self._progressed = 0.0
        self._endings: list[commands.EndRun] = []
        self._handlers: dict[type, Callable[[Any], None]] = {
            events.TrialsAdded: self._on_trials_added,
            events.NodesChanged: self._on_nodes_changed,
            events.Tick: self._on_tick,
            events.RunEnding: self._on_run_ending,
            events.WorkerStarting: self._on_worker_starting,
            events.WorkerStarted: self._on_worker_started,
            events.WorkerFailed: self._on_worker_failed,
            events.WorkerDied: self._on_worker_died,
            events.WorkerStopped: self._on_worker_stopped,
            events.SessionExited: self._on_session_exited,
            events.TeardownStarted: lambda _: None,
            events.BatchDone: self._on_batch_done,
            events.TrialStarted: self._on_trial_started,
            events.TrialReported: self._on_trial_reported,
            events.TrialFinished: self._on_trial_finished,
            events.TrialReturned: self._on_trial_returned,
            SharedBuilding: self._on_shared,
            SharedReady: self._on_shared,
            SharedLost: self._on_shared,
            SharedStopped: self._on_shared,
        }

    @property
    def done(self) -> bool:
        """Whether no trial is left to run."""
        return self._ended or self._ledger.unfinished == 0

    @property
    def out_of_time(self) -> bool:
        """Whether the budget is spent: what was not run then, was not for that."""
        return self._budget.phase is not Phase.RUNNING

    @property
    def stalled(self) -> float | None:
        """For how many seconds no trial has begun, reported or ended; None while that is less than `Policy.stall`."""
        seconds = self._workers.now - self._progressed
        return None if seconds < self._policy.stall or self.done else seconds

    def waiting(self) -> Waiting:
        """Return what waits now, for what, and who has it."""
        return Explainer(self._ledger, self._workers, self._policy).waiting(self.stalled)

    def trial(self, key: str) -> Trial:
        """Return the trial of this key."""
        return self._ledger[key].trial

    def handle(self, event: events.Event) -> list[commands.Command]:
        """Take one event and return what is to be done about it, in order."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)
        elif isinstance(event, events.SessionEvent):
            self._ledger.record(event)
        else:
            raise TypeError(f"the controller knows no event {event!r}")
        return self._take_commands()

    def stop_workers(self) -> list[commands.Command]:
        """Return the commands that end every worker, for the end of the run."""
        self._ended = True
        for worker in list(self.capacity.workers.values()):
            if worker.state is not WorkerState.KILLED:  # It is stopped when it is dead.
                self._workers.stop(worker)
        return self._take_commands()

    def stop_shared(self) -> list[commands.Command]:
        """Return the commands that tear down the shared fixtures, when no worker is left that uses them."""
        self._ledger.shared.stop()
        return self._take_commands()

    @property
    def has_shared(self) -> bool:
        """Whether a shared fixture has not been torn down."""
        return not self._ledger.shared.are_over

    def _take_commands(self) -> list[commands.Command]:
        endings, self._endings = self._endings, []
        shared = self._ledger.shared.take_orders()
        return [*shared, *self._workers.take_orders(), *self._ledger.take_records(), *endings]

    # What comes from the driver

    def _on_trials_added(self, event: events.TrialsAdded) -> None:
        self._ledger.add(event.trials, event.attempts, self._workers.now)
        self._progressed = self._workers.now
        self._dispatch()

    def _on_nodes_changed(self, event: events.NodesChanged) -> None:
        self._workers.set_nodes(event.nodes)
        self._dispatch()

    def _on_tick(self, event: events.Tick) -> None:
        has_room = self._workers.tick(event.now)
        if self._ledger.release_delayed(event.now) or has_room:
            self._dispatch()
        for worker in self.capacity.in_state(WorkerState.BUSY) if self._failures.has_limits else ():
            if (key := self._failures.overdue(worker, event.now)) is not None:
                self._workers.kill(worker, timed_out=key)
        if self._budget.tick(event.now):
            self._close()
        self._cut_off_saved()

    def _on_run_ending(self, event: events.RunEnding) -> None:
        self._ended = True
        self._ledger.end(event.reason)

    # What comes from workers

    def _on_worker_starting(self, event: events.WorkerStarting) -> None:
        worker = self.capacity.workers.get(event.worker)
        if worker is not None and worker.state is WorkerState.STARTING:
            worker.is_granted, worker.since = event.is_granted, self._workers.now

    def _on_worker_started(self, event: events.WorkerStarted) -> None:
        worker = self.capacity.workers.get(event.worker)
        if worker is None or worker.state is not WorkerState.STARTING:
            return
        if not worker.nodes and event.nodes:
            self.capacity.locate(worker, event.nodes)
        self._workers.idle(worker)
        # It works once before it may have to yield: else, where workers take longer to start than `Policy.patience`, two shapes
        # would stop each other's workers for ever.
        if not self._ended:
            self._dealer.deal(worker)
        self._dispatch()

    def _on_worker_failed(self, event: events.WorkerFailed) -> None:
        self._endings.append(commands.EndRun(event.cause))

    def _on_session_exited(self, event: events.SessionExited) -> None:
        self._endings.append(commands.EndRun(event.reason, event.status, event.kind))

    def _on_worker_stopped(self, event: events.WorkerStopped) -> None:
        worker = self.capacity.workers.get(event.worker)
        if worker is not None:
            self.capacity.remove(worker)
            self._dispatch()

    def _on_worker_died(self, event: events.WorkerDied) -> None:
        worker = self.capacity.workers.get(event.worker)
        if worker is None:
            return
        if worker.state is WorkerState.STOPPING:
            self._on_worker_stopped(events.WorkerStopped(worker.id))
            return
        if worker.moves:
            event = replace(event, kind=events.Death.NODE_LOST, cause=DRAINED)
        elif self._workers.is_stranded(worker):
            event = replace(event, kind=events.Death.NODE_LOST)
        for finished in self._failures.bury(worker, event, self._workers.now):
            self._finish(finished)
        self._workers.restart(worker)
        self._dispatch()

    def _on_batch_done(self, event: events.BatchDone) -> None:
        worker = self.capacity.workers.get(event.worker)
        if worker is None or worker.state not in (WorkerState.BUSY, WorkerState.KILLED):
            return
        for key in reversed(list(worker.batch)):
            self._ledger.requeue(self._ledger[key])
        if worker.state is WorkerState.KILLED:
            # It has ended its call while it was being killed, so that nobody will see it die in one.
            self._workers.restart(worker)
            self._dispatch()
        elif worker.shape.fresh_process:
            self._workers.restart(worker)
        else:
            self._workers.idle(worker)
            self._dispatch()

    def _on_trial_started(self, event: events.TrialStarted) -> None:
        entry = self._ledger.current(event.key, event.attempt)
        if entry is not None:
            self._mark_progress(entry)
            self._ledger.start(entry, event)

    def _on_trial_reported(self, event: events.TrialReported) -> None:
        entry = self._ledger.current(event.key, event.attempt)
        if entry is None:
            return
        self._progressed = self._workers.now
        self._ledger.record(event)
        is_leaving = entry.worker is not None and self._workers.is_leaving(entry.worker)
        if event.checkpoint is not None and (self.out_of_time or is_leaving):
            # It can go on from here another time, or elsewhere; if its end has arrived, too, by the next tick, so much the better.
            self._saved[event.key] = event.attempt

    def _on_trial_finished(self, event: events.TrialFinished) -> None:
        entry = self._ledger.current(event.key, event.attempt)
        if entry is None:
            return
        self._mark_progress(entry)
        self._pacing.measure(entry.trial.sweep.id, event.duration)
        if self._ledger.retry_after_failure(entry, event, self._workers.now):
            self._dispatch()
        else:
            self._finish(event)

    def _on_trial_returned(self, event: events.TrialReturned) -> None:
        entry = self._ledger.current(event.key, event.attempt)
        if entry is None:
            return
        if event.lost:
            self._ledger.note_shared(SharedLost(event.lost, is_built=True), self._workers.now)
        self._ledger.requeue(entry)
        self._dispatch()

    def _on_shared(self, event: SharedEvent) -> None:
        if self._ledger.note_shared(event, self._workers.now):
            self._progressed = self._workers.now
            self._dispatch()

    # Trials

    def _mark_progress(self, entry: Entry) -> None:
        self._progressed = self._workers.now
        if entry.worker is not None:
            entry.worker.since = self._workers.now

    def _finish(self, finished: events.TrialFinished) -> None:
        entry = self._ledger[finished.key]
        self._ledger.finish(entry, finished)
        sweep = entry.trial.sweep
        error = self._same_failures.note(sweep.id, finished)
        if error is not None:
            reason = f"the first {self._policy.abort_after} trials of {sweep.name} all failed with: {error}"
            self._ledger.give_up_waiting(reason, sweep.id)

    def _close(self) -> None:
        """The budget is spent: nothing new begins; in the end, what still runs is cut off."""
        if self._ledger.closed_because is None:
            self._ledger.close(f"the budget of {duration_words(self._policy.budget or 0.0)} is spent")
        if self._budget.phase is Phase.OVER:
            for entry in list(self._ledger.open()):
                self._cut_off(entry)

    def _cut_off_saved(self) -> None:
        """In the time of grace, or on a node that leaves, cut off who has kept a checkpoint since the last tick, and goes on."""
        saved, self._saved = self._saved, {}
        for key, attempt in saved.items():
            entry = self._ledger.current(key, attempt)
            if entry is None or entry.worker is None or not entry.is_open:
                continue
            if self.out_of_time:
                self._cut_off(entry)
            else:
                self._workers.kill(entry.worker, moves=True)

    def _cut_off(self, entry: Entry) -> None:
        worker = entry.worker
        self._ledger.give_up(entry, self._ledger.closed_because or "")
        if worker is not None:
            self._workers.kill(worker)

    # Workers

    def _dispatch(self) -> None:
        """Give work to idle workers, and see that there are workers for the rest."""
        # Towards the end thousands idle, and every trial that ends comes by here.
        is_called_for = self._ended or self._workers.is_restless or any(self._ledger.queues.values())
        for worker in self.capacity.in_state(WorkerState.IDLE) if is_called_for else ():
            if self._ended or self._workers.must_yield(worker):
                self._workers.stop(worker)
            else:
                self._dealer.deal(worker)
        if not self._ended:
            self._workers.meet_demand()
