"""Drives a controller by hand, without a loop and an executor: events told, commands returned. For tests that assert on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

from pytest_sweep.engine.controller import Controller
from pytest_sweep.engine.policy import Policy
from pytest_sweep.model import Resources, Sweep, Trial, TrialState, commands, events
from pytest_sweep.model.placement import Placement
from pytest_sweep.testing.samples import SWEEP

ONE_CPU = Resources(cpu=1.0)
C = TypeVar("C")


def node(number: int = 1, cpu: float = 2.0, gpu: float = 0.0) -> events.Node:
    """Return a machine."""
    return events.Node(f"node-{number}", f"10.0.0.{number}", Resources(cpu=cpu, gpu=gpu))


def make_trials(
    count: int,
    resources: Resources = ONE_CPU,
    sweep: Sweep = SWEEP,
    first: int = 0,
    placement: Placement = Placement(),
) -> list[Trial]:
    """Return trials of `sweep` whose keys are numbers, counted from `first`."""
    return [
        Trial(
            f"{number:016x}",
            f"{sweep.id}[a={number}]",
            f"train[a={number}]",
            sweep,
            {"a": number},
            resources,
            placement=placement,
        )
        for number in range(first, first + count)
    ]


class Engine:
    """A controller with what it has been told: short to drive, and it keeps all commands by kind.

    Leases are filled in: what is told of a trial or a batch carries the lease of its last hand-out, unless it names one itself; in what is
    returned there are none. `leases` has those of all hand-outs, by key, attempt and worker, the last one at the end.
    """

    def __init__(
        self, nodes: Sequence[events.Node] = (), policy: Policy | None = None, future: Sequence[Resources] = ()
    ) -> None:
        self.controller = Controller(policy, future)
        self.given: list[commands.Command] = []
        self.leases: dict[tuple[str, int] | str, list[int]] = {}
        self.within: float | None = None
        self.tell(events.NodesChanged(tuple(nodes or [node()])))

    def tell(self, *happened: events.Event) -> list[commands.Command]:
        """Tell what happened and return the commands."""
        decided = [
            self._plain(command) for event in happened for command in self.controller.handle(self._leased(event))
        ]
        self.given += decided
        return decided

    def pass_time(self, now: float, *happened: events.Event) -> list[commands.Command]:
        """Tell, as the loop does, that the clock goes on to `now`, then what has happened meanwhile, then that limits are to be checked."""
        return self.tell(events.Advanced(now), *happened, events.Tick(now))

    def wait(self, start: float, end: float) -> list[commands.Command]:
        """Let time pass from `start` to `end` without anything happening, in steps as the loop's."""
        steps = round((end - start) / 0.2)
        return [command for step in range(1, steps + 1) for command in self.pass_time(start + step * 0.2)]

    def _leased(self, event: events.Event) -> events.Event:
        if isinstance(event, events.TrialEvent) and not event.lease:
            return dataclasses.replace(event, lease=self.leases.get((event.key, event.attempt), [0])[-1])
        if isinstance(event, events.BatchDone) and not event.lease:
            return dataclasses.replace(event, lease=self.leases.get(event.worker, [0])[-1])
        return event

    def _plain(self, command: commands.Command) -> commands.Command:
        if isinstance(command, commands.RunTrials):
            places: list[tuple[str, int] | str] = [*command.trials, command.worker]
            for place in places:
                self.leases.setdefault(place, []).append(command.lease)
            return dataclasses.replace(command, lease=0)
        if isinstance(command, commands.Record):
            return commands.Record(_without_lease(command.event))
        if isinstance(command, (commands.StopWorker, commands.RestartWorker, commands.StopShared)):
            self.within = command.within
            return dataclasses.replace(command, within=None)
        return command

    def add(self, trials: Sequence[Trial]) -> list[commands.Command]:
        """Add trials."""
        return self.tell(events.TrialsAdded(tuple(trials)))

    def start(self, *workers: str) -> list[commands.Command]:
        """Tell that these workers have started."""
        return self.tell(*(events.WorkerStarted(worker, "10.0.0.1:1") for worker in workers))

    def begin(self, trial: Trial, attempt: int = 1) -> list[commands.Command]:
        """Tell that an attempt has begun."""
        return self.tell(events.TrialStarted(trial.key, attempt, 100.0, "10.0.0.1:1"))

    def finish(
        self, trial: Trial, state: TrialState = TrialState.TERMINATED, attempt: int = 1, duration: float = 1.0
    ) -> list[commands.Command]:
        """Tell that an attempt has ended."""
        return self.tell(ended(trial, state, attempt, duration))

    def stop_workers(self) -> list[commands.Command]:
        """End the run's workers."""
        return [self._plain(command) for command in self.controller.stop_workers()]

    def all(self, kind: type[C]) -> list[C]:
        """Return all commands of one kind so far."""
        return only(kind, self.given)


def _without_lease(event: events.Accepted) -> events.Accepted:
    if isinstance(event, events.TrialRetried):
        return events.TrialRetried(dataclasses.replace(event.failed, lease=0))
    if isinstance(event, events.TrialEvent):
        return dataclasses.replace(event, lease=0)
    return event


def ended(
    trial: Trial, state: TrialState = TrialState.TERMINATED, attempt: int = 1, duration: float = 1.0
) -> events.TrialFinished:
    """Return the end of an attempt."""
    return events.TrialFinished(trial.key, attempt, state, None, None, duration, 102.0)


def only(kind: type[C], given: Sequence[commands.Command]) -> list[C]:
    """Return the commands of one kind."""
    return [command for command in given if isinstance(command, kind)]


def run(worker: str, *trials: Trial, attempt: int = 1) -> commands.RunTrials:
    """Return the order to run these trials, all for the same attempt."""
    return commands.RunTrials(worker, tuple((trial.key, attempt) for trial in trials))


def records(given: Sequence[commands.Command]) -> list[events.Accepted]:
    """Return the events that were let pass."""
    return [command.event for command in only(commands.Record, given)]
