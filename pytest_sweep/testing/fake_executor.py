"""An executor without processes, for tests of the engine and of plugins: what a trial does is a function that the test writes.

With a whole pytest session, from a ``conftest.py``::

    def pytest_sweep_make_executor(options):
        return FakeExecutor(script=lambda task: Outcome(final={"loss": task.trial.config["lr"]}))
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_sweep.model import commands, events
from pytest_sweep.model.events import Event
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.trials import Task, TrialState

TWO_CPUS = (events.Node("node-1", "10.0.0.1", Resources(cpu=2.0)),)
EPOCH = 1_000_000_000.0
"""When the first thing happens on a fake executor, in seconds since the epoch; each thing takes a second."""

PATIENCE_POLLS = 20_000
"""After how many calls of `FakeExecutor.events` in which nothing happens a run is taken to be stuck."""


@dataclass(frozen=True)
class Outcome:
    """What one attempt does.

    Attributes:
        state: how it ends.
        reports: the metrics that it reports, in order; ``training_iteration`` is added.
        final: the metrics that its body returns, or None.
        error: the text of its failure, or None.
        duration: how long it says that it took, in seconds.
        polls: how many calls of `FakeExecutor.events` it runs for; more than one leaves time to `FakeExecutor.kill` its worker.
        dies: why its worker's process dies in the middle of it, or None.
    """

    state: TrialState = TrialState.TERMINATED
    reports: Sequence[Mapping[str, Any]] = ()
    final: Mapping[str, Any] | None = None
    error: str | None = None
    duration: float = 1.0
    polls: int = 1
    dies: str | None = None


Script = Callable[[Task], "Outcome | Sequence[events.Event]"]
"""Says what an attempt does: an Outcome, or its events after TrialStarted, word for word."""


@dataclass
class FakeWorker:
    """A worker of a `FakeExecutor`: `waiting` are the tasks that it was handed, the first of them runs if `polls_left` is set."""

    id: str
    resources: Resources
    node: str
    polls_to_start: int
    waiting: deque[Task] = field(default_factory=deque)
    polls_left: int | None = None
    is_alive: bool = True


class FakeExecutor:
    """An executor whose workers live in this object. Nothing happens but in `events`, so that every run is repeatable.

    In each call of `events` every worker takes one step: it starts, or begins its next trial, or goes on with it, or ends it.

    Args:
        nodes: the machines that there are.
        script: what each attempt does; default: it ends well at once.
        future: the node types that a pretended autoscaler could add; a worker without a node starts once `nodes` can hold it.
        polls_to_start: how many calls of `events` a worker takes to start.
        max_concurrent: how many trials it says that it can run at once.

    Attributes:
        commands: all that it was ordered to do, in order.
        ran: worker, key and attempt of all that was begun, in order.
        workers: those that live, by name.

    Raises:
        AssertionError: an order that no executor could carry out (more than a node has, or to a worker that is busy), or
            a run that is stuck.
    """

    name = "fake"
    can_kill = True
    advice = ""

    def __init__(
        self,
        nodes: Sequence[events.Node] = TWO_CPUS,
        script: Script = lambda task: Outcome(),  # noqa: ARG005
        *,
        future: Sequence[Resources] = (),
        polls_to_start: int = 1,
        max_concurrent: int | None = None,
    ) -> None:
        self.max_concurrent = max_concurrent
        self.polls_to_start = polls_to_start
        self.commands: list[commands.WorkerCommand] = []
        self.ran: list[tuple[str, str, int]] = []
        self.workers: dict[str, FakeWorker] = {}
        self._nodes = {node.id: node for node in nodes}
        self._script = script
        self._future = tuple(future)
        self._happened: deque[events.Event] = deque()
        self._homeless: list[commands.StartWorker] = []
        self._now = EPOCH
        self._idle_polls = 0

    # What a test does to it

    def kill(self, worker: str, cause: str = "killed by the test") -> None:
        """End a worker's process, with what it was handed."""
        dead = self.workers[worker]  # It holds its resources until it is restarted or stopped.
        dead.waiting.clear()
        dead.polls_left, dead.polls_to_start, dead.is_alive = None, 0, False
        self._happened.append(events.WorkerDied(worker, cause, self._now))

    def add_node(self, node: events.Node) -> None:
        """Add a machine."""
        self._nodes[node.id] = node
        self._happened.append(events.NodesChanged(tuple(self._nodes.values())))

    def remove_node(self, node: str) -> None:
        """Take a machine away; the workers on it die."""
        del self._nodes[node]
        self._happened.append(events.NodesChanged(tuple(self._nodes.values())))
        for worker in [worker for worker in self.workers.values() if worker.node == node]:
            self.kill(worker.id, f"its node {node} is gone")

    def held(self, node: str) -> Resources:
        """Return what the workers on `node` hold."""
        held = Resources(cpu=0.0)
        for worker in self.workers.values():
            if worker.node == node:
                held = held.plus(worker.resources)
        return held

    # What the engine does with it

    def prepare(self) -> None:
        """Do nothing: it is always up."""

    def nodes(self) -> Sequence[events.Node]:
        """Return the machines there are."""
        return tuple(self._nodes.values())

    def expected_nodes(self) -> Sequence[Resources]:
        """Return the machines."""
        return [node.resources for node in self._nodes.values()]

    def future_nodes(self) -> Sequence[Resources]:
        """Return the node types that could be added."""
        return self._future

    def unshared(self, path: str) -> Sequence[str]:  # noqa: ARG002 - it is this machine's
        """Return nothing: there is one machine."""
        return ()

    def open(self, spec: object, items: Mapping[str, Any]) -> None:
        """Need nothing."""

    def execute(self, command: commands.WorkerCommand, tasks: Sequence[Task] = ()) -> None:
        """Take an order, and answer it in `events`."""
        self.commands.append(command)
        if isinstance(command, commands.StartWorker):
            self._start(command)
            return
        self._homeless = [start for start in self._homeless if start.worker != command.worker]
        if isinstance(command, commands.StopWorker):
            self.workers.pop(command.worker, None)
            self._happened.append(events.WorkerStopped(command.worker))
        elif isinstance(command, commands.KillWorker):
            if self.workers[command.worker].is_alive:  # Else its death is on the way.
                self.kill(command.worker, "killed as the engine said")
        elif isinstance(command, commands.RestartWorker):
            worker = self.workers[command.worker]
            assert not worker.waiting, f"{command} interrupts {worker}"
            worker.polls_to_start, worker.is_alive = self.polls_to_start, True
        else:
            self._hand(self.workers[command.worker], command, tasks)

    def events(self, timeout: float) -> Sequence[events.Event]:  # noqa: ARG002 - nothing here takes time
        """Let every worker take a step, and return what happened since the last call."""
        for start in self._homeless[:]:
            self._settle(start)
        for worker in list(self.workers.values()):
            self._step(worker)
        happened, self._happened = list(self._happened), deque()
        self._idle_polls = 0 if happened else self._idle_polls + 1
        assert self._idle_polls < PATIENCE_POLLS, f"nothing happens any more; the last orders were {self.commands[-5:]}"
        return happened

    def arrived(self) -> Sequence[Event]:
        """Return what happened since the last call; nobody takes a step."""
        happened, self._happened = list(self._happened), deque()
        return happened

    def shutdown(self, *, force: bool) -> None:
        """Forget the workers; without `force` there are none left."""
        assert force or not self.workers, f"{list(self.workers)} were not stopped"
        self.workers.clear()

    def join(self) -> None:
        """Do nothing: there is nothing to wait for."""

    def describe(self) -> str:
        """Return what the status block says of it."""
        return f"fake, {len(self._nodes)} nodes"

    def _start(self, command: commands.StartWorker) -> None:
        if command.node is None:
            self._homeless.append(command)
            return
        worker = FakeWorker(command.worker, command.resources, command.node, self.polls_to_start)
        self.workers[worker.id] = worker
        has = self._nodes[command.node].resources
        assert self.held(command.node).fits(has), f"{command} exceeds {command.node}, which has {has}"

    def _hand(self, worker: FakeWorker, command: commands.RunTrials, tasks: Sequence[Task]) -> None:
        assert [(task.trial.key, task.attempt) for task in tasks] == list(command.trials), "tasks are not the trials"
        assert not worker.waiting, f"{command} reaches {worker}, which is busy"
        assert worker.polls_to_start == 0, f"{command} reaches {worker}, which has not started"
        if worker.is_alive:  # Else its death has crossed this order on the way, and is the answer to it.
            worker.waiting.extend(tasks)

    def _settle(self, start: commands.StartWorker) -> None:
        """Put a worker whose node was left to the cluster where there is room for it, if there is."""
        for node in self._nodes.values():
            if self.held(node.id).plus(start.resources).fits(node.resources):
                self._homeless.remove(start)
                self.workers[start.worker] = FakeWorker(start.worker, start.resources, node.id, self.polls_to_start)
                return

    def _step(self, worker: FakeWorker) -> None:
        if not worker.is_alive:
            return
        if worker.polls_to_start > 0:
            worker.polls_to_start -= 1
            if worker.polls_to_start == 0:
                location = f"{self._nodes[worker.node].address}:{worker.id}"
                self._happened.append(events.WorkerStarted(worker.id, location, worker.node))
        elif worker.waiting:
            self._run(worker, worker.waiting[0])

    def _run(self, worker: FakeWorker, task: Task) -> None:
        key, attempt = task.trial.key, task.attempt
        outcome = self._script(task)
        if worker.polls_left is None:
            self._now += 1.0
            self.ran.append((worker.id, key, attempt))
            self._happened.append(events.TrialStarted(key, attempt, self._now, f"10.0.0.1:{worker.id}"))
            worker.polls_left = outcome.polls if isinstance(outcome, Outcome) else 1
        worker.polls_left -= 1
        if worker.polls_left > 0:
            return
        if isinstance(outcome, Outcome) and outcome.dies is not None:
            self._happened.extend(self._reports(task, outcome))
            self.kill(worker.id, outcome.dies)
            return
        self._happened.extend(self._end(task, outcome) if isinstance(outcome, Outcome) else outcome)
        worker.polls_left = None
        worker.waiting.popleft()
        if not worker.waiting:
            self._happened.append(events.BatchDone(worker.id))

    def _reports(self, task: Task, outcome: Outcome) -> list[Event]:
        return [
            events.TrialReported(task.trial.key, task.attempt, {"training_iteration": number, **metrics})
            for number, metrics in enumerate(outcome.reports, task.iteration + 1)
        ]

    def _end(self, task: Task, outcome: Outcome) -> list[Event]:
        self._now += 1.0
        last = dict(outcome.reports[-1]) if outcome.reports else {}
        metrics = {**last, **(outcome.final or {})} if outcome.reports or outcome.final is not None else None
        return [
            *self._reports(task, outcome),
            events.TrialFinished(
                task.trial.key,
                task.attempt,
                outcome.state,
                metrics,
                outcome.error,
                outcome.duration,
                self._now,
                pytest_reports(task.trial.id, outcome),
            ),
        ]


def pytest_reports(node_id: str, outcome: Outcome) -> tuple[dict[str, Any], ...]:
    """Return pytest's reports of the three phases of a trial that ended so, as a worker sends them."""
    location = (node_id.partition("::")[0], 0, node_id.rpartition("::")[2])
    made = []
    for when in ("setup", "call", "teardown"):
        result, text = ("passed", None)
        if when == "call" and outcome.state is TrialState.ERROR:
            result, text = "failed", outcome.error or "the trial failed"
        duration = outcome.duration if when == "call" else 0.0
        longrepr: Any = text
        if when == "call" and outcome.state is TrialState.SKIPPED:
            result, longrepr = "skipped", (location[0], 1, f"Skipped: {outcome.error or 'by the test'}")
        report = pytest.TestReport(node_id, location, {}, result, longrepr, when, duration=duration)  # type: ignore[arg-type]
        made.append({**report._to_json(), "$report_type": "TestReport"})
    return tuple(made)
