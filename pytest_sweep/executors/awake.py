"""A clock by which limits are fair: while nobody looks at it, because the driver is stopped or busy, little time passes."""

from __future__ import annotations

from collections.abc import Callable

from pytest_sweep.clock import monotonic

MOST_SECONDS = 1.0
"""How much passes at the most between two looks. What processes have said meanwhile is read before the next one."""


class AwakeClock:
    """Counts the seconds in which somebody looks at it from time to time.

    Args:
        real: a clock that never goes back.

    Attributes:
        now: the time of the last look.
    """

    def __init__(self, real: Callable[[], float] = monotonic) -> None:
        self._real = real
        self._last = real()
        self.now = 0.0

    def look(self) -> float:
        """Return the time, and let it go on."""
        real = self._real()
        self.now += min(real - self._last, MOST_SECONDS)
        self._last = real
        return self.now
