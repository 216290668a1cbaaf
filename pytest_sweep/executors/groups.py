"""What is left of a process group when its leader has ended: given a moment where it only tidies up, then killed."""

from __future__ import annotations

import contextlib
import os
import signal

from pytest_sweep import clock

GRACE_SECONDS = 1.0
"""How long a process that only tidies up may take, once its leader is gone; it takes some milliseconds."""

POLL_SECONDS = 0.01

TRACKER = "resource_tracker"
"""What the command of a process has in it that unlinks shared memory and semaphores when those that made them are gone: multiprocessing's,
and loky's. Killed with the others it would leave them behind."""


def end_group(leader: int, grace: float = 0.0) -> None:
    """Kill the process group of `leader`, which leads one of its own.

    Args:
        leader: its process; it may have ended.
        grace: for how many seconds its members may go on that end by themselves, when the leader is gone.
    """
    if not hasattr(os, "killpg") or not _exists(leader):
        return
    _wait_for_end(leader, _members(leader), grace)
    trackers = {pid for pid in _members(leader) if _is_tracker(pid)}
    if not trackers:
        _kill_group(leader)
        return
    for pid in _members(leader):
        if pid not in trackers:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
    _wait_for_end(leader, trackers, GRACE_SECONDS)
    _kill_group(leader)


def end_others(leader: int, grace: float) -> None:
    """Kill the other members of the process group that this process leads, but for those that only tidy up after it.

    Args:
        leader: this process.
        grace: for how many seconds they may go on that end by themselves.
    """
    others = {pid for pid in _members(leader) if pid != leader and not _is_tracker(pid)}
    _wait_for_end(leader, others, grace)
    for pid in others & _members(leader):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _exists(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS, of a group in which only zombies are left.
        return False
    return True


def _wait_for_end(leader: int, pids: set[int], seconds: float) -> None:
    """Wait until none of `pids` is a living member of the group any more."""
    deadline = clock.monotonic() + seconds
    while pids & _members(leader) and clock.monotonic() < deadline:
        clock.pause(POLL_SECONDS)


def _members(leader: int) -> set[int]:
    """Return the living members of a group."""
    import psutil

    found = set()
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getpgid(pid) == leader and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.add(pid)
    return found


def _is_tracker(pid: int) -> bool:
    import psutil

    try:
        return any(TRACKER in part for part in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
