"""Erases what a killed program has left on a terminal, and says whether that takes output."""

from __future__ import annotations

import contextlib
import select
import subprocess
from typing import TextIO

_WAITING = r"read -r line || printf '\033[?7h\033[?2026l\033[J'"
"""Erases all below the cursor at the end of its input, unless there was a line before that; what a kill has cut off is undone first."""


class Rescuer:
    """A shell that waits for the end of this process, and then erases all below the cursor; one that was killed cannot do it.

    Args:
        stream: the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        with contextlib.suppress(OSError):  # There is no shell.
            # In a session of its own, where no Ctrl-C reaches it.
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _WAITING],
                stdin=subprocess.PIPE,
                stdout=stream.fileno(),
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def release(self) -> None:
        """Have it end without erasing anything."""
        if self._process is not None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self._process.communicate(b"\n", timeout=5.0)


def is_ready(stream: TextIO) -> bool:
    """Say whether the terminal takes output now: one that is stopped with Ctrl-S, or at the end of a slow line, would block."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), select.POLLOUT)
        return [event for _, event in poll.poll(0)] == [select.POLLOUT]
    except (AttributeError, OSError, ValueError):  # Windows has no poll.
        return False
