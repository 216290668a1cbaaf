"""Who holds what: nodes, and the workers that hold resources on them. Bookkeeping only, the controller decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace

from pytest_sweep.engine.placing import arrange
from pytest_sweep.engine.worker import Shape, Site, Worker, WorkerState, cores, room_for, subtract
from pytest_sweep.model.events import Node
from pytest_sweep.model.resources import Resources


class Capacity:
    """The nodes with what is free on them, and the workers.

    What is free is what the node has, less what others hold there (`Node.taken`), less what our workers hold. So it may be negative,
    where others have taken what was planned for a worker of ours that was not granted yet.

    Args:
        future: the node types that an autoscaler could add.

    Attributes:
        workers: all of them, by their ids.
        gained: the nodes that may have more room than when they were last looked at, in order.
        due: the shapes that workers have made room for by stopping.
        has_leaving: whether any node will be gone soon.
        excluded: the nodes on which no worker can be started, with the causes; those that have gone, too.
        refused: the nodes on which the cluster did not grant what was asked for.
    """

    def __init__(self, future: Iterable[Resources] = ()) -> None:
        self.workers: dict[str, Worker] = {}
        self.gained: dict[str, None] = {}
        self.due: dict[Shape, None] = {}
        self.has_leaving = False
        self.excluded: dict[str, str] = {}
        self.future = tuple(future)
        # A cluster has thousands of workers, and every event asks for the few that idle, or how many there are of a shape.
        self._in_state: dict[WorkerState, dict[str, Worker]] = {state: {} for state in WorkerState}
        self._counts: Counter[Shape] = Counter()
        self._starting: Counter[Shape] = Counter()
        self._idle: dict[Shape, dict[str, Worker]] = {}
        self._on_node: dict[str, dict[str, Worker]] = {}
        self._promised: Counter[Shape] = Counter()
        self._sites: dict[str, Site] = {}
        self.refused: set[str] = set()
        self._made = 0

    # Nodes

    def set_nodes(self, nodes: Iterable[Node]) -> None:
        """Take note of the nodes that there are now; what workers hold on them stays held."""
        before = self._sites
        # Those with GPUs are taken last, so that their CPUs are there for who needs a GPU.
        there = sorted(nodes, key=lambda node: node.resources.gpu)
        self._sites = {node.id: Site(node, node.resources.minus(node.taken), cores(node.resources)) for node in there}
        self.refused &= set(self._sites)
        self.has_leaving = any(node.is_leaving for node in there)
        for worker in self.workers.values():
            self._take(worker)
        for id_, site in self._sites.items():
            old = before.get(id_)
            if old is not None and not old.node.taken.fits(site.node.taken):
                self.refused.discard(id_)  # Others have given some of it back.
            if old is None or not site.free.fits(old.free) or replace(site.node, taken=old.node.taken) != old.node:
                self.gained[id_] = None
        self.gained = {id_: None for id_ in self.gained if id_ in self._sites}

    def exclude(self, node: str, cause: str) -> None:
        """Begin nothing on `node` any more."""
        self.excluded.setdefault(node, cause)

    def refuse(self, nodes: Iterable[str], *, is_refused: bool = True) -> None:
        """Note that the cluster does not grant what was asked for on these nodes, so that others are tried first."""
        (self.refused.update if is_refused else self.refused.difference_update)(nodes)

    def expect_room(self) -> None:
        """Have all nodes looked at again."""
        self.gained = dict.fromkeys(self._sites)

    @property
    def total(self) -> Resources:
        """All that there is on all nodes together."""
        total = Resources(cpu=0.0)
        for site in self._sites.values():
            total = total.plus(site.node.resources)
        return total

    @property
    def node_ids(self) -> Iterable[str]:
        """The nodes."""
        return self._sites

    def node(self, node: str) -> Node | None:
        """Return what is known of a node; None if it is not there."""
        site = self._sites.get(node)
        return None if site is None else site.node

    def is_leaving(self, node: str) -> bool:
        """Say whether `node` will be gone soon."""
        return node in self._sites and self._sites[node].node.is_leaving

    def may_use(self, node: str) -> bool:
        """Say whether something may begin on `node`."""
        return node in self._sites and not self.is_leaving(node) and node not in self.excluded

    def is_overfull(self, node: str) -> bool:
        """Say whether others hold so much of `node` that what was planned there does not fit any more."""
        return node in self._sites and not Resources(cpu=0.0).fits(self._sites[node].free)

    def load(self, node: str) -> int:
        """Return how many bundles of workers are on `node`."""
        return self._sites[node].bundles if node in self._sites else 0

    # Room

    def place(self, shape: Shape, nodes: Iterable[str] | None = None) -> tuple[str, ...] | None:
        """Return the nodes for the bundles of a worker of `shape`; None if there is no room.

        Args:
            shape: of the worker.
            nodes: those that may be taken, in order of preference; None is all.
        """
        return arrange(shape.request, shape.placement, self.rooms(shape, nodes, {}))

    def most_free(self) -> Resources:
        """Return the most that is free of each resource on any node: what asks for more fits nowhere."""
        most: dict[str, float] = {}
        for site in self._sites.values():
            for name, amount in site.free.as_dict().items():
                most[name] = max(most.get(name, amount), amount)
        cpu, gpu, memory = most.pop("cpu", 0.0), most.pop("gpu", 0.0), most.pop("memory", 0.0)
        return Resources(cpu, gpu, int(memory), tuple(most.items()))

    def with_room(self, nodes: Iterable[str], cpu: float) -> list[str]:
        """Return those of `nodes` that have so many CPUs free, those to be tried first before the others."""
        there = [node for node in nodes if node in self._sites and cpu <= self._sites[node].free.cpu + 1e-4]
        return sorted(there, key=lambda node: (node in self.refused, self._sites[node].node.resources.gpu))

    def place_when_empty(self, shape: Shape, *, with_excluded: bool = False) -> tuple[str, ...] | None:
        """Return the nodes that a worker of `shape` would be on if all were empty; None if they are too few, or too small."""
        excluded = () if with_excluded else self.excluded
        sites = (self._sites[node] for node in self._sites if self._suits(node, shape, excluded))
        whole = ((site.node.id, room_for(shape, site.node.resources, cores(site.node.resources))) for site in sites)
        return arrange(shape.request, shape.placement, whole)

    def place_when_yielded(self, shape: Shape, nodes: Iterable[str] | None = None) -> tuple[str, ...] | None:
        """Return the nodes that could be emptied of our workers for one of `shape`; None where others would still be in the way."""
        order = sorted(self._sites if nodes is None else nodes, key=self.load)
        sites = (self._sites[node] for node in order if self._suits(node, shape))
        left = (
            (site.node.id, site.node.resources.minus(site.node.taken), cores(site.node.resources)) for site in sites
        )
        return arrange(
            shape.request, shape.placement, ((id_, room_for(shape, free, slots)) for id_, free, slots in left)
        )

    def could_scale_to(self, shape: Shape) -> bool:
        """Say whether an autoscaler could add the nodes that hold a worker of `shape`: as many of each type as are needed."""
        placement, each = shape.placement, 1
        if placement.nodes is not None:
            each = placement.bundles // placement.nodes
        elif placement.strategy == "STRICT_PACK":
            each = placement.bundles
        return any(shape.request.how_often(room_for(shape, size, cores(size))) >= each for size in self.future)

    def suitable(self, shape: Shape) -> dict[str, Resources]:
        """Return what is free on each node that workers of `shape` may be on, whether there is room or not."""
        return {node: site.free for node, site in self._sites.items() if self._suits(node, shape)}

    # Workers

    def add(self, shape: Shape, nodes: tuple[str, ...]) -> Worker:
        """Note a new worker of `shape`, which holds its resources on `nodes` from now on."""
        self._made += 1
        worker = Worker(f"worker-{self._made}", shape, nodes, self._demand(shape, nodes))
        self.workers[worker.id] = self._in_state[worker.state][worker.id] = worker
        self._counts[shape] += 1
        self._starting[shape] += 1
        self._take(worker)
        for node in worker.holds:
            self._on_node.setdefault(node, {})[worker.id] = worker
        return worker

    def move(self, worker: Worker, state: WorkerState) -> None:
        """Note that `worker` is in `state` from now on."""
        self._leave_state(worker)
        worker.state, worker.is_stuck = state, False
        self._in_state[state][worker.id] = worker
        if state is WorkerState.STARTING:
            self._starting[worker.shape] += 1
        elif state is WorkerState.IDLE:
            self._idle.setdefault(worker.shape, {})[worker.id] = worker

    def stick(self, worker: Worker) -> None:
        """Note that a starting worker is not granted what it asks for, so that another one is to be started in its place."""
        subtract(self._starting, worker.shape)
        worker.is_stuck = True

    def remove(self, worker: Worker) -> None:
        """Forget a worker; its resources are free again."""
        del self.workers[worker.id]
        self._leave_state(worker)
        subtract(self._counts, worker.shape)
        if worker.makes_room_for is not None:
            shape = worker.makes_room_for[0]
            subtract(self._promised, shape)
            self.due[shape] = None
        for node in worker.holds:
            on_node = self._on_node[node]
            del on_node[worker.id]
            if not on_node:
                del self._on_node[node]
            if node in self._sites:
                self._sites[node].take(worker, -1)
                self.gained[node] = None

    def promise(self, worker: Worker, shape: Shape, nodes: tuple[str, ...]) -> None:
        """Note that `worker` stops so that one of `shape` can be on `nodes`."""
        worker.makes_room_for = (shape, nodes)
        self._promised[shape] += 1

    def promised(self, shape: Shape) -> int:
        """Return for how many workers of `shape` others stop."""
        return self._promised.get(shape, 0)

    def on_node(self, node: str, state: WorkerState) -> list[Worker]:
        """Return the workers on `node` that are in `state`."""
        return [worker for worker in self._on_node.get(node, {}).values() if worker.state is state]

    def in_state(self, state: WorkerState, shape: Shape | None = None) -> list[Worker]:
        """Return the workers that are in `state`, those that have been for longer first; of one shape if it is given."""
        return [w for w in self._in_state[state].values() if shape is None or w.shape == shape]

    def idle(self, shape: Shape) -> list[Worker]:
        """Return the workers of `shape` that idle, those that have for longer first."""
        return list(self._idle.get(shape, {}).values())

    def idling(self, shape: Shape) -> int:
        """Return how many workers of `shape` idle."""
        return len(self._idle.get(shape, ()))

    def count(self, shape: Shape) -> int:
        """Return how many workers of `shape` there are."""
        return self._counts.get(shape, 0)

    def starting(self, shape: Shape) -> int:
        """Return how many workers of `shape` are starting, without those that are stuck."""
        return self._starting.get(shape, 0)

    def _leave_state(self, worker: Worker) -> None:
        del self._in_state[worker.state][worker.id]
        if worker.state is WorkerState.STARTING and not worker.is_stuck:
            subtract(self._starting, worker.shape)
        elif worker.state is WorkerState.IDLE:
            idle = self._idle[worker.shape]
            del idle[worker.id]
            if not idle:
                del self._idle[worker.shape]

    def rooms(
        self, shape: Shape, nodes: Iterable[str] | None, changed: Mapping[str, Site]
    ) -> Iterator[tuple[str, Resources]]:
        """Yield the nodes that a worker of `shape` may go to and what is free there; those that are `changed` as they are there."""
        if nodes is None:
            nodes = sorted(self._sites, key=self.refused.__contains__) if self.refused else self._sites
        for node in nodes:
            if self._suits(node, shape):
                site = changed.get(node) or self._sites[node]
                if not shape.exclusive or not site.bundles:
                    yield node, room_for(shape, site.free, site.slots)

    def free_cpu(self, node: str) -> float:
        """Return how many CPUs of a node are free for us; 0 where it is not there."""
        return self._sites[node].free.cpu if node in self._sites else 0.0

    def site(self, node: str) -> Site | None:
        """Return a node as it is planned with now."""
        return self._sites.get(node)

    def _suits(self, node: str, shape: Shape, excluded: Container[str] | None = None) -> bool:
        site = self._sites.get(node)
        if site is None or site.node.is_leaving or node in (self.excluded if excluded is None else excluded):
            return False
        return not shape.placement.labels or shape.placement.suits(site.node.labels)

    def _demand(self, shape: Shape, nodes: tuple[str, ...]) -> dict[str, Resources]:
        """Return what a worker of `shape` takes up on each of its nodes: all of it, where it is to be alone there."""
        if shape.exclusive:
            return {node: self._sites[node].node.resources for node in nodes if node in self._sites}
        return {node: shape.resources.times(nodes.count(node)) for node in dict.fromkeys(nodes)}

    def _take(self, worker: Worker) -> None:
        for node in worker.holds:
            if node in self._sites:
                self._sites[node].take(worker)
