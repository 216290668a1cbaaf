"""Measures what a trial spends on fixtures that outlive it. Knows no pytest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_sweep import clock


class BuildingClock:
    """Adds up the time in which fixtures of wide scope are built; one that asks for another meanwhile is not counted twice.

    Attributes:
        seconds: the sum since `reset`.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._is_running = False

    def reset(self) -> None:
        """Begin at zero."""
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure the time of the block, if it is not measured already."""
        if self._is_running:
            yield
            return
        began, self._is_running = clock.monotonic(), True
        try:
            yield
        finally:
            self._is_running = False
            self.seconds += clock.monotonic() - began
