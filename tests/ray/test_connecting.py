"""Ctrl-C while Ray is being started or joined: the session ends at once and leaves no process."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.sessions import Session, wait_for

SWEEP = """
    from pytest_sweep import sweep

    @sweep(grid={"n": [1]})
    def train(n):
        return n
"""
PROMPT_SECONDS = 15.0
"""Within which a session ends on a busy machine; Ray itself takes longer to start, and for minutes for a head that is silent."""


def interrupt(session: Session) -> None:
    """Press Ctrl-C, and hold the session to its prompt end without processes."""
    family = session.family()
    session.interrupt()
    began = time.monotonic()
    assert session.wait() == 2, session.output
    assert time.monotonic() - began < PROMPT_SECONDS, session.output
    assert "KeyboardInterrupt" in session.output
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


@pytest.mark.parametrize("process", ["gcs_server", "raylet", "agent"])
def test_while_ray_starts(pytester: pytest.Pytester, start: Callable[..., Session], process: str) -> None:
    """People are told that Ray starts; an interrupt ends it with all its processes, however far it is, and deletes its folder."""
    pytester.makepyfile(SWEEP)
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        session = start(RAY_ADDRESS="", RAY_TMPDIR=short)

        def has_started() -> bool:
            return any(process in " ".join(_command(child)) for child in session.family())

        wait_for(lambda: "Starting Ray..." in session.output, "the line")
        wait_for(has_started, process)
        interrupt(session)
        assert session.output.count("Starting Ray...") == 1
        assert list(Path(short).iterdir()) == []


def test_while_a_head_is_silent(pytester: pytest.Pytester, start: Callable[..., Session]) -> None:
    """An address that takes connections and says nothing is given up at once; people are told what is waited for."""
    pytester.makepyfile(SWEEP)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        session = start(f"--sweep-address={address}", RAY_AUTH_MODE="disabled")
        with silent.accept()[0]:
            wait_for(lambda: f"Joining the Ray cluster at {address}..." in session.output, "the line")
            interrupt(session)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
