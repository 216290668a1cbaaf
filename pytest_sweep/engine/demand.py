"""Which shapes of worker are wanted, in which order, and since when. Costs an event the same for one shape and for thousands."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sized
from itertools import islice
from typing import Any

from pytest_sweep.engine.capacity import Capacity
from pytest_sweep.engine.worker import Shape

LOOKED_AT = 8
"""How many shapes are tried from each side when a node has room again: the oldest, the smallest, and some others in turn."""


class Demand:
    """The shapes that have more trials waiting than workers starting.

    A shape that is new here is looked at once on all nodes. One that found no room is looked at again only on nodes that have gained some,
    and of thousands of such shapes only a few at a time.

    Args:
        queues: what waits for each shape; only its length is looked at.
        capacity: the workers.

    Attributes:
        fresh: the wanted shapes that have not been looked at.
        changes: a number that grows whenever a shape is new.
    """

    def __init__(self, queues: Mapping[Shape, Sized], capacity: Capacity) -> None:
        self._queues = queues
        self._capacity = capacity
        self._wanted: OrderedDict[Shape, int] = OrderedDict()
        self._by_size: list[tuple[Any, ...]] = []
        self._waiting_since: OrderedDict[Shape, float] = OrderedDict()
        self._turn = 0
        self._numbers = 0
        self.fresh: dict[Shape, None] = {}
        self.changes = 0

    def __len__(self) -> int:
        return len(self._wanted)

    def lacking(self, shape: Shape) -> int:
        """Return how many more workers of `shape` would find something to do."""
        queue = self._queues.get(shape)
        # One that idles while something waits is there for a slot whose configuration is being chosen.
        there = self._capacity.starting(shape) + self._capacity.idling(shape)
        return 0 if queue is None else len(queue) - there

    def note(self, shape: Shape, now: float) -> None:
        """Look at what waits for `shape`: there may be more of it, or fewer workers."""
        if shape not in self._queues:
            return
        if not self._capacity.count(shape):
            self._waiting_since.setdefault(shape, now)
        if shape not in self._wanted and self.lacking(shape) > 0:
            self._numbers += 1
            self._wanted[shape] = self._numbers
            insort(self._by_size, (shape.resources.cpu, self._numbers, shape))
            self.fresh[shape] = None
            self.changes += 1

    def drop(self, shape: Shape) -> None:
        """Note that `shape` has as many workers as it wants, or is not wanted any more."""
        number = self._wanted.pop(shape, None)
        if number is not None:
            del self._by_size[bisect_left(self._by_size, (shape.resources.cpu, number))]
            self.fresh.pop(shape, None)

    def served(self, shape: Shape) -> None:
        """Note that a worker of `shape` was started: it waits for none any more."""
        self._waiting_since.pop(shape, None)

    def oldest(self) -> Iterator[Shape]:
        """Iterate over those that have been wanted for longest; not over all."""
        return iter(list(islice(self._wanted, LOOKED_AT)))

    def candidates(self) -> Iterator[Shape]:
        """Iterate over those that are to be tried where there is room again, each once; who is served may be dropped meanwhile."""
        if len(self._wanted) <= 3 * LOOKED_AT:
            yield from list(self._wanted)
            return
        oldest = dict.fromkeys(islice(self._wanted, LOOKED_AT))
        yield from oldest
        # Mostly the oldest take all the room.
        if self._by_size:
            start = self._turn = (self._turn + LOOKED_AT) % len(self._by_size)
            sized = self._by_size[:LOOKED_AT] + self._by_size[start : start + LOOKED_AT]
            yield from (shape for shape in dict.fromkeys(shape for _, _, shape in sized) if shape not in oldest)

    def late(self, now: float, patience: float) -> Iterator[Shape]:
        """Iterate over those that have had no worker for `patience` seconds, the oldest first; not over all.

        One that the caller does not stop at has its patience begin anew, so that the next one has its turn.
        """
        for _ in range(min(LOOKED_AT, len(self._waiting_since))):
            shape, since = next(iter(self._waiting_since.items()))
            if shape not in self._queues:
                del self._waiting_since[shape]
                continue
            if now - since < patience:
                return
            yield shape
            del self._waiting_since[shape]
            self._waiting_since[shape] = now

    @property
    def least_cpu(self) -> float:
        """The fewest CPUs that a bundle of any of them asks for."""
        return self._by_size[0][0] if self._by_size else 0.0
