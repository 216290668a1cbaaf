"""Tries out what would be free if some workers were gone and others were there. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pytest_sweep.engine.capacity import Capacity
from pytest_sweep.engine.placing import arrange
from pytest_sweep.engine.worker import Shape, Site, Worker
from pytest_sweep.model.resources import Resources


class Sketch:
    """What would be free if some workers were gone and others were there.

    Args:
        capacity: as it is.
        gone: workers that are taken for gone.
    """

    def __init__(self, capacity: Capacity, gone: Iterable[Worker] = ()) -> None:
        self._capacity = capacity
        self._changed: dict[str, Site] = {}
        for worker in gone:
            self.release(worker)

    def copy(self, gone: Iterable[Worker]) -> Sketch:
        """Return one in which some more workers are gone."""
        other = Sketch(self._capacity)
        other._changed = {node: replace(site) for node, site in self._changed.items()}
        for worker in gone:
            other.release(worker)
        return other

    def release(self, worker: Worker) -> None:
        """Take `worker` for gone."""
        for node, amount in worker.holds.items():
            self._change(node, worker.shape, -worker.nodes.count(node), amount)

    def hold(self, shape: Shape, nodes: tuple[str, ...]) -> None:
        """Take a worker of `shape` on `nodes` for there."""
        for node in dict.fromkeys(nodes):
            count = nodes.count(node)
            self._change(node, shape, count, shape.resources.times(count))

    def place(self, shape: Shape, nodes: Iterable[str] | None = None) -> tuple[str, ...] | None:
        """Return the nodes for the bundles of a worker of `shape`, as `Capacity.place`."""
        return arrange(shape.request, shape.placement, self._capacity.rooms(shape, nodes, self._changed))

    def free_cpu(self, node: str) -> float:
        """Return how many CPUs are free on a node: a quick look before `place`."""
        site = self._changed.get(node) or self._capacity.site(node)
        return 0.0 if site is None else site.free.cpu

    def _change(self, node: str, shape: Shape, count: int, amount: Resources) -> None:
        site = self._changed.get(node) or self._capacity.site(node)
        if site is not None:
            if node not in self._changed:
                site = self._changed[node] = replace(site)
            site.change(shape, count, amount)
