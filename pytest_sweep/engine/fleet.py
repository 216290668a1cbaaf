"""Starts, restarts and stops workers, so that every shape in demand has some. Knows of trials only how many wait.

The policy: a worker that is warm gets the next trial of its own shape; one without work makes room for another shape at once; a
shape that has had no worker for `Policy.patience` seconds gets a node emptied for it, while the other nodes go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass

from pytest_sweep.engine.pool import Pool, Shape, Worker, WorkerState
from pytest_sweep.model import commands
from pytest_sweep.model.events import Node
from pytest_sweep.model.resources import Resources


@dataclass(frozen=True, slots=True)
class Policy:
    """The engine's settings.

    Attributes:
        max_concurrent: how many trials may run at once; None leaves it to the resources.
        idle_release: after how many seconds a worker without work gives its resources back.
        patience: after how many seconds a trial that needs more room than there is gets a node emptied for it.
        timeout: how many seconds an attempt may take, where its sweep says nothing; None is no limit.
        abort_after: a sweep whose first so many trials fail with the same error ends there; 0 for never.
        budget: after how many seconds nothing new begins; None is no limit.
        grace: how many seconds what runs then has to come to an end, or to a checkpoint.
    """

    max_concurrent: int | None = None
    idle_release: float = 30.0
    patience: float = 30.0
    timeout: float | None = None
    abort_after: int = 20
    budget: float | None = None
    grace: float = 0.0


class Fleet:
    """The workers of one run, and the orders to the executor about them.

    Args:
        policy: the engine's settings.
        queues: what waits for each shape of worker; only its length is looked at.
        future: the node types that an autoscaler could add.
    """

    def __init__(self, policy: Policy, queues: Mapping[Shape, Sized], future: Iterable[Resources] = ()) -> None:
        self.pool = Pool(future)
        self._policy = policy
        self._queues = queues
        self.now = 0.0
        self._waiting_since: dict[Shape, float] = {}
        self._reserved: tuple[str, Shape] | None = None
        self._orders: list[commands.WorkerCommand] = []

    def take_orders(self) -> list[commands.WorkerCommand]:
        """Return the orders since the last call."""
        orders, self._orders = self._orders, []
        return orders

    def set_nodes(self, nodes: Iterable[Node]) -> None:
        """Take note of the nodes that there are now: what waits for one that is gone, waits no more."""
        self.pool.set_nodes(nodes)
        if self._reserved is not None and not self.pool.has_node(self._reserved[0]):
            self._reserved = None
        # A busy one is left to the executor, which tells of its death: its trial is then tried again.
        for worker in [*self.pool.in_state(WorkerState.STARTING), *self.pool.in_state(WorkerState.IDLE)]:
            if self.is_stranded(worker):
                self.stop(worker)

    def tick(self, now: float) -> bool:
        """Take note of the time: release workers that idled too long, empty a node for who waited too long.

        Return whether a node that was being emptied is wanted no more, so that there is room for others.
        """
        self.now = now
        for worker in self.pool.in_state(WorkerState.IDLE):
            if now - worker.since >= self._policy.idle_release:
                self.stop(worker)
        return self._reserve()

    def meet_demand(self) -> None:
        """Start workers for what waits, or clear idle ones away to make room."""
        for shape, queue in self._queues.items():
            while len(queue) > len(self.pool.in_state(WorkerState.STARTING, shape)):
                if not self._grow(shape):
                    break
            if len(queue) and not self.pool.of_shape(shape):
                self._waiting_since.setdefault(shape, self.now)

    def run(self, worker: Worker, batch: dict[str, int]) -> None:
        """Order `worker` to run `batch`, keys and attempts."""
        worker.batch = batch
        worker.state = WorkerState.BUSY
        worker.since, worker.timed_out = self.now, None
        self._orders.append(commands.RunTrials(worker.id, tuple(batch.items())))

    def idle(self, worker: Worker) -> None:
        """Take note that `worker` waits for work."""
        worker.state = WorkerState.IDLE
        worker.since = self.now

    def restart(self, worker: Worker) -> None:
        """Give `worker` a new process, if there is work for it."""
        if self.must_yield(worker) or self.is_stranded(worker) or not self._queues.get(worker.shape):
            self.stop(worker)
        else:
            worker.state = WorkerState.STARTING
            self._orders.append(commands.RestartWorker(worker.id))

    def kill(self, worker: Worker, timed_out: str | None = None) -> None:
        """Order the process of a busy worker to be ended, once; what becomes of the worker is decided when it is dead.

        `timed_out` is the key of the trial that takes too long, if that is why.
        """
        if worker.state is WorkerState.BUSY:
            worker.state, worker.timed_out = WorkerState.KILLED, timed_out
            self._orders.append(commands.KillWorker(worker.id))

    def stop(self, worker: Worker) -> None:
        """Order `worker` to end, once."""
        if worker.state is not WorkerState.STOPPING:
            worker.state = WorkerState.STOPPING
            self._orders.append(commands.StopWorker(worker.id))

    def must_yield(self, worker: Worker) -> bool:
        """Say whether `worker` stands in the way of a shape that a node is being emptied for."""
        if self._reserved is None or self._reserved[1] == worker.shape:
            return False
        return worker.node == self._reserved[0] or self._at_limit()

    def is_stranded(self, worker: Worker) -> bool:
        """Say whether the node that holds the worker's resources is gone, so that no process can start there."""
        return worker.node is not None and not self.pool.has_node(worker.node)

    def _grow(self, shape: Shape) -> bool:
        """Start one more worker of `shape`, or clear idle ones away for it; return whether one was started."""
        if self._at_limit():
            self._clear_one_for_limit(shape)
            return False
        node = self._place(shape)
        if node is None and not self._asks_autoscaler(shape):
            self._clear_idle(shape)
            return False
        worker = self.pool.add(shape, node)
        if self._reserved is not None and self._reserved[1] == shape:
            self._reserved = None
        self._waiting_since.pop(shape, None)
        self._orders.append(commands.StartWorker(worker.id, shape.resources, node))
        return True

    def _place(self, shape: Shape) -> str | None:
        if self._reserved is None:
            return self.pool.place(shape)
        node, owner = self._reserved
        if owner == shape:
            return node if self.pool.has_room(node, shape) else None
        return self.pool.place(shape, without=node)

    def _asks_autoscaler(self, shape: Shape) -> bool:
        """Whether only a node that is still to be added can hold `shape`; asked for one at a time."""
        if self.pool.fitting(shape.resources) or not self.pool.could_scale_to(shape.resources):
            return False
        return not any(worker.node is None for worker in self.pool.workers.values())

    def _clear_idle(self, shape: Shape) -> None:
        """Stop idle workers on a node where that, with what is already stopping, makes room for `shape`."""
        for node in self.pool.fitting(shape.resources):
            there = self.pool.on_node(node)
            idle = [w for w in there if w.state is WorkerState.IDLE and not self._queues.get(w.shape)]
            leaving = [w for w in there if w.state is WorkerState.STOPPING]
            if self.pool.has_room(node, shape, leaving):
                return
            if idle and self.pool.has_room(node, shape, idle + leaving):
                for worker in idle:
                    self.stop(worker)
                return

    def _at_limit(self) -> bool:
        limit = self._policy.max_concurrent
        return limit is not None and len(self.pool.workers) >= limit

    def _clear_one_for_limit(self, shape: Shape) -> None:
        idle = [w for w in self.pool.in_state(WorkerState.IDLE) if w.shape != shape]
        if idle and not self.pool.in_state(WorkerState.STOPPING):
            self.stop(idle[0])

    def _reserve(self) -> bool:
        # Who waited may have been given up meanwhile.
        for shape in [shape for shape in self._waiting_since if not self._queues.get(shape)]:
            del self._waiting_since[shape]
        is_given_up = self._reserved is not None and not self._queues.get(self._reserved[1])
        if is_given_up:
            self._reserved = None
        late = [s for s, since in self._waiting_since.items() if self.now - since >= self._policy.patience]
        if self._reserved is not None or not late:
            return is_given_up
        shape = min(late, key=self._waiting_since.__getitem__)
        nodes = self.pool.fitting(shape.resources)
        if not nodes:
            return is_given_up
        self._reserved = (min(nodes, key=lambda node: len(self.pool.on_node(node))), shape)
        for worker in self.pool.in_state(WorkerState.IDLE):
            if self.must_yield(worker):
                self.stop(worker)
        return is_given_up
