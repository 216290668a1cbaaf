"""Repeats what a tracker could not do because its server is down, with longer and longer pauses; and says how it goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pytest_sweep import clock
from pytest_sweep.trackers.base import TrackerDown

T = TypeVar("T")

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
HANGS_AFTER = 15.0
"""After how many seconds a call of a tracker counts as one that hangs; it is waited for all the same."""

_HANGS_AT_LAST = 2.0
"""The same when the time is up."""


class GivenUp(Exception):  # noqa: N818 - not an error: time is up
    """The time is up: nothing more is sent."""


class Stop:
    """Tells the threads of trackers that the run is over, or that nothing more is to be sent at all."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.is_over = False
        self.is_given_up = False

    def run_is_over(self) -> None:
        """Say that the run has ended: what there is, is all that there will be."""
        with self._changed:
            self.is_over = True
            self._changed.notify_all()

    def give_up(self) -> None:
        """Say that nothing more is to be sent."""
        with self._changed:
            self.is_over = self.is_given_up = True
            self._changed.notify_all()

    def wait(self, seconds: float, *, over_wakes: bool) -> None:
        """Wait for some seconds, or until all is given up, or until the run is over, if that wakes."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_given_up or (over_wakes and self.is_over), seconds)


@dataclass
class Patience:
    """Calls a tracker.

    Attributes:
        stop: whether to go on.
        down: why the tracker is down at this moment, or None.
        since: when the call that is on its way began; None where there is none.
    """

    stop: Stop
    down: str | None = None
    since: float | None = None

    def call(self, method: Callable[..., T], *arguments: Any) -> T:
        """Call a method of the tracker until it succeeds.

        Raises:
            GivenUp: the time is up before.
            Exception: what the method raises, but for TrackerDown.
        """
        pause = FIRST_PAUSE
        was_over = self.stop.is_over
        while not self.stop.is_given_up:
            self.since = clock.monotonic()
            try:
                done = method(*arguments)
            except TrackerDown as error:
                self.down = str(error) or type(error).__name__
                retry_after = error.retry_after
            else:
                self.down = None
                return done
            finally:
                self.since = None
            if self.stop.is_over and not was_over:
                was_over, pause = True, FIRST_PAUSE  # There is less time now.
            self.stop.wait(
                pause if retry_after is None else max(0.0, min(retry_after, LONGEST_PAUSE)), over_wakes=not was_over
            )
            pause = min(2 * pause, LONGEST_PAUSE)
        raise GivenUp

    @property
    def trouble(self) -> str | None:
        """Why nothing is sent at this moment; None where it goes well, as far as is known."""
        since = self.since
        enough = _HANGS_AT_LAST if self.stop.is_given_up else HANGS_AFTER
        if self.down is None and since is not None and clock.monotonic() - since > enough:
            return f"it has not answered for {clock.monotonic() - since:.0f} s"
        return self.down
