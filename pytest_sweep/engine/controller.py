"""Decides what runs when and where: events in, commands out, no input or output, no clock of its own.

Its promises: a trial is finished once, and never lost; what does not belong to the current hand-out of a trial is refused; what our workers
hold on a node never exceeds what it has; no trial is ended for a limit that it has not exceeded. What became of the trials is the
ledger's business, which workers there are is the staffing's, what takes too long the deadlines'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, get_args

from pytest_sweep.engine.parts import Parts
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.study import Study
from pytest_sweep.engine.waiting import Explainer
from pytest_sweep.engine.worker import WorkerState
from pytest_sweep.model import commands, events
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.shared import SharedBuilding, SharedEvent, SharedLost, SharedReady, SharedStopped
from pytest_sweep.model.trials import Trial
from pytest_sweep.model.waiting import Waiting


class Controller:
    """The decisions of one run.

    Args:
        policy: the settings.
        future: the node types that an autoscaler could add.
        can_kill: whether the executor can end a trial; where it cannot, no limit of a trial is checked.
        studies: those of trials that are chosen or judged while the run goes on.

    Attributes:
        studies: what is known of them.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        future: Iterable[Resources] = (),
        *,
        can_kill: bool = True,
        studies: Iterable[Study] = (),
    ) -> None:
        self._policy, self._can_kill = policy or Policy(), can_kill
        self._ended = self._is_fatal = False
        self._others: list[commands.Command] = []
        parts = Parts(self._policy, future, can_kill=can_kill, studies=studies, order=self._add)
        self._ledger, self._clock, self._deadlines = parts.ledger, parts.clock, parts.deadlines
        self._workers, self._staffing, self._failures = parts.workers, parts.staffing, parts.failures
        self._endings, self._dealer, self.studies = parts.endings, parts.dealer, parts.studies
        self._acceptance, self._requests = parts.acceptance, parts.requests
        self.capacity = parts.workers.capacity
        self._handlers: dict[type, Callable[[Any], None]] = {
            events.TrialsAdded: self._on_trials_added,
            events.NodesChanged: self._on_nodes_changed,
            events.Advanced: self._on_advanced,
            events.Tick: self._on_tick,
            events.RunEnding: self._on_run_ending,
            events.WorkerStarting: self._on_worker_starting,
            events.WorkerStarted: self._on_worker_started,
            events.WorkerFailed: self._on_worker_failed,
            events.WorkerDied: self._on_worker_died,
            events.WorkerStopped: self._on_worker_stopped,
            events.SessionExited: self._on_session_exited,
            events.BatchDone: self._on_batch_done,
            events.TeardownStarted: partial(self._deadlines.note_teardown, self.capacity.workers),
            events.TeardownTimedOut: self._ledger.record,
            events.TrialStarted: self._acceptance.started,
            events.TrialReported: self._on_trial_reported if self._ledger.studies else self._acceptance.reported,
            events.TrialFinished: self._on_trial_left,
            events.TrialLeft: self._acceptance.left_open,
            events.TrialReturned: self._on_trial_left,
            **dict.fromkeys(get_args(events.ProposalEvent), self._on_proposal),
            **dict.fromkeys((SharedBuilding, SharedReady, SharedLost, SharedStopped), self._on_shared),
        }

    @property
    def done(self) -> bool:
        """Whether no trial is left to run."""
        return self._ended or self._ledger.unfinished == 0

    @property
    def out_of_time(self) -> bool:
        """Whether the budget was spent before all trials had run: what was not run then, was not for that."""
        return self._endings.is_out_of_time

    @property
    def stalled(self) -> float | None:
        """For how many seconds no trial has begun, reported or ended; None while that is less than `Policy.stall`.

        Seconds in which the driver took no events do not count: nobody knows yet what happened in them.
        """
        seconds = self._clock.horizon - self._acceptance.progressed
        return None if seconds < self._policy.stall or self.done else seconds

    def waiting(self) -> Waiting:
        """Return what waits now, for what, and who has it."""
        return Explainer(self._ledger, self._staffing, self._policy).waiting(self.stalled)

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
        self._add(self._requests.withdraw())
        return self._take_commands()

    def stop_shared(self) -> list[commands.Command]:
        """Return the commands that tear down the shared fixtures, when no worker is left that uses them."""
        self._ledger.shared.stop()
        return self._take_commands()

    @property
    def has_shared(self) -> bool:
        """Whether a shared fixture has not been torn down."""
        return not self._ledger.shared.are_over

    def _add(self, command: commands.Command | None) -> None:
        if command is not None:
            self._others.append(command)

    def _take_commands(self) -> list[commands.Command]:
        others, self._others = self._others, []
        shared = self._ledger.shared.take_orders()
        return [*shared, *self._workers.take_orders(), *self._ledger.take_records(), *others]

    # What comes from the driver

    def _on_trials_added(self, event: events.TrialsAdded) -> None:
        self.studies.begin(event.decisions, event.time)
        self._ledger.add(event.trials, event.attempts, self._workers.now, event.metrics)
        self._acceptance.progressed = self._workers.now
        self._dispatch()

    def _on_nodes_changed(self, event: events.NodesChanged) -> None:
        self._staffing.set_nodes(event.nodes)
        self._dispatch()

    def _on_advanced(self, event: events.Advanced) -> None:
        self._acceptance.progressed += self._clock.advance(event.now)
        self._workers.now = self._deadlines.now = event.now
        self._endings.close(event.now, self._clock.horizon)

    def _on_tick(self, event: events.Tick) -> None:
        self._workers.now = self._deadlines.now = event.now
        horizon = self._clock.tick(event.now)
        has_room = self._staffing.tick(horizon)
        if self._ledger.release_delayed(event.now) or has_room:
            self._dispatch()
        if self._can_kill:
            self._deadlines.enforce(self._workers, horizon)
        self._endings.close(event.now, horizon)
        if not self._clock.is_catching_up:
            self._endings.cut_off_saved()
        self._add(None if self._ended else self._requests.tick(event.now))
        if self.capacity.excluded and not self.done:
            self._add(self._endings.hopeless())

    def _on_run_ending(self, event: events.RunEnding) -> None:
        self._ended = True
        now = max(event.now, self._workers.now)
        self._failures.keep_outputs(self.capacity.workers, event.dead, now)
        self._ledger.end(event.reason, now)

    # What comes from workers

    def _on_worker_starting(self, event: events.WorkerStarting) -> None:
        worker = self.capacity.workers.get(event.worker)
        if worker is not None and worker.state is WorkerState.STARTING:
            self._staffing.note_start(worker, is_granted=event.is_granted)

    def _on_worker_started(self, event: events.WorkerStarted) -> None:
        worker = self.capacity.workers.get(event.worker)
        if worker is None or worker.state is not WorkerState.STARTING:
            return
        self._staffing.note_start(worker, is_granted=True)
        worker.teardown = None
        self._workers.idle(worker)
        # It works once before it may have to yield: else, where workers take longer to start than `Policy.patience`, two shapes
        # would stop each other's workers for ever.
        if not self._ended:
            self._dealer.deal(worker)
        self._dispatch()

    def _on_worker_failed(self, event: events.WorkerFailed) -> None:
        if not event.nodes:
            self._add(commands.EndRun(event.cause))
            return
        worker = self.capacity.workers.get(event.worker)
        if worker is not None:
            for finished in self._failures.unfinished(worker, self._workers.now):
                self._acceptance.finish(finished)
            self._workers.remove(worker)
        for node in event.nodes:
            if node not in self.capacity.excluded:
                known = self.capacity.node(node)
                self._ledger.record(events.NodeExcluded(node if known is None else known.address, event.cause))
                self._staffing.exclude(node, event.cause)
        self._dispatch()
        if not self.done:
            self._add(self._endings.hopeless())

    def _on_session_exited(self, event: events.SessionExited) -> None:
        self._is_fatal = True
        self._add(commands.EndRun(event.reason, event.status, event.kind))

    def _on_worker_stopped(self, event: events.WorkerStopped) -> None:
        worker = self.capacity.workers.get(event.worker)
        if worker is not None:
            self._deadlines.record_teardown(worker, self._workers.now - worker.since)
            self._workers.remove(worker)
            self._dispatch()

    def _on_worker_died(self, event: events.WorkerDied) -> None:
        worker = self.capacity.workers.get(event.worker)
        if worker is None:
            return
        if worker.state is WorkerState.STOPPING:
            self._on_worker_stopped(events.WorkerStopped(worker.id))
            return
        is_stranded = self._workers.is_stranded(worker)
        for finished in self._failures.bury(worker, event, self._workers.now, is_stranded=is_stranded):
            self._acceptance.finish(finished)
        self._staffing.go_on(worker)
        self._dispatch()

    def _on_batch_done(self, event: events.BatchDone) -> None:
        worker = self.capacity.workers.get(event.worker)
        if worker is None or worker.state not in (WorkerState.BUSY, WorkerState.KILLED) or event.lease != worker.lease:
            return
        if self._is_fatal:  # The trial that ended the session has no end of its own, and needs none.
            return
        for finished in self._failures.unfinished(worker, self._workers.now):
            self._acceptance.finish(finished)
        worker.teardown = None
        if worker.state is WorkerState.KILLED or worker.shape.fresh_process:
            # A killed one has ended its call while it was being killed, so that nobody will see it die in one.
            worker.timed_out, worker.moves, worker.teardown_timed_out = None, False, False
            self._staffing.go_on(worker)
        else:
            self._workers.idle(worker)
        self._dispatch()

    def _on_trial_reported(self, event: events.TrialReported) -> None:
        self._acceptance.reported(event)
        if self.studies.news:
            self._dispatch()

    def _on_trial_left(self, event: events.TrialFinished | events.TrialReturned) -> None:
        if self._acceptance.left(event) or self.studies.news:
            self._dispatch()

    def _on_proposal(self, event: events.ProposalEvent) -> None:
        self.studies.answered(event)
        self._dispatch()

    def _on_shared(self, event: SharedEvent) -> None:
        if self._ledger.note_shared(event, self._workers.now):
            self._acceptance.progressed = self._workers.now
            self._dispatch()

    def _dispatch(self) -> None:
        """Give work to idle workers, and see that there are workers for the rest."""
        if self.studies.news:
            self.studies.settle()
        idle = self._workers.take_idle()
        if self._ended:
            for worker in self.capacity.in_state(WorkerState.IDLE):
                self._workers.stop(worker)
            return
        for shape in self._ledger.grown:
            idle += self.capacity.idle(shape)
        for worker in idle:
            if worker.state is not WorkerState.IDLE:
                continue
            if self._staffing.reservations.is_restless and self._staffing.reservations.must_yield(worker):
                self._workers.stop(worker)
            else:
                self._dealer.deal(worker)
        self._staffing.meet_demand(idle)
