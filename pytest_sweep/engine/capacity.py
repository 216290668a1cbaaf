"""Who holds what: nodes, and the workers that hold resources on them. Bookkeeping only, the controller decides."""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pytest_sweep.engine.placing import arrange
from pytest_sweep.model.events import Node
from pytest_sweep.model.placement import Placement
from pytest_sweep.model.resources import Resources


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes workers interchangeable.

    Attributes:
        resources: what a worker holds; one of a gang holds it on each of its bundles' nodes.
        fresh_process: whether each trial gets a new process.
        exclusive: whether it has its nodes for itself.
        placement: where it may be, and how many bundles it has.
    """

    resources: Resources
    fresh_process: bool = False
    exclusive: bool = False
    placement: Placement = Placement()
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Asked for with every event: computed once.
        parts = (self.resources, self.fresh_process, self.exclusive, self.placement)
        object.__setattr__(self, "_hash", hash(parts))

    def __hash__(self) -> int:
        return self._hash


class WorkerState(enum.Enum):
    """What a worker is doing."""

    STARTING = enum.auto()
    IDLE = enum.auto()
    BUSY = enum.auto()
    KILLED = enum.auto()
    STOPPING = enum.auto()


@dataclass(slots=True)
class Worker:
    """A worker as the engine sees it.

    Attributes:
        id: its name.
        shape: what it can run.
        nodes: where it is: the node of each of its bundles, itself on the first; empty while the cluster has not decided.
        holds: what it takes up on each node.
        state: what it is doing.
        batch: what it was handed and has not ended: keys and attempts, in order; the first of them runs.
        since: since when it does what it does: starts, idles, runs the first of its batch, or stops.
        idled: for how many seconds it had had nothing to do when it was handed its batch.
        is_granted: whether the cluster has granted what it holds.
        timed_out: the key of the trial that it was killed for, because that took too long.
        moves: whether it was killed because a node of its leaves, so that its trial goes on elsewhere.
    """

    id: str
    shape: Shape
    nodes: tuple[str, ...]
    holds: Mapping[str, Resources]
    state: WorkerState = WorkerState.STARTING
    batch: dict[str, int] = field(default_factory=dict)
    since: float = 0.0
    idled: float = 0.0
    is_granted: bool = True
    timed_out: str | None = None
    moves: bool = False


class Capacity:
    """The nodes with what is free on them, and the workers.

    Args:
        future: the node types that an autoscaler could add.

    Attributes:
        workers: all of them, by their ids.
        freed: a number that is another one whenever there may be more room than before.
        has_leaving: whether any node will be gone soon.
    """

    def __init__(self, future: Iterable[Resources] = ()) -> None:
        self.workers: dict[str, Worker] = {}
        self.freed = 0
        self.has_leaving = False
        # A cluster has thousands of workers, and every event asks for the few that idle, or how many there are of a shape.
        self._in_state: dict[WorkerState, dict[str, Worker]] = {state: {} for state in WorkerState}
        self._counts: Counter[tuple[Shape, WorkerState | None]] = Counter()
        self._nodes: dict[str, Node] = {}
        self._free: dict[str, Resources] = {}
        self._future = tuple(future)
        self._made = 0

    def set_nodes(self, nodes: Iterable[Node]) -> None:
        """Take note of the nodes that there are now; what workers hold on them stays held."""
        # Those with GPUs are taken last, so that their CPUs are there for who needs a GPU.
        self._nodes = {node.id: node for node in sorted(nodes, key=lambda node: node.resources.gpu)}
        self._free = {node.id: node.resources.minus(node.taken) for node in self._nodes.values()}
        self.freed += 1
        self.has_leaving = any(node.is_leaving for node in self._nodes.values())
        for worker in self.workers.values():
            self._take(worker)

    @property
    def total(self) -> Resources:
        """All that there is on all nodes together."""
        total = Resources(cpu=0.0)
        for node in self._nodes.values():
            total = total.plus(node.resources)
        return total

    def place(
        self, shape: Shape, nodes: Iterable[str] | None = None, without: Iterable[Worker] = ()
    ) -> tuple[str, ...] | None:
        """Return the nodes for the bundles of a worker of `shape`; None if there is no room.

        Args:
            shape: of the worker.
            nodes: those that may be taken, in order of preference; None is all.
            without: workers that are taken for gone.
        """
        freed: dict[str, Resources] = {}
        for worker in without:
            for node, amount in worker.holds.items():
                freed[node] = freed[node].plus(amount) if node in freed else amount
        return arrange(shape.resources, shape.placement, self._rooms(shape, nodes, freed))

    def place_when_empty(self, shape: Shape, nodes: Iterable[str] | None = None) -> tuple[str, ...] | None:
        """Return the nodes that a worker of `shape` would be on if all were empty; None if they are too few, or too small."""
        order = self._nodes if nodes is None else nodes
        suitable = ((node, self._nodes[node].resources) for node in order if self._suits(node, shape))
        return arrange(shape.resources, shape.placement, suitable)

    def could_scale_to(self, shape: Shape) -> bool:
        """Say whether an autoscaler could add the nodes that hold a worker of `shape`."""
        count = shape.placement.bundles
        added = ((f"{kind}-{number}", size) for kind, size in enumerate(self._future) for number in range(count))
        return arrange(shape.resources, shape.placement, added) is not None

    @property
    def node_ids(self) -> Iterable[str]:
        """The nodes."""
        return self._nodes

    def node(self, node: str) -> Node | None:
        """Return what is known of a node; None if it is not there."""
        return self._nodes.get(node)

    def suitable(self, shape: Shape) -> dict[str, Resources]:
        """Return what is free on each node that workers of `shape` may be on, whether there is room or not."""
        return {node: free for node, free in self._free.items() if self._suits(node, shape)}

    def has_node(self, node: str) -> bool:
        """Say whether `node` is there."""
        return node in self._nodes

    def is_leaving(self, node: str) -> bool:
        """Say whether `node` will be gone soon."""
        return node in self._nodes and self._nodes[node].is_leaving

    def by_load(self) -> list[str]:
        """Return the nodes, those with the fewest workers first."""
        load: dict[str, int] = defaultdict(int)
        for worker in self.workers.values():
            for node in worker.holds:
                load[node] += 1
        return sorted(self._nodes, key=lambda node: load[node])

    def add(self, shape: Shape, nodes: tuple[str, ...]) -> Worker:
        """Note a new worker of `shape`, which holds its resources on `nodes` from now on."""
        self._made += 1
        worker = Worker(f"worker-{self._made}", shape, nodes, self._demand(shape, nodes))
        self.workers[worker.id] = self._in_state[worker.state][worker.id] = worker
        self._count(worker, 1)
        self._take(worker)
        return worker

    def move(self, worker: Worker, state: WorkerState) -> None:
        """Note that `worker` is in `state` from now on."""
        self._count(worker, -1)
        del self._in_state[worker.state][worker.id]
        worker.state = state
        self._in_state[state][worker.id] = worker
        self._count(worker, 1)

    def locate(self, worker: Worker, nodes: tuple[str, ...]) -> None:
        """Note where the cluster has put a worker whose nodes were left to it."""
        worker.nodes, worker.holds = nodes, self._demand(worker.shape, nodes)
        self._take(worker)

    def remove(self, worker: Worker) -> None:
        """Forget a worker; its resources are free again."""
        del self.workers[worker.id], self._in_state[worker.state][worker.id]
        self._count(worker, -1)
        self.freed += 1
        for node, amount in worker.holds.items():
            if node in self._free:
                self._free[node] = self._free[node].plus(amount)

    def in_state(self, state: WorkerState, shape: Shape | None = None) -> list[Worker]:
        """Return the workers that are in `state`, those that have been for longer first; of one shape if it is given."""
        return [w for w in self._in_state[state].values() if shape is None or w.shape == shape]

    def count(self, shape: Shape, state: WorkerState | None = None) -> int:
        """Return how many workers of `shape` there are, in one state if it is given."""
        return self._counts[shape, state]

    def _count(self, worker: Worker, change: int) -> None:
        self._counts[worker.shape, worker.state] += change
        self._counts[worker.shape, None] += change

    def _rooms(
        self, shape: Shape, nodes: Iterable[str] | None, freed: Mapping[str, Resources]
    ) -> Iterator[tuple[str, Resources]]:
        for node in self._free if nodes is None else nodes:
            if node in self._free and self._suits(node, shape):
                room = self._free[node].plus(freed[node]) if node in freed else self._free[node]
                if not shape.exclusive or self._nodes[node].resources.fits(room):
                    yield node, room

    def _suits(self, node: str, shape: Shape) -> bool:
        its = self._nodes[node]
        return not its.is_leaving and (not shape.placement.labels or shape.placement.suits(its.labels))

    def _demand(self, shape: Shape, nodes: tuple[str, ...]) -> dict[str, Resources]:
        """Return what a worker of `shape` takes up on each of its nodes: all of it, where it is to be alone there."""
        if shape.exclusive:
            return {node: self._nodes[node].resources for node in nodes if node in self._nodes}
        return {node: shape.resources.times(nodes.count(node)) for node in dict.fromkeys(nodes)}

    def _take(self, worker: Worker) -> None:
        for node, amount in worker.holds.items():
            if node in self._free:
                self._free[node] = self._free[node].minus(amount)
