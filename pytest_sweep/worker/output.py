"""Catches what a worker process writes past pytest's capture: with ``-s``, from child processes, from C code. Knows no pytest."""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
import threading
from collections.abc import Callable

from pytest_sweep.clock import monotonic

SYNC_SECONDS = 1.0
_CHUNK = 65536
_REWRITTEN_SECONDS = 0.5
"""How long a line that is rewritten, as a progress bar is, is kept before it is passed on as it is by then."""

_REWRITTEN = re.compile(rb"\r(?:[^\r\n\x1b]|\x1b\[[\d;]*m)*(?=\r[^\r\n])")
"""A state of a line of which there is a later one."""

_MARK = b"\0pytest-sweep: end of trial\0"


class OutputPipe:
    """Puts a pipe in the place of file descriptors 1 and 2 of this process; a thread passes on what comes through.

    Args:
        show: has a text written to the driver's terminal: each run of whole lines, and twice a second what is followed by a carriage
            return; called from the pipe's thread.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._read_end, self._write_end = os.pipe()
        for descriptor in (1, 2):
            os.dup2(self._write_end, descriptor)
        for stream in (sys.stdout, sys.stderr):
            # Into a file it would be buffered by the block, and seen when the process ends.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(line_buffering=True)
        self._marked = threading.Event()
        self._lock = threading.Lock()
        self._rest = b""
        self._next = 0.0
        threading.Thread(target=self._run, name="sweep-output", daemon=True).start()

    def sync(self) -> None:
        """Wait until what has been written is passed on, so that it belongs to the trial that wrote it; a second at the most."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        if self._is_empty():
            return  # As after most trials: the pipe's thread need not be waited for.
        self._marked.clear()
        os.write(self._write_end, _MARK)
        self._marked.wait(SYNC_SECONDS)

    def _is_empty(self) -> bool:
        """Say whether nothing is on its way, neither in the pipe nor with its thread; False where a pipe cannot be asked (Windows)."""
        if not hasattr(select, "poll"):
            return False
        with self._lock:
            return not self._rest and not self._wait(0)

    def _wait(self, milliseconds: int | None = None) -> bool:
        """Wait until there is something to read."""
        waiting = select.poll()
        waiting.register(self._read_end, select.POLLIN)
        return bool(waiting.poll(milliseconds))

    def _run(self) -> None:
        while True:
            if hasattr(select, "poll"):
                self._wait()  # Without the lock, which covers all from the reading to the passing on.
            with self._lock:
                chunk = os.read(self._read_end, _CHUNK)
                if not chunk:
                    return
                self._take(chunk)

    def _take(self, chunk: bytes) -> None:
        written, mark, self._rest = (self._rest + chunk).partition(_MARK)
        if mark:
            self._pass_on(written)
            self._marked.set()
        else:
            end = written.rfind(b"\n")
            if (returned := written.rfind(b"\r")) > end and monotonic() >= self._next:
                end, self._next = returned, monotonic() + _REWRITTEN_SECONDS
            self._pass_on(written[: end + 1])
            self._rest = _latest(written[end + 1 :])

    def _pass_on(self, text: bytes) -> None:
        if text:
            # Whatever it raises: without this thread, who writes to the full pipe would wait for ever.
            with contextlib.suppress(BaseException):
                self._show(_latest(text).decode(errors="replace"))


def _latest(text: bytes) -> bytes:
    """Return `text` with the last state only of each line that is rewritten."""
    return _REWRITTEN.sub(b"", text) if b"\r" in text else text
