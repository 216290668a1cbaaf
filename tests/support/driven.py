"""Drives a controller by hand, without a loop and an executor: events told, commands returned. For tests that assert on them."""

from __future__ import annotations

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
    """A controller with what it has been told: short to drive, and it keeps all commands by kind."""

    def __init__(
        self, nodes: Sequence[events.Node] = (), policy: Policy | None = None, future: Sequence[Resources] = ()
    ) -> None:
        self.controller = Controller(policy, future)
        self.given: list[commands.Command] = []
        self.tell(events.NodesChanged(tuple(nodes or [node()])))

    def tell(self, *happened: events.Event) -> list[commands.Command]:
        """Tell what happened and return the commands."""
        decided = [command for event in happened for command in self.controller.handle(event)]
        self.given += decided
        return decided

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

    def all(self, kind: type[C]) -> list[C]:
        """Return all commands of one kind so far."""
        return only(kind, self.given)


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
