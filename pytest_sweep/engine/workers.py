"""Keeps the workers and the orders to the executor about them. Decides nothing, and knows of trials only their keys."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from pytest_sweep.engine.capacity import Capacity
from pytest_sweep.engine.worker import Shape, Worker, WorkerState
from pytest_sweep.model import commands
from pytest_sweep.model.resources import Resources


class Workers:
    """The workers of one run, and the orders to the executor about them.

    Args:
        within: says how many seconds the session of a worker may take to end.
        future: the node types that an autoscaler could add.

    Attributes:
        capacity: the workers and the nodes that they are on.
        now: the time, in seconds.
        changed: the shapes that have lost a worker since that was last looked at.
    """

    def __init__(self, within: Callable[[Worker], float], future: Iterable[Resources] = ()) -> None:
        self.capacity = Capacity(future)
        self.now = 0.0
        self.changed: dict[Shape, None] = {}
        self._within = within
        self._leases = 0
        self._new_idle: list[Worker] = []
        self._orders: list[commands.WorkerCommand] = []

    def take_orders(self) -> list[commands.WorkerCommand]:
        """Return the orders since the last call."""
        orders, self._orders = self._orders, []
        return orders

    def take_idle(self) -> list[Worker]:
        """Return the workers that have become idle since the last call."""
        idle, self._new_idle = self._new_idle, []
        return idle

    def start(self, shape: Shape, nodes: tuple[str, ...]) -> None:
        """Order a worker of `shape` to be started on `nodes`."""
        worker = self.capacity.add(shape, nodes)
        worker.since = self.now
        self._orders.append(commands.StartWorker(worker.id, shape.resources, nodes, shape.placement))

    def run(self, worker: Worker, batch: dict[str, int]) -> int:
        """Order `worker` to run `batch`, keys and attempts; return the lease under which it has them."""
        self._leases += 1
        worker.batch, worker.lease = batch, self._leases
        worker.idled = self.now - worker.since
        self.capacity.move(worker, WorkerState.BUSY)
        worker.since = worker.handed = self.now
        worker.timed_out, worker.moves, worker.is_cut_off = None, False, False
        self._orders.append(commands.RunTrials(worker.id, tuple(batch.items()), worker.lease))
        return worker.lease

    def return_waiting(self, keys: Container[str]) -> None:
        """Order the workers that have any of these trials in a call to give back what they have not begun of it."""
        for worker in self.capacity.in_state(WorkerState.BUSY):
            if any(key in keys for key in worker.batch):
                self._orders.append(commands.ReturnTrials(worker.id, worker.lease))

    def idle(self, worker: Worker) -> None:
        """Take note that `worker` waits for work."""
        self.capacity.move(worker, WorkerState.IDLE)
        worker.since, worker.is_granted = self.now, True
        self._new_idle.append(worker)

    def restart(self, worker: Worker) -> None:
        """Order a new process for `worker`."""
        self.capacity.move(worker, WorkerState.STARTING)
        worker.since, worker.teardown, worker.within = self.now, None, self._within(worker)
        worker.offset = worker.longest = None
        self._orders.append(commands.RestartWorker(worker.id, worker.within))

    def kill(
        self,
        worker: Worker,
        timed_out: str | None = None,
        *,
        moves: bool = False,
        teardown: bool = False,
        cuts_off: bool = False,
    ) -> None:
        """Order the process of a busy worker to be ended, once; what becomes of the worker is decided when it is dead.

        `timed_out` is the key of the trial that takes too long, if that is why; `moves` says that its node leaves; `teardown` that
        its fixtures take too long to be torn down; `cuts_off` that the time of the run is over.
        """
        if worker.state is WorkerState.BUSY:
            self.capacity.move(worker, WorkerState.KILLED)
            worker.timed_out, worker.moves, worker.teardown_timed_out = timed_out, moves, teardown
            worker.is_cut_off = cuts_off
            self._orders.append(commands.KillWorker(worker.id))

    def kill_stopping(self, worker: Worker) -> None:
        """Order the process of a worker that stops to be ended, once."""
        if worker.state is WorkerState.STOPPING and not worker.teardown_timed_out:
            worker.teardown_timed_out = True
            self._orders.append(commands.KillWorker(worker.id))

    def stop(self, worker: Worker) -> None:
        """Order `worker` to end, once."""
        if worker.state is not WorkerState.STOPPING:
            self.capacity.move(worker, WorkerState.STOPPING)
            worker.since, worker.within, worker.teardown_timed_out = self.now, self._within(worker), False
            self.changed[worker.shape] = None
            self._orders.append(commands.StopWorker(worker.id, worker.within))

    def remove(self, worker: Worker) -> None:
        """Forget a worker that is gone."""
        self.capacity.remove(worker)
        self.changed[worker.shape] = None

    def is_leaving(self, worker: Worker) -> bool:
        """Say whether a node that holds the worker's resources will be gone soon."""
        return self.capacity.has_leaving and any(map(self.capacity.is_leaving, worker.nodes))

    def is_stranded(self, worker: Worker) -> bool:
        """Say whether a node that holds the worker's resources is gone, so that no process can start there."""
        return any(self.capacity.node(node) is None for node in worker.nodes)
