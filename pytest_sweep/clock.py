"""The time, whatever trials have done to the clocks: freezegun, time-machine and a patched `time` change nothing here.

freezegun puts its own functions in the place of those of `time` in every module that has them, and a patch in the place of those that are
looked up; so the functions are kept in closures, where neither looks. time-machine changes `time.time` itself, so where that is far
from what a clock that nobody sets says, the operating system is asked.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
import time
from collections.abc import Callable

MOST_APART = 1.0
"""How many seconds `time.time` may be apart from the time since the start of the process, before the operating system is asked."""


def _clocks() -> tuple[Callable[[], float], Callable[[], float]]:
    counter, patchable, system = time.perf_counter, time.time, _system_clock()
    now = system()
    if now is None:
        now = patchable()
    offset = now - counter()

    def wall() -> float:
        nonlocal offset
        expected, said = counter() + offset, patchable()
        if -MOST_APART < said - expected < MOST_APART:
            return said
        # The clock was set, or the machine slept; or somebody travels in time.
        true = system()
        if true is None:
            return expected
        offset += true - expected
        return true

    def monotonic() -> float:
        return counter()

    return wall, monotonic


def _system_clock() -> Callable[[], float | None]:
    """Return what asks the operating system for the time, past Python; it returns None where there is no such way."""

    class Timespec(ctypes.Structure):
        _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))

    function = None
    with contextlib.suppress(AttributeError, OSError, TypeError):
        function = ctypes.CDLL(None).clock_gettime

    def now() -> float | None:
        found = Timespec()
        if function is None or function(0, ctypes.byref(found)) != 0:
            return None
        return float(found.seconds + found.nanoseconds * 1e-9)

    return now


_wall, _monotonic = _clocks()


def wall() -> float:
    """Return the seconds since the epoch."""
    return _wall()


def monotonic() -> float:
    """Return seconds by a clock that is never set. Only differences mean something, and only in one process."""
    return _monotonic()


def pause(seconds: float) -> None:
    """Wait. `time.sleep` may be patched, and not come back, or come back at once."""
    threading.Event().wait(seconds)
