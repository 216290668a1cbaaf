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
from dataclasses import replace
from pathlib import Path
from typing import Any

import execnet

from pytest_sweep.wire.lastwords import Ending, Found, examine, request_stacks, signal_name

DEATH_SECONDS = 10.0
"""How long a process is waited for that says nothing more: it is about to end, or has closed its pipe and lives on."""

FORCED_SECONDS = 60.0
"""After how long execnet itself kills a process that is to exit: long after we have."""

MOST_UNREAD = 2**20
"""How many bytes of events may wait for the driver's main thread; then no more are read, and the process has to wait."""

SERVE = "from pytest_sweep.executors.processes.serving import serve; serve(channel)"
"""What a new process executes. Not imported here: the driver has no use for all that a worker imports."""

_START = f"popen//python={shlex.quote(sys.executable)} {shlex.quote(str(Path(__file__).with_name('bootstrap.py')))}"


class WorkerProcess:
    """A process that answers orders. It is started at once, and imports what it needs while nobody wants anything of it yet.

    Attributes:
        is_leaving: whether it was told to end by itself.
    """

    def __init__(self) -> None:
        self._hear: Callable[[str, Any], None] | None = None
        self._unheard: list[tuple[str, Any]] = []
        self._pid: int | None = None
        self._folder: str | None = None
        self._lock = threading.Lock()
        self._unread = 0
        self._is_read = threading.Condition()
        self.is_leaving = self._is_unwanted = False
        # As pytest-xdist does: what is executed has the main thread of the process, where signals arrive.
        self._group = execnet.Group(execmodel="main_thread_only")
        self._channel = self._group.makegateway(_START).remote_exec(SERVE)
        self._channel.setcallback(self._on_message, endmarker=None)

    def hear_by(self, hear: Callable[[str, Any], None]) -> None:
        """Have `hear` called with each message, as ``(word, value)``; in the end, when the process is gone, with ``("gone", Ending)``.

        It is called in a thread of execnet's; for what was said before, at once. Who has read ``events`` says so by `has_read`.
        """
        with self._lock:
            self._hear = hear
            for word, value in self._unheard:
                hear(word, value)

    def has_read(self, content: bytes) -> None:
        """Take note that events were read, so that more can be taken."""
        with self._is_read:
            self._unread -= len(content)
            self._is_read.notify_all()

    def send(self, word: str, value: object) -> None:
        """Give an order; one to a process that is gone is not heard of again, but ``gone`` is."""
        with contextlib.suppress(OSError):
            self._channel.send((word, pickle.dumps(value)))

    def keeps_last_words_in(self, folder: str) -> None:
        """Take note of where the process is told to leave what can be known of it when it is dead."""
        self._folder = folder

    def leave(self) -> None:
        """Have the process end by itself, and wait until it has; ``gone`` is heard of before what it has started is ended, too."""
        pid, self.is_leaving = self._pid, True
        self._group.terminate(timeout=FORCED_SECONDS)
        if self._pid == pid:
            self._end_group(pid, grace=True)
            self._pid = None

    def kill(self, *, shows_stacks: bool = True) -> None:
        """Have the process show its stacks, then end it and all that it has started; ``gone`` is heard of."""
        pid = self._pid
        if shows_stacks and pid is not None and self._folder is not None:
            request_stacks(self._folder, pid)
        if self._pid == pid:  # Else it has been ended meanwhile, and its number may be another's.
            self._end_group(pid)

    def end(self) -> None:
        """End the process and all that it has started, at once."""
        pid, self._pid = self._pid, None
        with self._is_read:
            self._is_unwanted = True
            self._is_read.notify_all()
        self._end_group(pid)
        if pid is not None and self._folder is not None:
            examine(self._folder, pid)
        self._group.terminate(timeout=0.0 if pid is None else DEATH_SECONDS)

    def _end_group(self, pid: int | None, *, grace: bool = False) -> None:
        if pid is not None:
            from pytest_sweep.executors.groups import GRACE_SECONDS, end_group

            end_group(pid, GRACE_SECONDS if grace else 0.0)

    def _on_message(self, message: tuple[str, Any] | None) -> None:
        word, content = message or ("gone", b"")
        if word == "up":
            self._pid = int(content)
        value = content
        if word == "gone":
            value = self._ending()
        elif word == "answer":
            value = pickle.loads(content)  # Of our own: what users have made is in it as bytes.
        elif word == "events":
            with self._is_read:
                self._is_read.wait_for(lambda: self._unread <= MOST_UNREAD or self._is_unwanted)
                self._unread += len(content)
        with self._lock:
            if self._hear is None:
                self._unheard.append((word, value))
            else:
                self._hear(word, value)

    def _ending(self) -> Ending:
        """Return how the process ended: its status or its signal, or what its own code raised."""
        pid = self._pid
        if pid is None:
            status = None
        elif self.is_leaving:
            status = _exited(pid)
        else:
            status = _status(pid)
        found = Found() if pid is None or self._folder is None else examine(self._folder, pid)
        return replace(self._judged(pid, status, found), unheard=found.unheard, sections=found.sections)

    def _judged(self, pid: int | None, status: int | None, found: Found) -> Ending:
        try:
            self._channel.waitclose(timeout=0)
        except execnet.RemoteError as error:
            return Ending(str(error).strip().splitlines()[-1], stacks=found.stacks)
        except (EOFError, execnet.TimeoutError):
            pass
        if pid is None:
            return Ending("it ended before it could say anything")
        if status is None:
            return Ending("killed or crashed, signal unknown", stacks=found.stacks)
        if status == -signal.SIGKILL:
            return found.killed("killed by SIGKILL")
        cause = f"it exited with status {status}" if status >= 0 else f"killed by {signal_name(-status)}"
        return Ending(cause, stacks=found.stacks)


def _exited(pid: int) -> int:
    """Wait for a process that is to end by itself, however long it takes: who told it so kills it in time."""
    if hasattr(os, "waitid"):
        with contextlib.suppress(ChildProcessError):  # It has ended already.
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    else:  # macOS and Windows; slower, because psutil is imported for it, and looks from time to time.
        import psutil

        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).wait()
    return 0


def _status(pid: int) -> int | None:
    """Wait for a process that is about to end; return its exit status, negative for a signal, or None where it is not known."""
    import psutil

    try:
        status = psutil.Process(pid).wait(timeout=DEATH_SECONDS)
    except (psutil.NoSuchProcess, psutil.TimeoutExpired):
        return None
    return None if status is None else int(status)
