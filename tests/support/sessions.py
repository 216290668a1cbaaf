"""Sessions of pytest --sweep in processes of their own, to be watched, interrupted and killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pytest_sweep import load_results
from pytest_sweep.results import SweepResults

LIMIT = 90.0
"""Seconds after which a condition that a test waits for will not come any more: starting Ray on a busy machine takes up to 30."""


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until `condition` is true; fail naming `what` where it is not in time."""
    limit = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > limit:
            pytest.fail(f"waited {LIMIT:g} s in vain for {what}")
        time.sleep(0.05)


class Session:
    """A ``pytest --sweep`` in a process of its own, whose output is read while it runs.

    Args:
        folder: where it runs.
        args: further arguments of pytest.
        on: makes a command one that runs on another machine.
        environ: variables that it has besides ours.
    """

    def __init__(
        self, folder: Path, *args: str, on: Callable[..., list[str]] = lambda *command: [*command], **environ: str
    ) -> None:
        self.folder = folder
        self._output = (folder / "output.txt").open("w+")
        env = {**os.environ, "HOME": str(Path.home()), **environ}
        env.pop("PYTHONUNBUFFERED", None)  # What is read here while it runs is what people see in a pipe.
        command = on(sys.executable, "-m", "pytest", "--sweep", "-p", "no:cacheprovider", *args)
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=self._output, stderr=subprocess.STDOUT, env=env, start_new_session=True
        )

    @property
    def output(self) -> str:
        """What it has written so far."""
        return (self.folder / "output.txt").read_text()

    def finished(self) -> list[str]:
        """Return the names of the trials that ``-v`` has shown as passed."""
        return re.findall(r"::(\S+) PASSED", self.output)

    def wait(self) -> int:
        """Wait for its end and return its exit status; of one that does not end, show the stacks."""
        try:
            return self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # pytest's faulthandler writes the stacks of all threads.
            self.process.wait(LIMIT)
            pytest.fail(f"it did not end within {LIMIT:g} s:\n{self.output}")

    def interrupt(self) -> None:
        """Press Ctrl-C, which a terminal sends to every process of the group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def results(self) -> SweepResults:
        """Return what it has stored."""
        return load_results(dir=self.folder / "sweep_results")

    def close(self) -> None:
        """End it, with every process that it has started."""
        family = [self.process.pid, *(child.pid for child in self.family())]
        for pid in family:
            kill(pid)
        self.process.wait(LIMIT)
        self._output.close()

    def family(self) -> list[psutil.Process]:
        """Return the processes that descend from it."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []


def kill(pid: int) -> None:
    """Kill a process that may be gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
