"""A program on a terminal, as a person sees it: a pty with an emulator at its other end."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pyte
import pytest

from tests.support.sessions import LIMIT

_FRAME_END = b"\x1b[?2026l"
_NOT_KNOWN = re.compile(rb"\x1b\]9;4;[0-9;]*\x1b\\")
"""What the emulator does not know, and would show: a terminal's own progress bar."""


_TAKE_TERMINAL = (
    "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])"
)
"""Has Ctrl-C reach a program, and runs it."""


class Screen:
    """An emulated terminal of a size, with all that has scrolled off its top."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        self.screen = pyte.HistoryScreen(columns, lines, history=100_000, ratio=0.001)
        self._stream = pyte.ByteStream(self.screen)

    def feed(self, data: bytes) -> None:
        """Show what a program has written."""
        self._stream.feed(_NOT_KNOWN.sub(b"", data))

    @property
    def rows(self) -> list[str]:
        """All rows, those that have scrolled off first, without the blanks at their ends."""
        old = ["".join(row[column].data for column in range(self.screen.columns)) for row in self.screen.history.top]
        return [row.rstrip() for row in [*old, *self.screen.display]]

    @property
    def place(self) -> int:
        """The index of the cursor's row in `rows`."""
        return len(self.screen.history.top) + self.screen.cursor.y

    @property
    def above(self) -> list[str]:
        """The rows down to that of the cursor."""
        return self.rows[: self.place + 1]

    @property
    def below(self) -> list[str]:
        """The rows below that of the cursor, without the blank ones at the end."""
        rows = self.rows[self.place + 1 :]
        while rows and not rows[-1]:
            rows.pop()
        return rows


class Program:
    """A program on a terminal of its own, which is its controlling terminal. To be closed.

    Attributes:
        written: all that it has written.
        frames: the rows down to the cursor's, and those below it, each time that something was drawn below it.
    """

    def __init__(
        self, command: list[str], folder: Path, environ: Mapping[str, str], columns: int = 80, lines: int = 24
    ) -> None:
        self.screen = Screen(columns, lines)
        self.written = b""
        self.frames: list[tuple[list[str], list[str]]] = []
        self.times: list[float] = []
        self._master, slave = os.openpty()
        self._size(columns, lines)
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("CI", "BUILD_NUMBER", "PYTHONUNBUFFERED", "COLUMNS")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _TAKE_TERMINAL, *command], cwd=folder, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, env={**kept, "TERM": "xterm-256color", **environ},
        )  # fmt: skip
        os.close(slave)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size of the terminal, as a person does with a mouse."""
        self.screen.screen.resize(lines, columns)
        self._size(columns, lines)

    def press(self, text: str) -> None:
        """Type."""
        os.write(self._master, text.encode())

    def read(self, until: Callable[[], object], what: str) -> None:
        """Show what it writes until a condition holds."""
        limit = time.monotonic() + LIMIT
        while not until():
            if time.monotonic() > limit:
                pytest.fail(f"waited {LIMIT:g} s in vain for {what}:\n" + "\n".join(self.screen.rows))
            if not self.take(0.05) and self.process.poll() is not None and not self.take(0.2) and not until():
                pytest.fail(f"it has ended without {what}:\n" + "\n".join(self.screen.rows))

    def end(self) -> int:
        """Show what it writes until it has ended, and return its exit status."""
        self.read(lambda: self.process.poll() is not None and not self.take(0.1), "its end")
        return self.process.returncode

    def take(self, seconds: float = 0.0) -> bool:
        """Show what it has written by now, and return whether it has written anything."""
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Nobody has the other end open any more.
            return False
        self.written += data
        *frames, rest = data.split(_FRAME_END)
        for frame in frames:
            self.screen.feed(frame + _FRAME_END)
            self.frames.append((self.screen.above, self.screen.below))
            self.times.append(time.monotonic())
        self.screen.feed(rest)
        return True

    def close(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LIMIT)
        os.close(self._master)

    def _size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
