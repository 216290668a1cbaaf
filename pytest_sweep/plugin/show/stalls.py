"""When people are told that nothing happens any more. Knows nothing of how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pytest_sweep.model.resources import Resources
from pytest_sweep.model.waiting import Waiting
from pytest_sweep.reporting import reasons, stalled_lines

LOOK_SECONDS = 5.0
"""How often it is found out who waits for what, while nothing happens: that looks at every worker."""

AGAIN_SECONDS = 300.0


class Engine(Protocol):
    """What is asked of the loop."""

    @property
    def resources(self) -> Resources:
        """What all nodes have together."""

    @property
    def stalled(self) -> float | None:
        """For how many seconds nothing has happened; None while that is not worth a word."""

    def waiting(self) -> Waiting:
        """Return what waits now, for what, and who has it."""


class StallWatch:
    """Tells of each reason to wait once, and again every five minutes while it lasts."""

    def __init__(self) -> None:
        self._looked: float | None = None
        self._told: tuple[float, object] | None = None

    def lines(self, engine: Engine, now: float) -> Sequence[str]:
        """Return what is to be told at `now`, in seconds of a clock that never goes back; nothing most of the time."""
        if engine.stalled is None or (self._looked is not None and now - self._looked < LOOK_SECONDS):
            return ()
        self._looked = now
        waiting = engine.waiting()
        what = reasons(waiting)
        if not what or (self._told is not None and self._told[1] == what and now - self._told[0] < AGAIN_SECONDS):
            return ()
        self._told = now, what
        return stalled_lines(waiting)
