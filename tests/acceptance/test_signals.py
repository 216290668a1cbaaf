"""SIGTERM and SIGHUP end a run as Ctrl-C does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import psutil
import pytest

from tests.support.sessions import Session, wait_for

from .project import Project

SLOW = """
    import subprocess, sys, time

    @sweep(grid={"n": list(range(30))})
    def train(n, trial):
        if n >= 4:
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            time.sleep(600)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_it_is_an_interrupt(project: Project, start: Callable[..., Session], executor: str, name: str) -> None:
    """The signal ends the run with status 2 and its tables; what was finished is stored, the rest not run, no process is left."""
    project.write(SLOW)
    session = start(f"--sweep-executor={executor}", "--sweep-max-concurrent=2", "-v")
    wait_for(lambda: len(session.finished()) == 4, "four finished trials")
    wait_for(lambda: any("sleep" in " ".join(child.cmdline()) for child in session.family()), "a trial that sleeps")
    family = session.family()
    os.kill(session.process.pid, getattr(signal, name))
    assert session.wait() == 2
    assert f"interrupted by {name}" in session.output
    assert "Number of trials: 30 (4 TERMINATED, 26 NOT_RUN)" in session.output
    states = [str(result.state) for result in session.results()["train"]]
    assert (states.count("TERMINATED"), states.count("NOT_RUN")) == (4, 26)
    if executor == "processes":  # Inline they are the trial's own, as with any test.
        assert psutil.wait_procs(family, timeout=10)[1] == []
    else:
        for child in family:
            child.kill()


def test_nohup_is_respected(project: Project, start: Callable[..., Session]) -> None:
    """A run that was started with nohup goes on after SIGHUP."""
    project.write("""
        import time

        @sweep(grid={"n": [1]})
        def train(n, trial):
            import signal
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    """)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        session = start("--sweep-executor=inline")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert session.wait() == 0
