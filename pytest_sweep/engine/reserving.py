"""Empties nodes for shapes that have waited for too long, as far as they need, and keeps others off these nodes meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_sweep.engine.demand import Demand
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.sketch import Sketch
from pytest_sweep.engine.trials import Ledger
from pytest_sweep.engine.worker import Shape, Worker, WorkerState
from pytest_sweep.engine.workers import Workers


class Reservations:
    """Keeps at most one reservation at a time.

    Args:
        policy: the engine's settings.
        ledger: knows what waits for each shape of worker.
        workers: orders the workers.
        demand: knows which shapes have waited for how long.

    Attributes:
        reserved: the nodes that are being emptied and the shape that they are emptied for; None while there are none.
    """

    def __init__(self, policy: Policy, ledger: Ledger, workers: Workers, demand: Demand) -> None:
        self.reserved: tuple[frozenset[str], Shape] | None = None
        self._policy = policy
        self._ledger = ledger
        self._workers = workers
        self._capacity = workers.capacity
        self._demand = demand

    def place(self, shape: Shape, nodes: Iterable[str] | None = None) -> tuple[str, ...] | None:
        """Return the nodes that have room for `shape`, among those that it may use; of `nodes`, if they are given."""
        if self.reserved is not None:
            nodes = self.allowed(shape, nodes)
        return self._capacity.place(shape, nodes)

    def allowed(self, shape: Shape, nodes: Iterable[str] | None = None) -> list[str]:
        """Return those of `nodes`, or of all, that a worker of `shape` may be on."""
        among = list(self._capacity.node_ids if nodes is None else nodes)
        if self.reserved is None:
            return among
        emptied, owner = self.reserved
        return [node for node in among if (node in emptied) == (owner == shape)]

    @property
    def is_full(self) -> bool:
        """Whether there are as many workers as the policy allows."""
        limit = self._policy.max_concurrent
        return limit is not None and len(self._capacity.workers) >= limit

    @property
    def is_restless(self) -> bool:
        """Whether a worker may have to yield."""
        return self.reserved is not None or self._capacity.has_leaving

    def must_yield(self, worker: Worker) -> bool:
        """Say whether `worker` stands in the way of a shape that its node is being emptied for, or its node is about to leave.

        No more of them than are needed: what is stopping already makes room, too.
        """
        if self._workers.is_leaving(worker):
            return True
        if self.reserved is None or self.reserved[1] == worker.shape:
            return False
        nodes, shape = self.reserved
        stopping = self._capacity.in_state(WorkerState.STOPPING)
        if Sketch(self._capacity, stopping).place(shape, sorted(nodes)) is None:
            return not nodes.isdisjoint(worker.nodes)
        limit = self._policy.max_concurrent
        return limit is not None and len(self._capacity.workers) - len(stopping) >= limit

    def tick(self) -> bool:
        """Have a node emptied for the shape that has waited for too long; return whether one is emptied no more."""
        is_given_up = self.reserved is not None and self.reserved[1] not in self._ledger.queues
        if is_given_up:
            self.release()
        if self.reserved is not None:
            return False
        for shape in self._demand.late(self._workers.now, self._policy.patience):
            nodes = self._capacity.place_when_yielded(shape)
            if nodes is not None:
                self.reserved = (frozenset(nodes), shape)
                self._demand.fresh[shape] = None
                for worker in self._capacity.in_state(WorkerState.IDLE):
                    if self.must_yield(worker):
                        self._workers.stop(worker)
                return True
        return is_given_up

    def release(self) -> None:
        """Empty no node any more."""
        self.reserved = None
        self._capacity.expect_room()

    def check(self) -> None:
        """Drop a reservation that cannot be met any more: a node is gone, or others hold too much of it."""
        if self.reserved is not None:
            nodes, shape = self.reserved
            if not all(map(self._capacity.may_use, nodes)) or not self._capacity.place_when_yielded(shape, nodes):
                self.release()
