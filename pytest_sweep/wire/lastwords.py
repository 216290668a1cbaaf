"""What can still be known of a worker when it is stuck or dead: a file beside it, written by faulthandler, read from outside.

faulthandler works in C, without Python's lock: it shows a trial that hangs in a C loop, and writes where a segmentation fault was.
Read by a process of the same machine: the driver for processes of its own, a helper on each node of a cluster. Knows no pytest.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pytest_sweep import clock
from pytest_sweep.model.events import Death

DUMP_SECONDS = 2.0
"""How long a process is given to show its stacks; it takes a tenth of a second, unless the machine is out of breath."""

# A real-time signal, which a trial's own code hardly uses; where there is none, as on macOS, the last of the ordinary ones.
_SIGNAL: int = signal.SIGRTMAX - 2 if hasattr(signal, "SIGRTMAX") else getattr(signal, "SIGUSR2", 0)
_OUR_THREADS = (
    "pytest_sweep/wire/outbox.py",
    "pytest_sweep/worker/output.py",
    "execnet/gateway_base.py",
    "ray/_private/",
)
_END_OF_USERS_CODE = ("pytest_sweep/worker/body.py", "_pytest/python.py", "_pytest/fixtures.py")
_MOST_STACK_CHARACTERS = 20_000


@dataclass(frozen=True)
class Ending:
    """How a worker's process ended.

    Attributes:
        cause: in words.
        kind: the sort of death.
        stacks: what its threads did, or "".
    """

    cause: str
    kind: Death = Death.CRASH
    stacks: str = ""


def last_words_path(folder: str, pid: int) -> Path:
    """Return the file of the process `pid` of this machine; `folder` is the run's folder for temporary files."""
    return Path(folder, f"{socket.gethostname()}-{pid}.lastwords")


class LastWords:
    """The process's side, a plugin of its session: opened once at its start, and never closed, since it is for its end.

    A session that comes to its end deletes the file: nobody will ask what became of it. Else whoever ends the process does.
    """

    def __init__(self, folder: str) -> None:
        self._path = last_words_path(folder, os.getpid())
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = self._path.open("w")
        self._file.write(f"{oom_kills()}\n")
        self._file.flush()
        if _SIGNAL:
            faulthandler.register(_SIGNAL, file=self._file, all_threads=True)

    def pytest_sessionstart(self) -> None:
        """Have crashes written here, now that pytest has had them written to its terminal."""
        faulthandler.enable(file=self._file, all_threads=True)

    def pytest_unconfigure(self) -> None:
        """Delete the file, which may stand on a machine that nobody else tidies up."""
        with contextlib.suppress(
            OSError
        ):  # Windows keeps what is open: there the run's folder goes as a whole, some day.
            self._path.unlink()


def request_stacks(folder: str, pid: int) -> None:
    """Have a process of this machine show the stacks of its threads, and wait until it has, `DUMP_SECONDS` at the most."""
    path = last_words_path(folder, pid)
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


def examine(folder: str, pid: int) -> tuple[str, bool]:
    """Return what a process of this machine has left, and delete it: its stacks, and whether memory ran out while it lived."""
    path = last_words_path(folder, pid)
    try:
        first, _, stacks = path.read_text(errors="replace").partition("\n")
    except OSError:
        return "", False
    path.unlink(missing_ok=True)
    return readable(stacks), first.isdigit() and oom_kills() > int(first)


def readable(stacks: str) -> str:
    """Return stacks as faulthandler writes them, without our own threads, and without pytest's frames below the user's code."""
    kept: list[str] = []
    for part in re.split(r"(?m)^(?=(?:Current thread|Thread|Fatal Python error|Extension modules)\b)", stacks):
        if part.startswith("Extension modules") or any(name in part for name in _OUR_THREADS):
            continue
        lines = part.splitlines()
        cut = next(
            (place for place, line in enumerate(lines) if any(name in line for name in _END_OF_USERS_CODE)), None
        )
        kept += lines if cut is None else [*lines[:cut], "  ... and pytest's own frames"]
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


def signal_name(number: int) -> str:
    """Return ``SIGKILL`` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:  # Most real-time signals have no name.
        return f"signal {number}"
