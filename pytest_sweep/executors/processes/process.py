"""One process of this machine that hosts a session, as the driver holds it."""

from __future__ import annotations

import contextlib
import os
import pickle
import shlex
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import execnet

from pytest_sweep.model.events import Death
from pytest_sweep.wire.lastwords import Ending, examine, last_words_path, request_stacks, signal_name

EXIT_SECONDS = 10.0

SERVE = "from pytest_sweep.executors.processes.serving import serve; serve(channel)"
"""What a new process executes. Not imported here: the driver has no use for all that a worker imports."""

_START = f"popen//python={shlex.quote(sys.executable)} {shlex.quote(str(Path(__file__).with_name('bootstrap.py')))}"


class WorkerProcess:
    """A process that answers orders. It is started at once, and imports what it needs while nobody wants anything of it yet."""

    def __init__(self) -> None:
        self._hear: Callable[[str, Any], None] | None = None
        self._unheard: list[tuple[str, Any]] = []
        self._pid: int | None = None
        self._folder: str | None = None
        self._lock = threading.Lock()
        # As pytest-xdist does: what is executed has the main thread of the process, where signals arrive.
        self._group = execnet.Group(execmodel="main_thread_only")
        self._channel = self._group.makegateway(_START).remote_exec(SERVE)
        self._channel.setcallback(self._on_message, endmarker=None)

    def hear_by(self, hear: Callable[[str, Any], None]) -> None:
        """Have `hear` called with each message, as ``(word, value)``; in the end, when the process is gone, with ``("gone", Ending)``.

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

    def keeps_last_words_in(self, folder: str) -> None:
        """Take note of where the process is told to leave what can be known of it when it is dead."""
        self._folder = folder

    def kill(self) -> None:
        """Have the process show its stacks, then end it and all that it has started; ``gone`` is heard of."""
        pid = self._pid
        if pid is not None and self._folder is not None:
            request_stacks(self._folder, pid)
        if self._pid == pid:  # Else it has been ended meanwhile, and its number may be another's.
            self._kill_group(pid)

    def end(self) -> None:
        """End the process and all that it has started, at once."""
        pid, self._pid = self._pid, None
        self._kill_group(pid)
        if pid is not None and self._folder is not None:
            last_words_path(self._folder, pid).unlink(missing_ok=True)
        self._group.terminate(timeout=0.0 if pid is None else EXIT_SECONDS)

    def _kill_group(self, pid: int | None) -> None:
        if pid is not None and hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def _on_message(self, message: tuple[str, Any] | None) -> None:
        word, content = message or ("gone", b"")
        if word == "up":
            self._pid = int(content)
            return
        value = self._ending() if word == "gone" else pickle.loads(content)
        with self._lock:
            if self._hear is None:
                self._unheard.append((word, value))
            else:
                self._hear(word, value)

    def _ending(self) -> Ending:
        """Return how the process ended: its status or its signal, or what its own code raised."""
        pid = self._pid
        stacks, memory_ran_out = ("", False) if pid is None or self._folder is None else examine(self._folder, pid)
        try:
            self._channel.waitclose(timeout=0)
        except execnet.RemoteError as error:
            return Ending(str(error).strip().splitlines()[-1], stacks=stacks)
        except (EOFError, execnet.TimeoutError):
            pass
        import psutil

        if pid is None:
            return Ending("it ended before it could say anything")
        try:
            status = psutil.Process(pid).wait(timeout=EXIT_SECONDS)
        except (psutil.NoSuchProcess, psutil.TimeoutExpired):
            return Ending("killed or crashed, signal unknown", stacks=stacks)
        if status == -signal.SIGKILL and memory_ran_out:
            return Ending("killed by SIGKILL, by the kernel, because memory ran out", Death.OUT_OF_MEMORY, stacks)
        cause = f"it exited with status {status}" if status >= 0 else f"killed by {signal_name(-status)}"
        return Ending(cause, stacks=stacks)
