"""What can still be known of a worker when it is stuck or dead: a folder with its stacks, its last events and its output.

The stacks are written by faulthandler, which works in C, without Python's lock: it shows a trial that hangs in a C loop, and writes where a
segmentation fault was. The events are the `spool`'s, the output is `captured`.
Read by a process of the same machine: the driver for processes of its own, a helper on each node of a cluster. Knows no pytest.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import os
import re
import shutil
import signal
import socket
from dataclasses import dataclass
from glob import escape as glob_escape
from pathlib import Path
from typing import TextIO

from pytest_sweep import clock
from pytest_sweep.model.events import Death
from pytest_sweep.wire.captured import Section, read_captured
from pytest_sweep.wire.spool import Numbered, read_spool

DUMP_SECONDS = 2.0
"""How long a process is given to show its stacks; it takes a tenth of a second, unless the machine is out of breath."""

# A real-time signal, which a trial's own code hardly uses; where there is none, as on macOS, the last of the ordinary ones.
_SIGNAL: int = signal.SIGRTMAX - 2 if hasattr(signal, "SIGRTMAX") else getattr(signal, "SIGUSR2", 0)
_FIRST_PIDS = "pid:[4026531836]"
"""Linux's name of the pids that the kernel itself goes by; those of a container are others."""

_OUR_THREADS = (
    "pytest_sweep/wire/outbox.py",
    "pytest_sweep/worker/output.py",
    "execnet/gateway_base.py",
    "pytest_sweep/executors/ray/workers/listener.py",
    "in _thread_receiver",  # execnet again: its code has no file in the processes that it starts.
    "ray/_private/",
)
_END_OF_USERS_CODE = (
    "pytest_sweep/worker/body.py",
    "pytest_sweep/executors/ray/workers/leaving.py",
    "_pytest/python.py",
    "_pytest/fixtures.py",
)
_MOST_STACK_CHARACTERS = 20_000
_STACKS = "stacks"


@dataclass(frozen=True)
class Ending:
    """How a worker's process ended.

    Attributes:
        cause: in words.
        kind: the sort of death.
        stacks: what its threads did, or "".
        unheard: events that it had spooled, and that may not have arrived.
        sections: the captured output of the trial that it ran.
    """

    cause: str
    kind: Death = Death.CRASH
    stacks: str = ""
    unheard: tuple[Numbered, ...] = ()
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Found:
    """What a process that is gone has left.

    Attributes:
        stacks: what its threads did, or "".
        was_out_of_memory: whether the kernel names it as killed because memory ran out.
        memory_ran_out: whether the kernel has killed some process for that while it lived: this one, or another.
        unheard: events that it had spooled, and that may not have arrived.
        sections: the captured output of the trial that it ran.
    """

    stacks: str = ""
    was_out_of_memory: bool = False
    memory_ran_out: bool = False
    unheard: tuple[Numbered, ...] = ()
    sections: tuple[Section, ...] = ()

    def killed(self, cause: str) -> Ending:
        """Return how it ended, where nobody else says why: `cause` is what is known."""
        if self.was_out_of_memory:
            return Ending(f"{cause} by the kernel, because memory ran out", Death.OUT_OF_MEMORY, self.stacks)
        if self.memory_ran_out:
            cause += ", possibly because memory ran out: the kernel has killed a process for that meanwhile, and does not say which"
        return Ending(cause, stacks=self.stacks)


def last_words_folder(folder: str, pid: int) -> Path:
    """Return the folder of the process `pid` of this machine; `folder` is the run's folder for temporary files."""
    return Path(folder, f"{socket.gethostname()}-{pid}.lastwords")


def make_last_words_folder(folder: str) -> Path:
    """Make the folder of this process, and return it. What an earlier process of the same number has left there is deleted."""
    own = last_words_folder(folder, os.getpid())
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    return own


def delete_last_words(folder: str) -> None:
    """Delete what processes of this machine have left in the run's folder for temporary files, and nobody has asked for."""
    for left in Path(folder).glob(f"{glob_escape(socket.gethostname())}-*.lastwords"):
        shutil.rmtree(left, ignore_errors=True)


class LastWords:
    """The process's side, a plugin of its session: opened once at its start, and never closed, since it is for its end.

    A process that comes to its end deletes the folder: nobody will ask what became of it. Else whoever ends the process does.

    Args:
        folder: the folder of this process, as `make_last_words_folder` has made it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pid = os.getpid()
        self._file: TextIO = (folder / _STACKS).open("w")
        self._file.write(f"{oom_kills()}\n")
        self._file.flush()
        atexit.register(self._delete)
        if _SIGNAL:
            faulthandler.register(_SIGNAL, file=self._file, all_threads=True)

    def pytest_sessionstart(self) -> None:
        """Have crashes written here, now that pytest has had them written to its terminal."""
        faulthandler.enable(file=self._file, all_threads=True)

    def _delete(self) -> None:
        """Delete the folder, which may stand on a machine that nobody else tidies up: last of all, for exit handlers may hang, too."""
        if os.getpid() == self._pid:  # A forked child may run exit handlers, too.
            shutil.rmtree(
                self._folder, ignore_errors=True
            )  # Windows keeps what is open: the run's folder goes as a whole, some day.


def request_stacks(folder: str, pid: int) -> None:
    """Have a process of this machine show the stacks of its threads, and wait until it has, `DUMP_SECONDS` at the most."""
    path = last_words_folder(folder, pid) / _STACKS
    with contextlib.suppress(OSError):
        before = path.stat().st_size
        os.kill(pid, _SIGNAL)
        deadline = clock.monotonic() + DUMP_SECONDS
        size = before
        while clock.monotonic() < deadline:
            clock.pause(0.05)
            now = path.stat().st_size
            if now > before and now == size:
                return
            size = now


def examine(folder: str, pid: int) -> Found:
    """Return what a process of this machine has left, and delete it."""
    left = last_words_folder(folder, pid)
    try:
        first, _, stacks = (left / _STACKS).read_text(errors="replace").partition("\n")
    except OSError:
        return Found()
    unheard, sections = read_spool(left), read_captured(left)
    shutil.rmtree(left, ignore_errors=True)
    ran_out = first.isdigit() and oom_kills() > int(first)
    return Found(readable(stacks), ran_out and _is_named_by_kernel(pid), ran_out, tuple(unheard), sections)


def readable(stacks: str) -> str:
    """Return stacks as faulthandler writes them, without our own threads, and without pytest's frames below the user's code."""
    kept: list[str] = []
    for part in re.split(r"(?m)^(?=(?:Current thread|Thread|Fatal Python error|Extension modules)\b)", stacks):
        if part.startswith("Extension modules"):
            continue
        lines = part.splitlines()
        cut = next(
            (place for place, line in enumerate(lines) if any(name in line for name in _END_OF_USERS_CODE)), None
        )
        users = lines if cut is None else [*lines[:cut], "  ... and pytest's own frames"]
        if not any(name in line for name in _OUR_THREADS for line in users):
            kept += users
    text = "\n".join(line for line in kept if line.strip())
    return text if len(text) <= _MOST_STACK_CHARACTERS else f"{text[:_MOST_STACK_CHARACTERS]}\n... and more"


def oom_kills() -> int:
    """Return how many processes the kernel has killed for memory: in this control group where that is told, else on this machine."""
    for path, name in ((Path("/sys/fs/cgroup/memory.events"), "oom_kill"), (Path("/proc/vmstat"), "oom_kill")):
        with contextlib.suppress(OSError, ValueError):
            for line in path.read_text().splitlines():
                key, _, value = line.partition(" ")
                if key == name:
                    return int(value)
    return 0


def _is_named_by_kernel(pid: int) -> bool:
    """Say whether the kernel's log names a process as killed for memory: mostly only root may read it, and not in a container."""
    with contextlib.suppress(OSError):
        if os.readlink("/proc/self/ns/pid") != _FIRST_PIDS:  # noqa: PTH115 - it is no path
            return False
        log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        try:
            while line := os.read(log, 8192):
                if f"Killed process {pid} ".encode() in line:
                    return True
        finally:
            os.close(log)
    return False


def signal_name(number: int) -> str:
    """Return ``SIGKILL`` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:  # Most real-time signals have no name.
        return f"signal {number}"
