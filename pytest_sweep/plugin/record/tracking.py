"""Starts the follower, the process that sends the run to trackers, and tells people where it cannot. Nothing of a tracker runs here."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from pytest_sweep import clock
from pytest_sweep.errors import SweepError
from pytest_sweep.store.cursors import TrackerCursors, has_cursors
from pytest_sweep.store.outgoing import Outgoing
from pytest_sweep.trackers.follow import COMMAND, OVER, order_line
from pytest_sweep.trackers.following import TrackerState
from pytest_sweep.trackers.registry import Tracked

LOG = "trackers.log"
"""The file in the run's folder with what the trackers print."""

_LOOK_SECONDS = 0.5
_QUIET_SECONDS = 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0
_LIVES_SECONDS = 20.0
"""After this time a follower is one that lives: when it is gone, the next one is started at once."""
_MOST_DEFECTS = 3
_ENDS_SECONDS = 1.0
_KILLED = (-9, -15)
"""The statuses of a process that somebody has killed, as the kernel does where memory is short. Others are a defect of a tracker."""

_HAS_GROUPS = tuple(sys.version_info) >= (3, 11) and sys.platform != "win32"
_OWN_GROUP: Mapping[str, Any] = {"process_group": 0} if _HAS_GROUPS else {"start_new_session": True}
"""So that Ctrl-C at the terminal does not reach the follower, and what its trackers start ends with it. If possible in the driver's
session: Linux shares CPUs among sessions first, and a low priority counts within one only.
"""


class Tracking:
    """The follower of one run.

    Args:
        folder: the run's folder, with its database.
        trackers: the trackers.
        wait: how many seconds the end of the session waits for what was not sent.
        cwd: the folder that relative paths in settings are relative to.
        tell: tells people of a trouble, at once.
    """

    def __init__(
        self, folder: Path, trackers: Sequence[Tracked], wait: float, cwd: Path, tell: Callable[[str], None]
    ) -> None:
        self._folder, self._trackers, self._wait, self._cwd, self._tell = folder, trackers, wait, cwd, tell
        self._states: dict[str, TrackerState] = {}
        self._told: set[str] = set()
        self._pause, self._defects = _FIRST_PAUSE, 0
        self._next_look, self._next_start = 0.0, 0.0
        self._defect = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._start()

    @property
    def states(self) -> Sequence[TrackerState]:
        """How it goes with each tracker, as far as its process has said."""
        return [self._states.get(one.text, TrackerState(one.text)) for one in self._trackers]

    def behind(self) -> Sequence[str]:
        """Return how far behind trackers are, a line for each that is."""
        return [state.behind for state in self.states if state.behind]

    def tick(self) -> None:
        """Tell of new troubles, and start the follower again if it is gone. Called often."""
        now = clock.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            self._complain()
            self._keep_alive(now)

    def finish(self, is_interrupted: Callable[[], bool]) -> None:
        """Wait until all is sent, but not for long, and end the follower.

        Args:
            is_interrupted: says whether somebody wants to wait no more.
        """
        end = clock.monotonic() + self._wait
        quiet = clock.monotonic() + _QUIET_SECONDS
        try:
            self._next_start = 0.0
            self._say_over()
            while clock.monotonic() < end and not is_interrupted():
                if self._has_ended(0.05) and not self._keep_alive(clock.monotonic(), over=True):
                    break
                self._complain()
                if quiet is not None and clock.monotonic() > quiet:
                    quiet = float("inf")
                    self._tell(self._waiting_text(end - clock.monotonic()))
        except KeyboardInterrupt:  # Trackers do not change how the session ends.
            pass
        finally:
            self.end()

    def lines(self) -> list[str]:
        """Return a line for each tracker that was not sent all, with the command that sends the rest."""
        return [line for tracked in self._trackers for line in self._line(tracked)]

    # The process

    def _start(self) -> None:
        with contextlib.suppress(OSError):
            with (self._folder / LOG).open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=self._cwd, **_OWN_GROUP,
                )  # fmt: skip
            self._began = clock.monotonic()
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            threading.Thread(
                target=self._read, args=(self._process.stdout,), name="sweep-trackers", daemon=True
            ).start()
            self._process.stdin.write(order_line(self._folder, [one.text for one in self._trackers], self._wait))
            self._process.stdin.flush()

    def _read(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                with contextlib.suppress(ValueError, TypeError):
                    self._states = {one["tracker"]: TrackerState.of(one) for one in json.loads(line)}

    def _keep_alive(self, now: float, *, over: bool = False) -> bool:
        """Start the follower again if it was killed, and say whether one lives, or will. The more often it dies, the longer the pause."""
        if self._process is not None:
            if not self._has_ended(0.0):
                return True
            status, lived = self._process.returncode, now - self._began
            self._close_lifeline()
            self._process = None
            if status == 0:  # All is sent, or no tracker works.
                self._defects = _MOST_DEFECTS
            elif status not in _KILLED:
                self._defects += 1
                self._defect = f"its process has ended with status {status}: see {self._folder / LOG}"
            self._pause = _FIRST_PAUSE if lived > _LIVES_SECONDS else min(2 * self._pause, _LONGEST_PAUSE)
            self._next_start = now + (_FIRST_PAUSE if over else self._pause)
        if self._defects >= _MOST_DEFECTS:
            return False
        if now >= self._next_start:
            self._next_start = now + self._pause
            self._start()
            if over:
                self._say_over()
        return True

    def _has_ended(self, seconds: float) -> bool:
        if self._process is None:
            time.sleep(seconds)
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _say_over(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                self._process.stdin.write(OVER)
            self._close_lifeline()

    def _close_lifeline(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def end(self) -> None:
        """End the follower now."""
        if self._process is None:
            return
        try:
            if not self._has_ended(0.0):
                self._signal("SIGTERM")
                self._has_ended(_ENDS_SECONDS)
        finally:
            self._signal("SIGKILL")
            self._process.wait()
            self._close_lifeline()

    def _signal(self, name: str) -> None:
        """Send a signal to the follower and to what its trackers have started."""
        assert self._process is not None
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, getattr(signal, name))

    # What people are told

    def _complain(self) -> None:
        for state in self.states:
            why = state.failed or state.trouble
            if why is None or state.tracker in self._told:
                continue
            self._told.add(state.tracker)
            more = "Nothing more is sent to it" if state.failed else "What is missing is sent when it is there again"
            self._tell(f"tracker {state.name}: {_sentence(why)}. The run goes on. {more}")

    def _waiting_text(self, seconds: float) -> str:
        waiting = [state for state in self.states if not state.is_done and state.failed is None]
        what = ", ".join(f"{state.name} ({state.lag:,} reports)" if state.lag else state.name for state in waiting)
        return f"waiting up to {seconds:.0f} s until all is sent to {what or 'the trackers'}; Ctrl-C to leave it"

    def _line(self, tracked: Tracked) -> list[str]:
        state = self._states.get(tracked.text, TrackerState(tracked.text))
        if state.is_done:
            return []
        why = (
            state.failed
            or state.trouble
            or self._defect
            or f"there was no time for more in {self._wait:g} s (--sweep-track-wait)"
        )
        command = shlex.join(["pytest-sweep", "track", _path(self._folder), "--to", tracked.text])
        verb = "has failed" if state.failed else "has not got all"
        return [f"tracker {tracked.name} {verb}{self._left(tracked)}: {_sentence(why)}. To send the rest: {command}"]

    def _left(self, tracked: Tracked) -> str:
        try:
            after = 0
            if has_cursors(self._folder):
                with TrackerCursors(self._folder) as cursors:
                    after = cursors.last_report(tracked.id)
            count = Outgoing(self._folder).left(after)
        except SweepError:
            return ""
        return f", {count:,} {'report is' if count == 1 else 'reports are'} missing" if count else ""


def _sentence(text: str) -> str:
    """Return the first line of an error, without a full stop."""
    return (text.strip().splitlines() or [""])[0].rstrip(".")


def _path(folder: Path) -> str:
    """Return a path by which a command started here finds the folder, which has a slash in it."""
    with contextlib.suppress(ValueError):
        relative = os.path.relpath(folder)
        if not relative.startswith("..") and os.sep in relative:
            return relative
    return str(folder)
