"""Who holds what: nodes, and the workers that hold resources on them. Bookkeeping only, the scheduler decides."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_sweep.errors import InfeasibleError
from pytest_sweep.model.events import Node
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.trials import Trial


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes workers interchangeable: their resources, whether each trial gets a new process, or the whole node for itself."""

    resources: Resources
    fresh_process: bool = False
    exclusive: bool = False


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
        node: where it is; None while the cluster has not decided.
        holds: what it takes up on its node.
        state: what it is doing.
        batch: what it was handed and has not ended: keys and attempts, in order; the first of them runs.
        since: since when it does what it does: idles, or runs the first of its batch.
        timed_out: the key of the trial that it was killed for, because that took too long.
    """

    id: str
    shape: Shape
    node: str | None
    holds: Resources
    state: WorkerState = WorkerState.STARTING
    batch: dict[str, int] = field(default_factory=dict)
    since: float = 0.0
    timed_out: str | None = None


class Pool:
    """The nodes with what is free on them, and the workers.

    Args:
        future: the node types that an autoscaler could add.
    """

    def __init__(self, future: Iterable[Resources] = ()) -> None:
        self.workers: dict[str, Worker] = {}
        self._nodes: dict[str, Node] = {}
        self._free: dict[str, Resources] = {}
        self._future = tuple(future)
        self._made = 0

    def set_nodes(self, nodes: Iterable[Node]) -> None:
        """Take note of the nodes that there are now; what workers hold on them stays held."""
        self._nodes = {node.id: node for node in nodes}
        self._free = {node.id: node.resources for node in self._nodes.values()}
        for worker in self.workers.values():
            self._take(worker)

    @property
    def total(self) -> Resources:
        """All that there is on all nodes together."""
        total = Resources(cpu=0.0)
        for node in self._nodes.values():
            total = total.plus(node.resources)
        return total

    def fitting(self, resources: Resources) -> list[str]:
        """Return the nodes that could hold `resources` if they were empty."""
        return [node.id for node in self._nodes.values() if resources.fits(node.resources)]

    def could_scale_to(self, resources: Resources) -> bool:
        """Say whether an autoscaler could add a node that holds `resources`."""
        return any(resources.fits(size) for size in self._future)

    def place(self, shape: Shape, without: str | None = None) -> str | None:
        """Return a node with room for a worker of `shape` now, never `without`; None if there is none."""
        for node in self._free:
            if node != without and self.has_room(node, shape):
                return node
        return None

    def has_node(self, node: str) -> bool:
        """Say whether `node` is there."""
        return node in self._nodes

    def has_room(self, node: str, shape: Shape, without: Iterable[Worker] = ()) -> bool:
        """Say whether `node` has room for a worker of `shape`: now, or if the workers `without` were gone."""
        free = self._free[node]
        for worker in without:
            free = free.plus(worker.holds)
        # Alone on a node that is too small is no better.
        return shape.resources.fits(free) and self._demand(shape, node).fits(free)

    def add(self, shape: Shape, node: str | None) -> Worker:
        """Note a new worker of `shape`, which holds its resources on `node` from now on."""
        self._made += 1
        worker = Worker(f"worker-{self._made}", shape, node, self._demand(shape, node))
        self.workers[worker.id] = worker
        self._take(worker)
        return worker

    def locate(self, worker: Worker, node: str) -> None:
        """Note where the cluster has put a worker whose node was left to it."""
        worker.node, worker.holds = node, self._demand(worker.shape, node)
        self._take(worker)

    def remove(self, worker: Worker) -> None:
        """Forget a worker; its resources are free again."""
        del self.workers[worker.id]
        if worker.node in self._free:
            self._free[worker.node] = self._free[worker.node].plus(worker.holds)

    def on_node(self, node: str) -> list[Worker]:
        """Return the workers on `node`."""
        return [worker for worker in self.workers.values() if worker.node == node]

    def in_state(self, state: WorkerState, shape: Shape | None = None) -> list[Worker]:
        """Return the workers that are in `state`, of one shape if it is given."""
        return [w for w in self.workers.values() if w.state is state and (shape is None or w.shape == shape)]

    def of_shape(self, shape: Shape) -> list[Worker]:
        """Return the workers of one shape."""
        return [worker for worker in self.workers.values() if worker.shape == shape]

    def _demand(self, shape: Shape, node: str | None) -> Resources:
        """Return what a worker of `shape` takes up on a node: all of it, where it is to be alone there."""
        return self._nodes[node].resources if shape.exclusive and node in self._nodes else shape.resources

    def _take(self, worker: Worker) -> None:
        if worker.node in self._free:
            self._free[worker.node] = self._free[worker.node].minus(worker.holds)


def check_feasible(trials: Iterable[Trial], sizes: Sequence[Resources], advice: str = "") -> None:
    """Raise InfeasibleError if one of `trials` asks for more than each of `sizes`, the nodes that there are or could be.

    Its text ends with `advice`: what the executor has not.
    """
    checked: set[Resources] = set()
    for trial in trials:
        if trial.resources in checked:
            continue
        checked.add(trial.resources)
        if not any(trial.resources.fits(size) for size in sizes):
            largest = max(sizes, key=lambda size: (size.gpu, size.cpu, size.memory), default=Resources(cpu=0.0))
            raise InfeasibleError(
                f"{trial.id} asks for {trial.resources}, and the largest node has {largest}: no node can ever run it. "
                f"Ask for less with @pytest.mark.resources(...), or run where there is more. {advice}".rstrip()
            )


def most_at_once(requests: Mapping[Resources, int], sizes: Sequence[Resources]) -> int:
    """Return how many of `requests`, each there that many times, nodes of these `sizes` can hold at once, small ones first."""
    placed = 0
    left = dict(sorted(requests.items(), key=lambda pair: (pair[0].gpu, pair[0].cpu, pair[0].memory)))
    for room in sizes:
        for resources, count in left.items():
            here = int(min(count, max(resources.how_often(room), 0)))
            left[resources] -= here
            placed += here
            room = room.minus(resources.times(here))  # noqa: PLW2901 - what is left of this node
    return placed
