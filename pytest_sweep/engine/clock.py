"""The engine's clock: up to when all that has happened was told, and when something really happened. Pure arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pytest_sweep.engine.worker import Worker

STALL_SECONDS = 0.5
"""If the driver takes no events for longer than this, it has stalled: a slow hook, Ctrl-Z, a debugger. It polls every 0.2 s."""

CATCH_UP_SECONDS = 1.0
"""How long after a stall events may still be on their way: on Ray they lie in a mailbox meanwhile."""

MOST_CATCH_UP = 10.0
"""After how many seconds a stall is over though late events still arrive: a wrong clock must not switch all limits off."""


@dataclass(slots=True)
class Stall:
    """A stall that has ended at `ended`; nothing late has arrived since `quiet_since`."""

    ended: float
    quiet_since: float


class Clock:
    """Keeps the horizon: the time up to which all that has happened was told. Limits are judged as of then.

    Usually that is now. While the driver stalls, events pile up; so after a stall the horizon stays where it was until what had piled up
    was surely taken. A driver that stalls again and again does not stop it: each stall's end becomes the horizon a second later.

    Args:
        has_stalls: whether a long time between two ticks is a stall; where trials run in the driver's own process it is not.

    Attributes:
        now: the time.
        horizon: as of when limits are judged.
    """

    def __init__(self, *, has_stalls: bool = True) -> None:
        self.now = 0.0
        self.horizon = 0.0
        self._has_stalls = has_stalls
        self._ticked: float | None = None
        self._stalls: list[Stall] = []
        self._offsets: dict[str, float] = {}

    @property
    def is_catching_up(self) -> bool:
        """Whether events may be on their way that happened before now."""
        return bool(self._stalls)

    def advance(self, now: float) -> float:
        """Take note of the time before events are told; return for how long the driver has stalled, 0 if it has not."""
        self.now = now
        stalled = 0.0 if self._ticked is None else now - self._ticked
        if stalled <= STALL_SECONDS or not self._has_stalls:
            return 0.0
        self._stalls.append(Stall(now, now))
        return stalled

    def tick(self, now: float) -> float:
        """Take note of the time when what had arrived by then was told; return the horizon."""
        self.now = self._ticked = now
        while self._stalls and now - self._stalls[0].quiet_since >= CATCH_UP_SECONDS:
            self.horizon = self._stalls.pop(0).ended
        if not self._stalls:
            self.horizon = now
        return self.horizon

    def when(self, worker: Worker, time: float) -> float:
        """Return when something happened on a worker that says it did at `time`, which is its own wall clock's.

        Usually that is now. After a stall it may be long ago. Clocks of machines differ, so the least difference between both clocks that
        was ever seen is taken for an event that was told at once; until a worker has said anything, that of its node.
        """
        difference = self.now - time
        if not math.isfinite(difference):
            return self.now
        node = worker.nodes[0]
        least = min(difference, worker.offset if worker.offset is not None else self._offsets.get(node, difference))
        worker.offset = least
        self._offsets[node] = min(least, self._offsets.get(node, least))
        if not self._stalls:
            return self.now
        happened = self.now - (difference - least)
        for stall in self._stalls:
            if happened < stall.ended and self.now - stall.ended < MOST_CATCH_UP:
                stall.quiet_since = self.now
        return happened
