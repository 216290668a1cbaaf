"""Sends one run to several trackers, each in a thread of its own, so that one that hangs holds up no other. Starts no process."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_sweep.errors import SweepError
from pytest_sweep.trackers.patience import GivenUp, Stop
from pytest_sweep.trackers.registry import Tracked, make_tracker
from pytest_sweep.trackers.sending import Sender


@dataclass(frozen=True)
class TrackerState:
    """How it goes with one tracker.

    Attributes:
        tracker: the tracker, as it was asked for.
        lag: how many reports wait, as far as is known.
        sent: how many reports this process has sent.
        trouble: why nothing is sent at this moment, or None.
        failed: why nothing more is sent, or None: the tracker has a defect.
        is_done: whether all was sent.
    """

    tracker: str
    lag: int = 0
    sent: int = 0
    trouble: str | None = None
    failed: str | None = None
    is_done: bool = False

    @property
    def name(self) -> str:
        """The tracker without its settings, which may hold a password."""
        return self.tracker.partition(":")[0]

    @property
    def behind(self) -> str:
        """How far behind it is, in words; empty if it is not, or gets nothing more."""
        if not self.lag or self.failed is not None:
            return ""
        return f"tracker {self.name} is {self.lag:,} report{'s' if self.lag > 1 else ''} behind"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> TrackerState:
        """Return the state that `to_dict` has made this of."""
        return cls(**data)


class Following:
    """Sends one run to some trackers.

    Args:
        folder: the run's folder.
        trackers: the trackers.
        stop: says when the run is over, and when the time is up.
    """

    def __init__(self, folder: Path, trackers: Sequence[Tracked], stop: Stop) -> None:
        self._one_each = [_Thread(folder, tracked, stop) for tracked in trackers]

    def start(self) -> None:
        """Start the threads."""
        for one in self._one_each:
            one.start()

    def join(self, seconds: float) -> bool:
        """Wait up to some seconds for the end of all threads, and say whether they have ended."""
        for one in self._one_each:
            one.join(seconds / len(self._one_each))
        return not any(one.is_alive() for one in self._one_each)

    def states(self) -> list[TrackerState]:
        """Return how it goes with each tracker."""
        return [one.state() for one in self._one_each]


class _Thread(threading.Thread):
    def __init__(self, folder: Path, tracked: Tracked, stop: Stop) -> None:
        super().__init__(name=f"tracker-{tracked.name}", daemon=True)
        self._folder, self._tracked, self._stop_at = folder, tracked, stop
        self._sender: Sender | None = None
        self._failed: str | None = None

    def run(self) -> None:
        """Send, and remember why it could not."""
        try:
            tracker = make_tracker(self._tracked)
            self._sender = Sender(self._folder, self._tracked.id, tracker, self._tracked.settings, self._stop_at)
            self._sender.send()
        except GivenUp:
            pass
        except SweepError as error:
            self._failed = str(error) or type(error).__name__
        except BaseException as error:
            self._failed = f"{type(error).__name__}: {error}"
            print(f"The tracker {self._tracked.name} has failed:", file=sys.stderr)
            traceback.print_exc()

    def state(self) -> TrackerState:
        """Return how it goes."""
        text, sender = self._tracked.text, self._sender
        if sender is None:
            return TrackerState(text, failed=self._failed)
        return TrackerState(
            text, sender.lag, sender.sent, sender.patience.trouble, failed=self._failed, is_done=sender.is_done
        )
