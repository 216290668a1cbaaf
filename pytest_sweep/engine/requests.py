"""What an autoscaler is asked for: as many nodes as hold what runs and what waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from pytest_sweep.engine.capacity import Capacity
from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.trials import Ledger
from pytest_sweep.engine.worker import Shape, WorkerState
from pytest_sweep.model.commands import RequestResources
from pytest_sweep.model.resources import Resources

MOST_WAITING = 256
"""How many waiting trials are asked for at once, beside what runs. As more of them run, more are asked for."""

EVERY_SECONDS = 1.0
"""How often that is looked at: an autoscaler looks every five seconds."""


class Requests:
    """Keeps what was last asked for. Where there is no autoscaler it asks for nothing.

    Args:
        ledger: knows what waits.
        capacity: knows what runs, and what the autoscaler could add.
        policy: the engine's settings.
    """

    def __init__(self, ledger: Ledger, capacity: Capacity, policy: Policy) -> None:
        self._ledger = ledger
        self._capacity = capacity
        self._policy = policy
        self._asked: tuple[tuple[Resources, int], ...] = ()
        self._looked: float | None = None

    def tick(self, now: float) -> RequestResources | None:
        """Return what to ask for, if that has changed."""
        if not self._capacity.future:  # There is no autoscaler, or what it adds is of no use.
            return self.withdraw()
        if self._looked is not None and 0 <= now - self._looked < EVERY_SECONDS:
            return None
        self._looked = now
        return self._ask(self._wanted())

    def withdraw(self) -> RequestResources | None:
        """Ask for nothing any more."""
        return self._ask(())

    def _ask(self, bundles: tuple[tuple[Resources, int], ...]) -> RequestResources | None:
        if bundles == self._asked:
            return None
        self._asked = bundles
        return RequestResources(bundles)

    def _wanted(self) -> tuple[tuple[Resources, int], ...]:
        workers, limit = self._capacity.workers, self._policy.max_concurrent
        left = MOST_WAITING if limit is None else min(MOST_WAITING, max(limit - len(workers), 0))
        waiting: Counter[Resources] = Counter()
        for shape, queue in self._ledger.queues.items():
            if left <= 0:
                break
            count = min(len(queue) - self._capacity.starting(shape), left)
            if count > 0 and self._capacity.could_scale_to(shape):
                left -= count
                self._add(waiting, shape, count)
        if not waiting:
            return ()
        for worker in workers.values():
            if worker.state is not WorkerState.STOPPING:
                self._add(waiting, worker.shape, 1)
        return tuple((resources, _rounded(count)) for resources, count in sorted(waiting.items(), key=repr))

    def _add(self, wanted: Counter[Resources], shape: Shape, count: int) -> None:
        for resources, number in self._bundles(shape):
            wanted[resources] += number * count

    def _bundles(self, shape: Shape) -> Iterator[tuple[Resources, int]]:
        """Yield what holds a worker of `shape`. Bundles may share a node: those that may not ask for a whole one each."""
        placement = shape.placement
        one = Resources(cpu=1.0, custom=shape.resources.custom) if not shape.resources.as_dict() else shape.resources
        if placement.nodes is not None:
            yield self._whole_node(one.times(placement.bundles // placement.nodes)), placement.nodes
        elif placement.bundles > 1 and placement.strategy == "STRICT_SPREAD":
            yield self._whole_node(one), placement.bundles
        elif placement.bundles > 1 and placement.strategy == "STRICT_PACK":
            yield one.times(placement.bundles), 1
        else:
            yield one, placement.bundles

    def _whole_node(self, least: Resources) -> Resources:
        """Return a request that only one of fits on a node of the smallest type that holds `least`."""
        types = [size for size in self._capacity.future if least.fits(size)]
        if not types:
            return least
        size = min(types, key=lambda size: (size.gpu, size.cpu, size.memory))
        return replace(size, memory=least.memory)


def _rounded(count: int) -> int:
    """Return `count`, or a little more: a request that changes with every trial that ends would be sent with every one."""
    step = 1 << max(count.bit_length() - 3, 0)
    return -(-count // step) * step
