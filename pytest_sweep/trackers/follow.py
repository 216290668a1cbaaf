"""The follower: the process that sends a run to trackers while it goes on. The driver starts it, and holds its stdin as a lifeline."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from pytest_sweep import clock
from pytest_sweep.errors import SweepError
from pytest_sweep.store.cursors import TrackingLock
from pytest_sweep.trackers.following import Following, TrackerState
from pytest_sweep.trackers.patience import Stop
from pytest_sweep.trackers.registry import parse_trackers

COMMAND = "import sys; sys.path.pop(0); from pytest_sweep.trackers.follow import main; main()"
"""What Python runs: without the current folder on the search path, where a file of a project may be called like a module that we need."""

OVER = b"over\n"
"""What the driver writes when the run has ended. Its death says the same."""

_NICENESS = 15
_LOOK_SECONDS = 0.2
_TELL_SECONDS = 2.0
_LOCK_SECONDS = 20.0


def main() -> None:
    """Follow the run that the first line of stdin names, until all is sent, or until the time is up after the run has ended."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    # Only we write to the pipe to the driver; what trackers print goes to the log.
    channel = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    lifeline = os.fdopen(os.dup(0), "rb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    order = json.loads(_line(lifeline))
    follower = _Follower(order, channel)
    threading.Thread(target=follower.listen, args=(lifeline,), name="lifeline", daemon=True).start()
    follower.run()
    sys.stderr.flush()
    _end_children(has_driver=os.getppid() == order["driver"])
    # Threads of trackers that hang, and what exit handlers of libraries wait for, hold nothing up.
    os._exit(0)


def order_line(folder: Path, trackers: Sequence[str], wait: float) -> bytes:
    """Return the first line of the follower's stdin.

    Args:
        folder: the run's folder.
        trackers: the trackers, as they are written in ``--sweep-track``.
        wait: how many seconds it has after the end of the run.
    """
    order = {"folder": str(folder), "trackers": list(trackers), "wait": wait, "driver": os.getpid()}
    return f"{json.dumps(order)}\n".encode()


class _Follower:
    def __init__(self, order: dict[str, Any], channel: BinaryIO) -> None:
        self._folder, self._wait, self._driver = Path(order["folder"]), float(order["wait"]), order["driver"]
        self._stop = Stop()
        self._channel = channel
        self._trackers = parse_trackers(order["trackers"])
        self._told: list[TrackerState] = []
        self._last_told = 0.0

    def listen(self, lifeline: BinaryIO) -> None:
        """Wait for the end of the run, or of the driver."""
        _line(lifeline)
        self._stop.run_is_over()

    def run(self) -> None:
        """Send the run, until all is sent, no tracker works, or the time is up."""
        try:
            lock = TrackingLock(self._folder, _LOCK_SECONDS)
        except SweepError as error:
            self._tell([TrackerState(tracked.text, failed=str(error)) for tracked in self._trackers])
            return
        following = Following(self._folder, self._trackers, self._stop)
        following.start()
        deadline: float | None = None
        while not following.join(_LOOK_SECONDS):
            if os.getppid() != self._driver:  # A process that the driver has forked may hold the other end of the pipe.
                self._stop.run_is_over()
            if self._stop.is_over and deadline is None:
                deadline = clock.monotonic() + self._wait
            if deadline is not None and clock.monotonic() >= deadline:
                self._stop.give_up()
                following.join(_LOOK_SECONDS)
                break
            self._tell_now_and_then(following.states())
        self._tell(following.states())
        lock.release()

    def _tell_now_and_then(self, states: list[TrackerState]) -> None:
        """Tell what has changed: a new trouble at once, numbers every few seconds."""
        is_news = [(one.trouble is None, one.failed) for one in states] != [
            (one.trouble is None, one.failed) for one in self._told
        ]
        if is_news or (states != self._told and clock.monotonic() - self._last_told >= _TELL_SECONDS):
            self._tell(states)

    def _tell(self, states: list[TrackerState]) -> None:
        self._told, self._last_told = states, clock.monotonic()
        with contextlib.suppress(OSError):  # The driver is gone.
            self._channel.write(f"{json.dumps([state.to_dict() for state in states])}\n".encode())


def _line(file: BinaryIO) -> bytes:
    """Return the next line; what there is of it where the other end is closed."""
    line = b""
    while not line.endswith(b"\n") and (byte := file.read(1)):
        line += byte
    return line


def _end_children(*, has_driver: bool) -> None:
    """End what trackers have started and not ended; without a driver, which does that, also what is left in our group, and ourselves."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
    if not has_driver and hasattr(os, "killpg") and os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
