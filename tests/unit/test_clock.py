"""Our clocks tell the time, whatever a test has done to those of Python."""

from __future__ import annotations

import datetime
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import time_machine
from freezegun import freeze_time

from pytest_sweep import clock


@contextmanager
def _patched() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "sleep", "clock_gettime"):
            patch.setattr(time, name, lambda *_: 0)
        yield


FROZEN: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "freezegun": lambda: freeze_time("2012-01-14"),
    "freezegun, ticking": lambda: freeze_time("2012-01-14", tick=True),
    "freezegun, stepping": lambda: freeze_time("2012-01-14", auto_tick_seconds=3600),
    "time-machine": lambda: time_machine.travel("2012-01-14", tick=False),
    "time-machine, ticking": lambda: time_machine.travel(datetime.timedelta(days=400)),
    "monkeypatch": _patched,
}


@pytest.mark.parametrize("frozen", FROZEN.values(), ids=FROZEN)
def test_the_time_goes_on(frozen: Callable[[], AbstractContextManager[Any]]) -> None:
    """In each way to stop or shift time, our wall clock is right, and ours of durations goes on at its pace."""
    began, wall = clock.monotonic(), clock.wall()
    with frozen():
        inside = [(clock.monotonic(), clock.wall())]
        clock.pause(0.02)
        inside.append((clock.monotonic(), clock.wall()))
    for monotonic, now in inside:
        assert 0 <= monotonic - began < 60
        assert abs((now - wall) - (monotonic - began)) < 1
    assert 0.015 < inside[1][0] - inside[0][0] < 30
    assert abs(clock.wall() - time.time()) < 1


def test_it_is_right_where_it_is_imported_late() -> None:
    """Imported while time-machine travels, as by a plugin that starts in a frozen session, the clock is right, too."""
    code = (
        "import time_machine\n"
        "with time_machine.travel('2012-01-14', tick=False):\n"
        "    from pytest_sweep import clock\n"
        "    print(clock.wall())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert abs(float(done.stdout) - time.time()) < 60


def test_it_agrees_with_pythons() -> None:
    """Where nobody has changed anything, it tells what `time.time` tells."""
    assert abs(clock.wall() - time.time()) < 0.1
