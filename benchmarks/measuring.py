"""Runs a whole process and says what it took: seconds to its end, and CPU of all that it has started. Knows no case."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

Sample = dict[str, float]
"""What one run of a contestant has given, by name; ``seconds`` is what ratios are made of, unless a mark names another one."""

_PR_SET_CHILD_SUBREAPER = 36
_STRAGGLERS_SECONDS = 20.0
_UNWANTED = ("RAY_", "PYTEST_", "TOX_", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
"""Not the environment of a user. Without bytecode, this project's modules would be compiled at every start, and no peer's would."""


class FailedError(Exception):
    """A contestant did not do its work, so that its time is none."""


def adopt_orphans() -> None:
    """Have this process inherit what its children leave behind, so that all their CPU is counted and none of it outlives a run."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of all contestants: this one, without what tells pytest or Ray to behave unusually; Ray wants tokens."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(_UNWANTED)}
    root = str(Path(__file__).parent.parent)
    return {**own, "PYTHONPATH": root, "RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0", **more}


def run_process(command: Sequence[str], folder: Path, environ: Mapping[str, str], timeout: float) -> Sample:
    """Run `command` to its end and return its ``seconds``, and the ``cpu`` seconds of it and its descendants.

    The time ends with the process, as it does for who waits for the prompt; the CPU is counted when the last descendant has ended. That of
    Ray's workers is not in it: the raylet does not wait for them, so that nobody is told what they have used.

    Raises:
        FailedError: it exits with another status than 0, or not within `timeout` seconds.
    """
    before, output, others = _children_cpu(), folder / "output.txt", _children()
    with output.open("wb") as stream:
        began = time.monotonic()
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT
        )
        try:
            status: int | str = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = f"none after {timeout:.0f} s"
        ended = time.monotonic()
    _reap(others)
    if status != 0:
        said = output.read_text(encoding="utf-8", errors="replace")
        raise FailedError(f"{' '.join(command)} ended with status {status}:\n{said[-3000:]}")
    return {
        "seconds": ended - began,
        "cpu": _children_cpu() - before,
        "ended": time.time() - (time.monotonic() - ended),
    }


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reap(others: Collection[int]) -> None:
    """Wait for what the process has left behind, which is ours now; end what does not end by itself."""
    deadline = time.monotonic() + _STRAGGLERS_SECONDS
    while left := [child for child in _children() if child not in others]:
        for child in left:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                if time.monotonic() > deadline:
                    os.kill(child, signal.SIGKILL)
                os.waitpid(child, os.WNOHANG)
        time.sleep(0.02)


def _children() -> list[int]:
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(pid) for pid in listed.read_text().split()] if listed.exists() else []
