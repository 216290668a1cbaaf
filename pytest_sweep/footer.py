"""Lines below the output of a program on a terminal. Knows nothing of what they say, and nothing of sweeps.

The cursor stays where the program's own output ends, and the footer is drawn below it. So the output needs no care: before anything
is written, all below the cursor is erased. What scrolls off the top of the screen is output only, whatever the width of the terminal
has become since the footer was drawn. The cursor is never hidden, and is where a shell's next prompt belongs at any moment.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from wcwidth import wcwidth

if TYPE_CHECKING:
    from typing_extensions import Self

_ERASE_LINE, _ERASE_REST = "\x1b[K", "\x1b[J"
_SAVE, _RESTORE = "\x1b7", "\x1b8"
_DOWN = "\x1bD"
"""Moves the cursor down in its column, and scrolls where it is at the bottom of the screen."""

_BEGIN, _END = "\x1b[?2026h\x1b[?7l", "\x1b[?7h\x1b[?2026l"
"""The terminal shows what stands between them at once, if it can, and wraps no line, however wide it takes a character to be."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\].*?(?:\x07|\x1b\\)|[@-Z\\-_])", re.DOTALL)
_MOVES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-ln-~]|[78DEM])")
"""Escapes that may move the cursor: all but colours and titles."""

_LONGEST_LINE = 20_000
"""How much of a line without end is looked at to find out in which column it ends."""

_RESCUE = r"read -r line || printf '\033[J'"
"""Erases the footer at the end of its input, unless there was a line before that."""


class Footer:
    """Draws lines below the output of this process, and erases them before output is written. A context manager.

    While it is open, `sys.stdout` and `sys.stderr` are replaced, if they are terminals, and `stream` is to be used in place of the
    stream that it was given: what is written to these erases the footer first. What a library writes past them, to a file descriptor
    or to a stream that it has remembered, is below the output and may leave a part of the footer beside it.

    If this process is killed, a shell that has waited for that erases the footer.

    Args:
        stream: the terminal.
        column: in which column, from 0, its cursor is.

    Attributes:
        stream: what is to be written to in place of `stream`.

    Example:
        >>> with Footer(sys.stdout) as footer:
        ...     footer.draw(["3 of 10 done"])
        ...     print("a line of output")  # The footer is gone.
    """

    def __init__(self, stream: TextIO, column: int = 0) -> None:
        self.stream: Any = _Above(stream, self)
        self._stream = stream
        self._lock = threading.RLock()
        self._line = " " * column
        self._is_wrapped = False
        self._drawn: tuple[Sequence[str], os.terminal_size] | None = None
        self._rescuer: subprocess.Popen[bytes] | None = None
        self._replaced: dict[str, tuple[object, object]] = {}
        self._is_open = False
        self._handles_stop = False

    def __enter__(self) -> Self:
        """Take the place of `sys.stdout` and `sys.stderr`, and of what Ctrl-Z does by itself."""
        self._is_open = True
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and hasattr(signal, "SIGTSTP") and signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, self._stop)
            self._handles_stop = True
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is not None and stream.isatty():
                above = self.stream if stream is self._stream else _Above(stream, self)
                self._replaced[name] = stream, above
                setattr(sys, name, above)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Erase the footer, and give the streams back. A second call does nothing."""
        self.close()

    def close(self) -> None:
        """Erase the footer, and give the streams back. A second call does nothing."""
        self._is_open = False
        for name, (stream, above) in self._replaced.items():
            if getattr(sys, name) is above:
                setattr(sys, name, stream)
        self._replaced.clear()
        if self._handles_stop:
            self._handles_stop = False
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        with contextlib.suppress(OSError, ValueError):  # The terminal is gone.
            self.erase()
        rescuer, self._rescuer = self._rescuer, None
        if rescuer is not None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                rescuer.communicate(b"\n", timeout=5.0)

    @property
    def size(self) -> os.terminal_size:
        """How many columns and lines the terminal has now; where it does not say so, what the environment says, else 80 by 24."""
        try:
            found = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            return shutil.get_terminal_size()
        return found if found.columns and found.lines else shutil.get_terminal_size()

    def draw(self, lines: Iterable[str]) -> None:
        """Show these lines in place of those that are shown, without any if the terminal takes no output at this moment.

        Args:
            lines: without line breaks and escapes, narrower than the terminal, and fewer than it has lines; what is more is cut off.
        """
        with self._lock:
            size = self.size
            drawn = list(lines)[: max(size.lines - 1, 0)]
            if not self._is_open or self._drawn == (drawn, size) or not _is_ready(self._stream):
                return
            if not drawn:
                self.erase()
                return
            before = self._wrap(size.columns) + ("" if self._is_rewound else _ERASE_LINE)
            room = _DOWN * len(drawn) + f"\x1b[{len(drawn)}A"
            rows = "".join(f"\r\n{self._encodable(line)}{_ERASE_LINE}" for line in drawn)
            self._write(self._stream, f"{_BEGIN}{before}{room}{_SAVE}{rows}{_ERASE_REST}{_RESTORE}{_END}")
            self._drawn = drawn, size
            self._rescuer = self._rescuer or _rescuer(self._stream)

    def erase(self) -> None:
        """Show no lines."""
        with self._lock:
            if erasing := self._erasing():
                self._write(self._stream, erasing)

    def above(self, stream: TextIO, text: str) -> int:
        """Write output to `stream`, and return how many characters that were."""
        with self._lock:
            if stream is not self._stream:
                self.erase()
            shown = f"{self._erasing()}{self._after_wrap(text)}" if text else text
            self._note(text)
            stream.write(shown)
            return len(text)

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a handler
        """Erase the lines, and stop until the shell lets this process go on."""
        with contextlib.suppress(OSError, ValueError):  # Past the stream, in whose middle this may be.
            os.write(self._stream.fileno(), self._erasing().encode())
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        if self._is_open:
            signal.signal(number, self._stop)

    def _erasing(self) -> str:
        """Return what erases the lines if they are shown."""
        drawn, self._drawn = self._drawn, None
        if drawn is None:
            return ""
        # Right of the cursor there is nothing but what a library has written past us, unless the output has returned in its line.
        return f"{_SAVE}\x1b[B\r{_ERASE_REST}{_RESTORE}" if self._is_rewound else _ERASE_REST

    @property
    def _is_rewound(self) -> bool:
        """Whether there may be output right of the cursor."""
        return "\r" in self._line or "\b" in self._line or bool(_MOVES.search(self._line))

    def _note(self, text: str) -> None:
        """Keep the line in which the cursor is."""
        _, newline, rest = text.rpartition("\n")
        self._line = (rest if newline else self._line + rest)[-_LONGEST_LINE:]

    def _wrap(self, columns: int) -> str:
        """Return what moves the cursor to the next line if the output has filled its line to the last column.

        There a terminal waits for the next character before it wraps, and would forget that when the cursor is moved.
        """
        if self._is_wrapped or _column(_ESCAPES.sub("", self._line.rpartition("\r")[2]), columns) < columns:
            return ""
        self._is_wrapped = True
        return "\r\n"

    def _after_wrap(self, text: str) -> str:
        """Return `text` as it is to be written after `_wrap`: a line break that follows is done already."""
        if not self._is_wrapped:
            return text
        self._is_wrapped = False
        if text.startswith(("\n", "\r\n")):
            return text.partition("\n")[2]
        return f"\x1b[A{text}" if text.startswith("\r") else text

    def _encodable(self, line: str) -> str:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        return line if line.isascii() else line.encode(encoding, "replace").decode(encoding)

    def _write(self, stream: TextIO, text: str) -> None:
        stream.write(text)
        stream.flush()


class _Above:
    """Stands in for a stream: what is written to it erases the footer first."""

    def __init__(self, stream: TextIO, footer: Footer) -> None:
        self._stream, self._footer = stream, footer

    def write(self, text: str) -> int:
        return self._footer.above(self._stream, text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def __getattr__(self, name: str) -> Any:
        if name in ("buffer", "fileno", "detach"):  # Who asks for these writes past us.
            self._footer.erase()
        return getattr(self._stream, name)


def _column(line: str, columns: int) -> int:
    """Return in which column a line of output ends, from 0; `columns` where it has filled its last row."""
    if line.isascii():
        return (len(line) - 1) % columns + 1 if line else 0
    column = 0
    for char in line:
        width = max(wcwidth(char), 0)
        column = width if column + width > columns else column + width
    return column


def _is_ready(stream: TextIO) -> bool:
    """Say whether the terminal takes output now: one that is stopped with Ctrl-S, or at the end of a slow line, would block."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), select.POLLOUT)
        return [event for _, event in poll.poll(0)] == [select.POLLOUT]
    except (AttributeError, OSError, ValueError):  # Windows has no poll.
        return False


def _rescuer(stream: TextIO) -> subprocess.Popen[bytes] | None:
    """Start the process that erases the footer when this process is gone without having closed it; None where there is no shell."""
    try:
        # In a session of its own, where no Ctrl-C reaches it.
        return subprocess.Popen(
            ["/bin/sh", "-c", _RESCUE],
            stdin=subprocess.PIPE,
            stdout=stream.fileno(),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
