"""When a run or a sweep has had enough: its budget of time, or the same failure again and again. Pure, without a clock."""

from __future__ import annotations

import enum
import re

from pytest_sweep.model.events import TrialFinished
from pytest_sweep.model.trials import TrialState

_CHANGING = re.compile(r"0x[0-9a-fA-F]+|\d+")


class Phase(enum.Enum):
    """Where a run is in its budget."""

    RUNNING = enum.auto()
    GRACE = enum.auto()
    OVER = enum.auto()


class Budget:
    """The time that a run may take.

    Args:
        seconds: after how many nothing new begins; None is no limit.
        grace: how many more what runs then may take.
    """

    def __init__(self, seconds: float | None, grace: float) -> None:
        self._seconds = seconds
        self._grace = grace
        self._began: float | None = None
        self.phase = Phase.RUNNING

    def update(self, now: float, horizon: float) -> bool:
        """Take note of the time; say whether the phase has changed.

        Nothing new begins from `now` on. But what runs is only cut off when all that had happened by the end of the grace was told:
        `horizon` is up to when that is so.
        """
        if self._began is None:
            self._began = now
        before = self.phase
        if self._seconds is not None and before is not Phase.OVER:
            end = self._began + self._seconds
            self.phase = Phase.OVER if horizon >= end + self._grace else Phase.GRACE if now >= end else before
        return self.phase is not before

    def left(self, now: float) -> float | None:
        """Return how many seconds are left, with the grace; None where there is no budget."""
        if self._seconds is None or self._began is None:
            return None
        return max(self._began + self._seconds + self._grace - now, 0.0)


class SameFailures:
    """Watches for sweeps whose trials all fail alike from the start.

    Args:
        limit: after how many of them a sweep has had enough; 0 for never.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._alike: dict[str, tuple[str, int]] = {}
        self._cleared: set[str] = set()

    def note(self, sweep: str, finished: TrialFinished) -> str | None:
        """Take note of a finished trial; return the error that the sweep should stop for, or None.

        Errors are alike when their last lines are, numbers aside: addresses, sizes and the trial's own values differ.
        """
        if not self.limit or sweep in self._cleared:
            return None
        last = _last_line(finished.error)
        alike = _CHANGING.sub("#", last)
        known, count = self._alike.get(sweep, (alike, 0))
        if finished.state is not TrialState.ERROR or alike != known:
            self._cleared.add(sweep)
            return None
        self._alike[sweep] = (alike, count + 1)
        if count + 1 < self.limit:
            return None
        self._cleared.add(sweep)
        return last

    def most_next(self, sweep: str, wanted: int, workers: int = 1) -> int:
        """Return how many of `wanted` trials of a sweep a worker should get at once.

        Of one that only fails, the workers together get no more than would end it: what runs by then goes on.
        """
        if not self.limit or sweep in self._cleared or sweep not in self._alike:
            return wanted
        return min(wanted, -(-(self.limit - self._alike[sweep][1]) // max(workers, 1)))


def _last_line(error: str | None) -> str:
    """Return the shortest form of an error's text: its last line."""
    lines = (error or "").strip().splitlines()
    return lines[-1].strip() if lines else "no message"
