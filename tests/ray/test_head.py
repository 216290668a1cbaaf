"""The head of a cluster dies in mid-run."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import psutil
import pytest

from tests.support.sessions import Session, wait_for

PROJECT = """
import time
from pytest_sweep import sweep

@sweep(grid={"n": list(range(200))})
def train(n):
    time.sleep(0.5)
    return n
"""


@pytest.mark.slow
def test_a_lost_head(pytester: pytest.Pytester, start: Callable[..., Session]) -> None:
    """The run ends itself before Ray would end the process, and says why; what was finished is stored, what ran on meanwhile too."""
    pytester.makepyfile(PROJECT)
    pytester.makeini("[pytest]\n")
    session = start("-v", RAY_ADDRESS="")  # One of its own, whatever the tests share.
    wait_for(lambda: len(session.finished()) >= 2, "two finished trials")
    (head,) = [process for process in session.family() if process.name() == "gcs_server"]
    began = time.monotonic()
    head.send_signal(signal.SIGKILL)
    assert session.wait() == 2
    assert time.monotonic() - began < 55
    assert "has not answered for" in session.output
    finished = session.finished()
    assert len(finished) > 10
    states = {result.name: str(result.state) for result in session.results()["train"]}
    assert {states[name] for name in finished} == {"TERMINATED"}
    assert set(states.values()) <= {"TERMINATED", "INTERRUPTED", "NOT_RUN"}
    assert psutil.wait_procs(session.family(), timeout=10)[1] == []
