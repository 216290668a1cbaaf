"""One process of this machine that hosts a session, as the driver holds it."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
from collections.abc import Callable
from typing import Any

import execnet
import psutil

from pytest_sweep.executors.processes.serving import SERVE

EXIT_SECONDS = 10.0


class WorkerProcess:
    """A process that answers orders. It is started at once, and imports what it needs while nobody wants anything of it yet."""

    def __init__(self) -> None:
        self._hear: Callable[[str, Any], None] | None = None
        self._unheard: list[tuple[str, Any]] = []
        self._pid: int | None = None
        self._lock = threading.Lock()
        # As pytest-xdist does: what is executed has the main thread of the process, where signals arrive.
        self._group = execnet.Group(execmodel="main_thread_only")
        self._channel = self._group.makegateway("popen").remote_exec(SERVE)
        self._channel.setcallback(self._on_message, endmarker=None)

    def hear_by(self, hear: Callable[[str, Any], None]) -> None:
        """Have `hear` called with each message, as ``(word, value)``; in the end, when the process is gone, with ``("gone", cause)``.

        It is called in a thread of execnet's; for what was said before, at once.
        """
        with self._lock:
            self._hear = hear
            for word, value in self._unheard:
                hear(word, value)

    def send(self, word: str, value: object) -> None:
        """Give an order; one to a process that is gone is not heard of again, but ``gone`` is."""
        with contextlib.suppress(OSError):
            self._channel.send((word, pickle.dumps(value)))

    def end(self) -> None:
        """End the process and all that it has started, at once."""
        pid, self._pid = self._pid, None
        if pid is not None and hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        self._group.terminate(timeout=0.0 if pid is None else EXIT_SECONDS)

    def _on_message(self, message: tuple[str, Any] | None) -> None:
        word, content = message or ("gone", b"")
        if word == "up":
            self._pid = int(content)
            return
        value = self._cause() if word == "gone" else pickle.loads(content)
        with self._lock:
            if self._hear is None:
                self._unheard.append((word, value))
            else:
                self._hear(word, value)

    def _cause(self) -> str:
        """Return how the process ended: its status or its signal, or what its own code raised."""
        pid = self._pid
        try:
            self._channel.waitclose(timeout=0)
        except execnet.RemoteError as error:
            return str(error).strip().splitlines()[-1]
        except (EOFError, execnet.TimeoutError):
            pass
        if pid is None:
            return "it ended before it could say anything"
        try:
            status = psutil.Process(pid).wait(timeout=EXIT_SECONDS)
        except (psutil.NoSuchProcess, psutil.TimeoutExpired):
            return "killed or crashed, signal unknown"
        return f"it exited with status {status}" if status >= 0 else f"killed by {_signal_name(-status)}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # Most real-time signals have no name.
        return f"signal {number}"
