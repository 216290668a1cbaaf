"""An executor without processes, for tests of the engine and of plugins: what a trial does is a function that the test writes.

With a whole pytest session, from a ``conftest.py``::

    def pytest_sweep_make_executor(options):
        return FakeExecutor(script=lambda task: Outcome(final={"loss": task.trial.config["lr"]}))
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_sweep.model import commands, events
from pytest_sweep.model.events import Event
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.shared import SharedReady, SharedStopped
from pytest_sweep.model.trials import Task
from pytest_sweep.testing.fake_worker import FakeTrial, FakeWorker
from pytest_sweep.testing.outcomes import Outcome, Script

__all__ = ["FakeExecutor", "FakeWorker", "Outcome", "Script"]

TWO_CPUS = (events.Node("node-1", "10.0.0.1", Resources(cpu=2.0)),)
EPOCH = 1_000_000_000.0
"""When the first thing happens on a fake executor, in seconds since the epoch; each thing takes a second."""

PATIENCE_POLLS = 20_000
"""After how many calls of `FakeExecutor.events` in which nothing happens a run is taken to be stuck."""


class FakeExecutor:
    """An executor whose workers live in this object. Nothing happens but in `events`, so that every run is repeatable.

    In each call of `events` every worker takes one step: it starts, or begins its next trial, or goes on with it, or ends it. A trial that
    is judged goes on to its next milestone in each step, and waits there for a verdict.

    Args:
        nodes: the machines that there are.
        script: what each attempt does; default: it ends well at once.
        future: the node types that a pretended autoscaler can add: one node in each call of `events` in which what was asked for does not
            fit on the nodes that there are, empty; nothing is ever removed.
        most_nodes: how many nodes there are then at the most.
        polls_to_start: how many calls of `events` a worker takes to start.
        max_concurrent: how many trials it says that it can run at once.

    Attributes:
        commands: all that it was ordered to do, in order.
        ran: worker, key and attempt of all that was begun, in order.
        workers: those that live, by name.
        requested: what the autoscaler was last asked for.

    Raises:
        AssertionError: an order that no executor could carry out (more than a node has, or to a worker that is busy), or
            a run that is stuck.
    """

    name = "fake"
    can_gang = True
    starts_slowly = False
    can_kill = True
    advice = ""

    def __init__(
        self,
        nodes: Sequence[events.Node] = TWO_CPUS,
        script: Script = lambda task: Outcome(),  # noqa: ARG005
        *,
        future: Sequence[Resources] = (),
        most_nodes: int = 1_000,
        polls_to_start: int = 1,
        max_concurrent: int | None = None,
    ) -> None:
        self.max_concurrent = max_concurrent
        self.polls_to_start = polls_to_start
        self.commands: list[commands.ExecutorCommand] = []
        self.ran: list[tuple[str, str, int]] = []
        self.workers: dict[str, FakeWorker] = {}
        self._nodes = {node.id: node for node in nodes}
        self._script = script
        self._future = tuple(future)
        self._most_nodes = most_nodes
        self.requested: tuple[tuple[Resources, int], ...] = ()
        self._happened: deque[events.Event] = deque()
        self._now = EPOCH
        self._idle_polls = 0

    # What a test does to it

    def kill(self, worker: str, cause: str = "killed by the test") -> None:
        """End a worker's process, with what it was handed."""
        dead = self.workers[worker]  # It holds its resources until it is restarted or stopped.
        dead.waiting.clear()
        dead.polls_left, dead.running, dead.polls_to_start, dead.is_alive = None, None, 0, False
        self._happened.append(events.WorkerDied(worker, cause, self._now))

    def add_node(self, node: events.Node) -> None:
        """Add a machine."""
        self._nodes[node.id] = node
        self._happened.append(events.NodesChanged(tuple(self._nodes.values())))

    def remove_node(self, node: str) -> None:
        """Take a machine away; the workers on it die."""
        del self._nodes[node]
        self._happened.append(events.NodesChanged(tuple(self._nodes.values())))
        for worker in [worker for worker in self.workers.values() if node in worker.nodes]:
            self.kill(worker.id, f"its node {node} is gone")

    def held(self, node: str) -> Resources:
        """Return what the workers on `node` hold."""
        held = Resources(cpu=0.0)
        for worker in self.workers.values():
            held = held.plus(worker.resources.times(worker.nodes.count(node)))
        return held

    # What the engine does with it

    def prepare(self) -> None:
        """Do nothing: it is always up."""

    def starting(self) -> str:
        """Return nothing: it is up at once."""
        return ""

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

    def judge_by(self, decide: Callable[[], None]) -> None:
        """Need nothing: what trials report arrives while they run."""

    def execute(self, command: commands.ExecutorCommand, tasks: Sequence[Task] = ()) -> None:
        """Take an order, and answer it in `events`."""
        self.commands.append(command)
        if isinstance(command, commands.BuildShared):
            self._happened.append(SharedReady(command.fixture.id))
        elif isinstance(command, commands.StopShared):
            self._happened.append(SharedStopped(command.fixture))
        elif isinstance(command, commands.RequestResources):
            self.requested = command.bundles
        else:
            self._order(command, tasks)

    def events(self, timeout: float) -> Sequence[events.Event]:  # noqa: ARG002 - nothing here takes time
        """Let every worker take a step, and return what happened since the last call."""
        self._scale_up()
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

    def cut_off(self) -> Sequence[Event]:
        """End the workers that have trials, and return what happened since the last call."""
        for worker in list(self.workers.values()):
            if worker.waiting and worker.is_alive:
                self.kill(worker.id, "ended with the run")
        return self.arrived()

    def shutdown(self, *, force: bool) -> None:
        """Forget the workers; without `force` there are none left."""
        assert force or not self.workers, f"{list(self.workers)} were not stopped"
        self.workers.clear()

    def join(self) -> None:
        """Do nothing: there is nothing to wait for."""

    def describe(self) -> str:
        """Return what the status block says of it."""
        return f"fake, {len(self._nodes)} nodes"

    def _order(self, command: commands.WorkerCommand, tasks: Sequence[Task]) -> None:
        if isinstance(command, commands.StartWorker):
            self._start(command)
        elif isinstance(command, commands.Tell):
            told = self.workers.get(command.worker)
            if told is not None and told.running is not None:
                told.running.take(command)
        elif isinstance(command, commands.ReturnTrials):
            self._return(command)
        elif isinstance(command, commands.StopWorker):
            self.workers.pop(command.worker, None)
            self._happened.append(events.WorkerStopped(command.worker))
        elif isinstance(command, commands.KillWorker):
            if self.workers[command.worker].is_alive:  # Else its death is on the way.
                self.kill(command.worker, "killed as the engine said")
        elif isinstance(command, commands.RestartWorker):
            worker = self.workers[command.worker]
            assert not worker.waiting, f"{command} interrupts {worker}"
            worker.polls_to_start, worker.is_alive = self.polls_to_start, True
        elif isinstance(command, commands.RunTrials):
            self._hand(self.workers[command.worker], command, tasks)

    def _return(self, command: commands.ReturnTrials) -> None:
        worker = self.workers.get(command.worker)
        has_begun = worker is not None and (worker.polls_left is not None or worker.running is not None)
        while worker is not None and len(worker.waiting) > has_begun and worker.waiting[-1].lease == command.lease:
            task = worker.waiting.pop()
            self._happened.append(events.TrialReturned(task.trial.key, task.attempt, lease=task.lease))
            if not worker.waiting:
                self._happened.append(events.BatchDone(worker.id, command.lease))

    def _start(self, command: commands.StartWorker) -> None:
        assert command.nodes, f"{command} does not say where"
        worker = FakeWorker(command.worker, command.resources, command.nodes, self.polls_to_start)
        self.workers[worker.id] = worker
        for node in command.nodes:
            has = self._nodes[node].resources
            assert self.held(node).fits(has), f"{command} exceeds {node}, which has {has}"

    def _hand(self, worker: FakeWorker, command: commands.RunTrials, tasks: Sequence[Task]) -> None:
        assert [(task.trial.key, task.attempt) for task in tasks] == list(command.trials), "tasks are not the trials"
        assert not worker.waiting, f"{command} reaches {worker}, which is busy"
        assert worker.polls_to_start == 0, f"{command} reaches {worker}, which has not started"
        if worker.is_alive:  # Else its death has crossed this order on the way, and is the answer to it.
            worker.waiting.extend(tasks)

    def _scale_up(self) -> None:
        """Add a node for the first bundle that was asked for and fits nowhere, if there is a type that holds it."""
        if len(self._nodes) >= self._most_nodes:
            return
        free = {node.id: node.resources for node in self._nodes.values()}
        for bundle in (resources for resources, count in self.requested for _ in range(count)):
            room = next((node for node, size in free.items() if bundle.fits(size)), None)
            if room is not None:
                free[room] = free[room].minus(bundle)
            elif (size := next((size for size in self._future if bundle.fits(size)), None)) is not None:
                number = len(self._nodes) + 1
                self.add_node(events.Node(f"added-{number}", f"10.0.1.{number}", size))
                return

    def _step(self, worker: FakeWorker) -> None:
        if not worker.is_alive:
            return
        if worker.polls_to_start > 0:
            worker.polls_to_start -= 1
            if worker.polls_to_start == 0:
                location = f"{self._nodes[worker.nodes[0]].address}:{worker.id}"
                self._happened.append(events.WorkerStarted(worker.id, location, worker.nodes))
        elif worker.waiting:
            self._run(worker, worker.waiting[0])

    def _run(self, worker: FakeWorker, task: Task) -> None:
        key, attempt = task.trial.key, task.attempt
        outcome = self._script(task)
        if worker.polls_left is None:
            self._now += 1.0
            self.ran.append((worker.id, key, attempt))
            self._happened.append(
                events.TrialStarted(key, attempt, self._now, f"10.0.0.1:{worker.id}", lease=task.lease)
            )
            worker.polls_left = outcome.polls if isinstance(outcome, Outcome) else 1
        worker.polls_left -= 1
        if worker.polls_left > 0:
            return
        if isinstance(outcome, Outcome):
            worker.running = worker.running or FakeTrial(task, outcome)
            reports, ended = worker.running.step()
            self._happened.extend(reports)
            if ended is None:
                return
            if ended.dies is not None:
                self.kill(worker.id, ended.dies)
                return
            self._now += 1.0
            self._happened.append(ended.end(task, self._now))
        else:
            self._happened.extend(outcome)
        worker.polls_left = worker.running = None
        worker.waiting.popleft()
        if not worker.waiting:
            self._happened.append(events.BatchDone(worker.id, task.lease))
