"""Starts, restarts and stops workers, so that every shape in demand has some. Knows of trials only how many wait.

The policy: a worker that is warm gets the next trial of its own shape; one without work makes room for another shape at once; a
shape that has had no worker for `Policy.patience` seconds gets a node emptied for it, while the other nodes go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized

from pytest_sweep.engine.capacity import Capacity, Shape, Worker, WorkerState
from pytest_sweep.engine.policy import Policy
from pytest_sweep.model import commands
from pytest_sweep.model.events import Node
from pytest_sweep.model.resources import Resources


class Workers:
    """The workers of one run, and the orders to the executor about them.

    Args:
        policy: the engine's settings.
        queues: what waits for each shape of worker; only its length is looked at.
        future: the node types that an autoscaler could add.

    Attributes:
        capacity: the workers and the nodes that they are on.
        now: the time of the last tick, in seconds.
        reserved: the nodes that are being emptied and the shape that they are emptied for; None while there are none.
    """

    def __init__(self, policy: Policy, queues: Mapping[Shape, Sized], future: Iterable[Resources] = ()) -> None:
        self.capacity = Capacity(future)
        self._policy = policy
        self._queues = queues
        self.now = 0.0
        self._waiting_since: dict[Shape, float] = {}
        self.reserved: tuple[frozenset[str], Shape] | None = None
        self._orders: list[commands.WorkerCommand] = []
        self._full: dict[Shape, tuple[int, tuple[frozenset[str], Shape] | None]] = {}

    def take_orders(self) -> list[commands.WorkerCommand]:
        """Return the orders since the last call."""
        orders, self._orders = self._orders, []
        return orders

    def set_nodes(self, nodes: Iterable[Node]) -> None:
        """Take note of the nodes that there are now: what waits for one that is gone, waits no more."""
        drained = {node for node in self.capacity.node_ids if self.capacity.is_leaving(node)}
        self.capacity.set_nodes(nodes)
        if self.reserved is not None and not all(map(self._may_use, self.reserved[0])):
            self.reserved = None
        for worker in list(self.capacity.workers.values()):
            if worker.state is WorkerState.BUSY:
                # Its process may live on: behind a cut link, on a node that was drained, or with one of its gang on a lost one.
                if self.is_stranded(worker):
                    self.kill(worker, moves=not drained.isdisjoint(worker.nodes))
            elif worker.state in (WorkerState.STARTING, WorkerState.IDLE) and not all(map(self._may_use, worker.nodes)):
                self.stop(worker)

    def tick(self, now: float) -> bool:
        """Take note of the time: release workers that idled too long, empty a node for who waited too long.

        Return whether a node that was being emptied is wanted no more, so that there is room for others.
        """
        self.now = now
        for worker in self.capacity.in_state(WorkerState.IDLE):
            if now - worker.since >= self._policy.idle_release:
                self.stop(worker)
        return self._reserve()

    def meet_demand(self) -> None:
        """Start workers for what waits, or clear idle ones away to make room."""
        for shape, queue in self._queues.items():
            while len(queue) > self.capacity.count(shape, WorkerState.STARTING):
                if not self._grow(shape):
                    break
            if len(queue) and not self.capacity.count(shape):
                self._waiting_since.setdefault(shape, self.now)

    def run(self, worker: Worker, batch: dict[str, int]) -> None:
        """Order `worker` to run `batch`, keys and attempts."""
        worker.batch = batch
        worker.idled = self.now - worker.since
        self.capacity.move(worker, WorkerState.BUSY)
        worker.since, worker.timed_out, worker.moves = self.now, None, False
        self._orders.append(commands.RunTrials(worker.id, tuple(batch.items())))

    def idle(self, worker: Worker) -> None:
        """Take note that `worker` waits for work."""
        self.capacity.move(worker, WorkerState.IDLE)
        worker.since = self.now

    def restart(self, worker: Worker) -> None:
        """Give `worker` a new process, if there is work for it."""
        if self.must_yield(worker) or self.is_stranded(worker) or not self._queues.get(worker.shape):
            self.stop(worker)
        else:
            self.capacity.move(worker, WorkerState.STARTING)
            worker.since = self.now
            self._orders.append(commands.RestartWorker(worker.id))

    def kill(self, worker: Worker, timed_out: str | None = None, *, moves: bool = False) -> None:
        """Order the process of a busy worker to be ended, once; what becomes of the worker is decided when it is dead.

        `timed_out` is the key of the trial that takes too long, if that is why; `moves` says that its node leaves.
        """
        if worker.state is WorkerState.BUSY:
            self.capacity.move(worker, WorkerState.KILLED)
            worker.timed_out, worker.moves = timed_out, moves
            self._orders.append(commands.KillWorker(worker.id))

    def stop(self, worker: Worker) -> None:
        """Order `worker` to end, once."""
        if worker.state is not WorkerState.STOPPING:
            self.capacity.move(worker, WorkerState.STOPPING)
            worker.since = self.now
            self._orders.append(commands.StopWorker(worker.id))

    @property
    def is_restless(self) -> bool:
        """Whether a worker may have to yield."""
        return self.reserved is not None or self.capacity.has_leaving

    def must_yield(self, worker: Worker) -> bool:
        """Say whether `worker` stands in the way of a shape that its node is being emptied for, or its node is about to leave."""
        if self.is_leaving(worker):
            return True
        if self.reserved is None or self.reserved[1] == worker.shape:
            return False
        return not self.reserved[0].isdisjoint(worker.nodes) or self.is_full

    def is_leaving(self, worker: Worker) -> bool:
        """Say whether a node that holds the worker's resources will be gone soon."""
        return any(map(self.capacity.is_leaving, worker.nodes))

    def is_stranded(self, worker: Worker) -> bool:
        """Say whether a node that holds the worker's resources is gone, so that no process can start there."""
        return not all(map(self.capacity.has_node, worker.nodes))

    def _grow(self, shape: Shape) -> bool:
        """Start one more worker of `shape`, or clear idle ones away for it; return whether one was started."""
        if self.is_full:
            self._clear_one_for_limit(shape)
            return False
        nodes = self.place(shape)
        if nodes is None:
            if not self._asks_autoscaler(shape):
                self._clear_idle(shape)
                return False
            nodes = ()
        worker = self.capacity.add(shape, nodes)
        worker.since = self.now
        if self.reserved is not None and self.reserved[1] == shape:
            self.reserved = None
        self._waiting_since.pop(shape, None)
        self._orders.append(commands.StartWorker(worker.id, shape.resources, nodes, shape.placement))
        return True

    def place(self, shape: Shape, without: Sequence[Worker] = ()) -> tuple[str, ...] | None:
        """Return the nodes that have room for `shape`, among those that it may use."""
        moment = self.capacity.freed, self.reserved
        if not without and self._full.get(shape) == moment:
            return None  # A thousand nodes are not looked at again for every trial that ends.
        nodes = self._place(shape, without)
        if nodes is None and not without:
            self._full[shape] = moment
        return nodes

    def _place(self, shape: Shape, without: Sequence[Worker]) -> tuple[str, ...] | None:
        if self.reserved is None:
            return self.capacity.place(shape, without=without)
        emptied, owner = self.reserved
        if owner == shape:
            return self.capacity.place(shape, emptied, without)
        return self.capacity.place(shape, [node for node in self.capacity.node_ids if node not in emptied], without)

    def _may_use(self, node: str) -> bool:
        return self.capacity.has_node(node) and not self.capacity.is_leaving(node)

    def _asks_autoscaler(self, shape: Shape) -> bool:
        """Whether only nodes that are still to be added can hold `shape`; asked for one worker at a time."""
        if self.capacity.place_when_empty(shape) is not None or not self.capacity.could_scale_to(shape):
            return False
        return all(worker.nodes for worker in self.capacity.workers.values())

    def _clear_idle(self, shape: Shape) -> None:
        """Stop idle workers where that, with what is already stopping, makes room for `shape`."""
        leaving = self.capacity.in_state(WorkerState.STOPPING)
        if self.place(shape, leaving) is not None:
            return
        idle = [w for w in self.capacity.in_state(WorkerState.IDLE) if not self._queues.get(w.shape)]
        nodes = self.place(shape, idle + leaving) if idle else None
        for worker in idle if nodes is not None else ():
            if not set(worker.nodes).isdisjoint(nodes or ()):
                self.stop(worker)

    @property
    def is_full(self) -> bool:
        """Whether there are as many workers as the policy allows."""
        limit = self._policy.max_concurrent
        return limit is not None and len(self.capacity.workers) >= limit

    def _clear_one_for_limit(self, shape: Shape) -> None:
        idle = [w for w in self.capacity.in_state(WorkerState.IDLE) if w.shape != shape]
        if idle and not self.capacity.in_state(WorkerState.STOPPING):
            self.stop(idle[0])

    def _reserve(self) -> bool:
        # Who waited may have been given up meanwhile.
        for shape in [shape for shape in self._waiting_since if not self._queues.get(shape)]:
            del self._waiting_since[shape]
        is_given_up = self.reserved is not None and not self._queues.get(self.reserved[1])
        if is_given_up:
            self.reserved = None
        late = [s for s, since in self._waiting_since.items() if self.now - since >= self._policy.patience]
        if self.reserved is not None or not late:
            return is_given_up
        shape = min(late, key=self._waiting_since.__getitem__)
        nodes = self.capacity.place_when_empty(shape, self.capacity.by_load())
        if nodes is None:
            return is_given_up
        self.reserved = (frozenset(nodes), shape)
        for worker in self.capacity.in_state(WorkerState.IDLE):
            if self.must_yield(worker):
                self.stop(worker)
        return is_given_up
