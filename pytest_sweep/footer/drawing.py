"""Draws lines below the output of this process, and has the output pass above them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterable, Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from pytest_sweep import clock
from pytest_sweep.footer.line import OutputLine
from pytest_sweep.footer.rescue import Rescuer, is_ready

if TYPE_CHECKING:
    from typing_extensions import Self

_ERASE_LINE, _ERASE_REST = "\x1b[K", "\x1b[J"
_SAVE, _RESTORE = "\x1b7", "\x1b8"
_DOWN = "\x1bD"
"""Moves the cursor down in its column, and scrolls where it is at the bottom of the screen."""

_BEGIN, _END = "\x1b[?2026h\x1b[?7l", "\x1b[?7h\x1b[?2026l"
"""The terminal shows what stands between them at once, if it can, and wraps no line, however wide it takes a character to be."""

_REPEAT_SECONDS = 0.02
"""How often lines are drawn again that a line of output has erased."""


class Footer:
    """Draws lines below the output of this process. A context manager.

    While it is open, `sys.stdout` and `sys.stderr` are replaced, if they are terminals, and `stream` is to be used in place of the
    stream that it was given: of what is written to these, the end of a line erases the lines, and draws them again below it. What a library
    writes past them, to a file descriptor or to a stream that it has remembered, may leave a part of a line beside it.

    If this process is killed, a shell that has waited for that erases the footer.

    Args:
        stream: the terminal.
        column: in which column, from 0, its cursor is.

    Attributes:
        stream: what is to be written to in place of `stream`.

    Example:
        >>> with Footer(sys.stdout) as footer:
        ...     footer.draw(["3 of 10 done"])
        ...     print("a line of output")
    """

    def __init__(self, stream: TextIO, column: int = 0) -> None:
        self.stream: Any = _Above(stream, self)
        self._stream = stream
        self._lock = threading.RLock()
        self._line = OutputLine(column)
        self._wanted: Sequence[str] = ()
        self._size = os.terminal_size((0, 0))
        self._is_drawn = False
        self._drawn_at = 0.0
        self._rescuer: Rescuer | None = None
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
            rescuer.release()

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
            wanted = list(lines)[: max(size.lines - 1, 0)]
            if (self._is_drawn and (self._wanted, self._size) == (wanted, size)) or not is_ready(self._stream):
                return
            if self._is_open:
                self._wanted, self._size = wanted, size
                self._show()

    def redraw(self) -> None:
        """Show the lines again if output has erased them, at most fifty times a second."""
        with self._lock:
            if self._wanted and not self._is_drawn and self._is_time and is_ready(self._stream):
                self._show()

    def erase(self) -> None:
        """Show no lines."""
        with self._lock:
            self._wanted = ()
            self._write(self._erasing())

    def above(self, stream: TextIO, text: str) -> int:
        """Write output to `stream`, and return how many characters that were.

        Raises:
            UnicodeEncodeError: its encoding has not all of them; nothing was written.
        """
        if not text.isascii():
            text.encode(stream.encoding or "utf-8", stream.errors or "strict")
        with self._lock:
            is_beside = not self._is_drawn or self._line.takes(text, self._size.columns)
            shown = self._noted(text) if is_beside else self._passed(stream, text)
            stream.write(shown)
            return len(text)

    def _passed(self, stream: TextIO, text: str) -> str:
        """Return what is to be written so that `text` stands above the lines."""
        if stream is not self._stream:
            self._write(self._erasing())
            return self._noted(text)
        shown = f"{self._erasing()}{self._noted(text)}"
        # A line break that follows is not to be taken for the end of a row that the terminal has wrapped.
        return f"{shown}{self._drawing()}" if self._is_time and not self._line.is_full(self._size.columns) else shown

    @property
    def _is_time(self) -> bool:
        return clock.monotonic() - self._drawn_at >= _REPEAT_SECONDS

    def _show(self) -> None:
        self._write(self._drawing() if self._wanted else self._erasing())
        if self._wanted and self._rescuer is None:
            self._rescuer = Rescuer(self._stream)

    def _noted(self, text: str) -> str:
        shown = self._line.after_wrap(text) if text else text
        self._line.note(text)
        return shown

    def _drawing(self) -> str:
        """Return what draws the lines."""
        wrap = self._line.wrap(self._size.columns)
        before = "" if self._line.is_rewound else _ERASE_LINE
        room = _DOWN * len(self._wanted) + f"\x1b[{len(self._wanted)}A"
        rows = "".join(f"\r\n{self._encodable(line)}{_ERASE_LINE}" for line in self._wanted)
        self._is_drawn, self._drawn_at = True, clock.monotonic()
        return f"{wrap}{_BEGIN}{before}{room}{_SAVE}{rows}{_ERASE_REST}{_RESTORE}{_END}"

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
        if not self._is_drawn:
            return ""
        self._is_drawn = False
        # Right of the cursor there is nothing but what a library has written past us, unless the output has returned in its line.
        return f"{_SAVE}\x1b[B\r{_ERASE_REST}{_RESTORE}" if self._line.is_rewound else _ERASE_REST

    def _encodable(self, line: str) -> str:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        return line if line.isascii() else line.encode(encoding, "replace").decode(encoding)

    def _write(self, text: str) -> None:
        if text:
            self._stream.write(text)
            self._stream.flush()


class _Above:
    """Stands in for a stream: what is written to it stands above the footer."""

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
