"""Sweeps whose processes crash at random: nothing is lost, doubled, or blamed on the wrong trial."""

from __future__ import annotations

import os

import pytest

from tests.support.crashes import CrashingSweep

from .project import Project

RUNS = int(os.environ.get("SWEEP_SOAK", "3"))
"""How many sweeps crash; a few each time, some hundreds before a release: ``SWEEP_SOAK=200 pytest -n 2 tests/acceptance/test_soak.py``."""

DIED = "the worker died while it ran the trial:"
CAUSES = {
    "SIGKILL": f"{DIED} killed by SIGKILL",
    "SIGSEGV": f"{DIED} killed by SIGSEGV",
    "SIGABRT": f"{DIED} killed by SIGABRT",
    "exit": f"{DIED} it exited with status 7",
}


@pytest.mark.parametrize("seed", range(RUNS))
def test_random_crashes(project: Project, seed: int) -> None:
    """Each trial has exactly the reports that it made, those that died are the ones that fail, and all others pass."""
    CrashingSweep(seed, CAUSES, quiet_seconds=0.5).run(project, "--sweep-executor=processes")
