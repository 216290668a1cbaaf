"""Stops idle workers that stand in the way of shapes which are wanted: as many as are needed, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_sweep.engine.demand import Demand
from pytest_sweep.engine.reserving import Reservations
from pytest_sweep.engine.sketch import Sketch
from pytest_sweep.engine.trials import Ledger
from pytest_sweep.engine.worker import Shape, Worker, WorkerState
from pytest_sweep.engine.workers import Workers

_ROUNDING = 1e-4
"""As Ray rounds CPUs."""


class _Remembered:
    """What an iterator yields, for several loops, and no more of it than they take."""

    def __init__(self, shapes: Iterable[Shape]) -> None:
        self._rest = iter(shapes)
        self._taken: list[Shape] = []

    def __iter__(self) -> Iterator[Shape]:
        yield from self._taken
        for shape in self._rest:
            self._taken.append(shape)
            yield shape


class Clearing:
    """Makes room. Looks only at nodes on which something has changed, unless a shape is newly wanted.

    Args:
        ledger: knows what waits for each shape of worker.
        workers: orders the workers.
        demand: knows which shapes are wanted.
        reservations: know which nodes a shape may use.
    """

    def __init__(self, ledger: Ledger, workers: Workers, demand: Demand, reservations: Reservations) -> None:
        self._ledger = ledger
        self._workers = workers
        self._capacity = workers.capacity
        self._demand = demand
        self._reservations = reservations
        self._seen = 0

    def make_room(self, idle: Iterable[Worker], gained: Iterable[str]) -> None:
        """Stop idle workers where that, with what is already stopping, makes room for a shape that is wanted.

        Args:
            idle: those that have become idle since the last call.
            gained: the nodes that have gained room since then.
        """
        # Where a shape did not get the room that was made for it, somebody else has it: then all are to be looked at again.
        is_new = self._demand.changes != self._seen or any(
            self._demand.lacking(shape) > 0 for shape in self._capacity.due
        )
        self._seen = self._demand.changes
        spare = [w for w in (self._capacity.in_state(WorkerState.IDLE) if is_new else idle) if self._is_spare(w)]
        if self._reservations.is_full:
            self._free_slots(spare)
        nodes = dict.fromkeys([*(node for worker in spare for node in worker.nodes), *gained])
        wanting = _Remembered(self._demand.candidates() if nodes else ())
        for node in nodes:
            self._free_node(node, wanting)
        for shape in self._demand.oldest() if spare or is_new else ():
            if shape.placement.bundles > 1:
                self._free_nodes(shape)

    def _is_spare(self, worker: Worker) -> bool:
        return worker.state is WorkerState.IDLE and worker.shape not in self._ledger.queues

    def _unpromised(self, shape: Shape) -> int:
        """Return how many more workers of `shape` are wanted than others make room for."""
        return self._demand.lacking(shape) - self._capacity.promised(shape)

    def _free_slots(self, spare: Iterable[Worker]) -> None:
        """Stop idle workers where only their number stands in the way."""
        stopping = len(self._capacity.in_state(WorkerState.STOPPING))
        wanted = sum(
            self._demand.lacking(shape)
            for shape in self._demand.oldest()
            if self._reservations.place(shape) is not None
        )
        for worker in list(spare)[: max(wanted - stopping, 0)]:
            self._workers.stop(worker)

    def _free_node(self, node: str, shapes: Iterable[Shape]) -> None:
        """Stop idle workers on one node, as many as make room for one of `shapes`, and for the next."""
        spare = [worker for worker in self._capacity.on_node(node, WorkerState.IDLE) if self._is_spare(worker)]
        if not spare:
            return
        stopping = self._capacity.on_node(node, WorkerState.STOPPING)
        room = self._cpu_without(node, spare, stopping)
        sketch = cleared = None
        for shape in shapes:
            # Most of them ask for more than there is, or have it promised: that is seen without a sketch.
            if shape.resources.cpu > room + _ROUNDING or (wanted := self._unpromised(shape)) <= 0:
                continue
            if shape.placement.bundles > 1 or not self._reservations.allowed(shape, [node]):
                continue
            if sketch is None or cleared is None:
                sketch = self._sketch(stopping)
                cleared = sketch.copy(spare)
            for _ in range(wanted):
                if cleared.place(shape, [node]) is None:
                    break
                self._free_room(sketch, shape, (node,), spare)
                sketch.hold(shape, (node,))
                cleared.hold(shape, (node,))
                room = cleared.free_cpu(node)
                if not spare:
                    return

    def _cpu_without(self, node: str, spare: Iterable[Worker], stopping: Iterable[Worker]) -> float:
        """Return how many CPUs of a node are free when these have stopped, and those are there that they make room for."""
        room = self._capacity.free_cpu(node) + sum(worker.holds[node].cpu for worker in (*spare, *stopping))
        for worker in stopping:
            if worker.makes_room_for is not None:
                shape, nodes = worker.makes_room_for
                room -= shape.resources.cpu * nodes.count(node)
        return room

    def _free_nodes(self, shape: Shape) -> None:
        """Stop idle workers on several nodes, as many as make room for one of `shape`."""
        spare = [worker for worker in self._capacity.in_state(WorkerState.IDLE) if self._is_spare(worker)]
        sketch, allowed = self._sketch(self._capacity.in_state(WorkerState.STOPPING)), self._reservations.allowed(shape)
        if self._unpromised(shape) > 0 and sketch.place(shape, allowed) is None:
            where = sketch.copy(spare).place(shape, allowed)
            if where is not None:
                self._free_room(sketch, shape, where, spare)

    def _sketch(self, stopping: Sequence[Worker]) -> Sketch:
        """Return what there will be when these workers have stopped, and those are there that they make room for."""
        sketch = Sketch(self._capacity, stopping)
        for worker in stopping:
            if worker.makes_room_for is not None:
                sketch.hold(*worker.makes_room_for)
        return sketch

    def _free_room(self, sketch: Sketch, shape: Shape, where: tuple[str, ...], spare: list[Worker]) -> None:
        """Stop as many of `spare` as make room for one of `shape` on the nodes `where`."""
        for worker in [worker for worker in spare if not set(worker.nodes).isdisjoint(where)]:
            if sketch.place(shape, dict.fromkeys(where)) is not None:
                return
            sketch.release(worker)
            spare.remove(worker)
            self._workers.stop(worker)
            if (found := sketch.place(shape, dict.fromkeys(where))) is not None:
                self._capacity.promise(worker, shape, found)
                return
