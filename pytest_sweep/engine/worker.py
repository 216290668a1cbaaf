"""What the engine knows of one worker and of one node, and what makes workers interchangeable. Records only."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pytest_sweep.model.events import Node, TeardownStarted
from pytest_sweep.model.placement import Placement
from pytest_sweep.model.resources import Resources

SLOT = "slot for a trial without CPUs"
"""What a node has as many of as CPU cores. Each worker that asks for no CPU takes one, or there would be one per trial."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes workers interchangeable.

    Attributes:
        resources: what a worker holds; one of a gang holds it on each of its bundles' nodes.
        fresh_process: whether each trial gets a new process.
        exclusive: whether it has its nodes for itself.
        placement: where it may be, and how many bundles it has.
        request: `resources`, and a slot where they have no CPU: what is planned with.
    """

    resources: Resources
    fresh_process: bool = False
    exclusive: bool = False
    placement: Placement = Placement()
    request: Resources = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Asked for with every event: computed once.
        parts = (self.resources, self.fresh_process, self.exclusive, self.placement)
        object.__setattr__(self, "_hash", hash(parts))
        request = self.resources if self.resources.cpu else with_slots(self.resources, 1)
        object.__setattr__(self, "request", request)

    def __hash__(self) -> int:
        return self._hash

    @property
    def needs_slot(self) -> bool:
        """Whether it asks for no CPU."""
        return self.request is not self.resources


def with_slots(resources: Resources, slots: float) -> Resources:
    """Return `resources` with `slots` slots."""
    return replace(resources, custom=(*resources.custom, (SLOT, float(slots))))


def cores(resources: Resources) -> int:
    """Return how many workers without CPUs may be on a node of this size."""
    return max(int(resources.cpu), 1)


def room_for(shape: Shape, free: Resources, slots: int) -> Resources:
    """Return what is free on a node, as it is compared with `Shape.request`."""
    return with_slots(free, slots) if shape.needs_slot else free


def subtract(counts: Counter[Shape], shape: Shape) -> None:
    """Count one of `shape` less, and forget the shape when there is none."""
    counts[shape] -= 1
    if not counts[shape]:
        del counts[shape]


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
        nodes: the node of each of its bundles; the worker itself is on the first.
        holds: what it takes up on each node.
        state: what it is doing.
        batch: what it was handed and has not ended: keys and attempts, in order; the first of them runs.
        lease: the number of its last call.
        since: since when it does what it does: starts, idles, runs the first of its batch, tears down fixtures, or stops.
        handed: when it was handed its batch.
        idled: for how many seconds it had had nothing to do when it was handed its batch.
        is_granted: whether the cluster has granted what it holds.
        is_stuck: whether that takes so long that another worker is to be started in its place.
        timed_out: the key of the trial that it was killed for, because that took too long.
        moves: whether it was killed because a node of its leaves, so that its trial goes on elsewhere.
        is_cut_off: whether it was killed because the time of the run is over.
        teardown: the fixture that it tears down, and the trial whose fixture it is; None while it does something else.
        teardown_timed_out: whether it was killed because that took too long.
        longest: the largest limit, in seconds, of the trials that it was handed; None where none had one.
        makes_room_for: the shape that a worker of is to be on these nodes when it has stopped.
        within: how many seconds its session may take to end, where it was told to.
        heard: what its wall clock said when a trial last began or ended there.
        offset: the least difference between the engine's clock and the one of its process that was ever seen.
    """

    id: str
    shape: Shape
    nodes: tuple[str, ...]
    holds: Mapping[str, Resources]
    state: WorkerState = WorkerState.STARTING
    batch: dict[str, int] = field(default_factory=dict)
    lease: int = 0
    since: float = 0.0
    handed: float = 0.0
    idled: float = 0.0
    is_granted: bool = True
    is_stuck: bool = False
    timed_out: str | None = None
    moves: bool = False
    is_cut_off: bool = False
    teardown: TeardownStarted | None = None
    teardown_timed_out: bool = False
    longest: float | None = None
    makes_room_for: tuple[Shape, tuple[str, ...]] | None = None
    within: float | None = None
    heard: float = 0.0
    offset: float | None = None

    def ran_for(self, now: float, died: float) -> float:
        """Return how many seconds the first of its batch ran, on a worker that has died.

        What a process had said of a start is heard after its death where its threads could not run, so that `since` is too late.

        Args:
            now: the time.
            died: when it died, in seconds since the epoch.
        """
        return max(min(max(now - self.since, died - self.heard), now - self.handed), 0.0)


@dataclass(slots=True)
class Site:
    """A node as it is planned with.

    Attributes:
        node: the node.
        free: what neither others nor workers of ours hold.
        bundles: how many bundles of our workers are on it.
        slots: how many more workers without CPUs may be on it.
    """

    node: Node
    free: Resources
    slots: int
    bundles: int = 0

    def take(self, worker: Worker, sign: int = 1) -> None:
        """Take off what `worker` holds here; with `sign` -1 give it back."""
        node = self.node.id
        self.change(worker.shape, sign * worker.nodes.count(node), worker.holds[node])

    def change(self, shape: Shape, count: int, amount: Resources) -> None:
        """Take off `amount`, which so many bundles of a worker of `shape` hold together; with a negative count give it back."""
        self.free = self.free.minus(amount) if count > 0 else self.free.plus(amount)
        self.bundles += count
        if shape.needs_slot:
            self.slots -= count
