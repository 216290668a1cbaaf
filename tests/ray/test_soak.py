"""Sweeps whose actors crash at random: nothing is lost, doubled, or blamed on the wrong trial. They share one Ray."""

from __future__ import annotations

import os

import pytest

from tests.acceptance.project import Project
from tests.support.crashes import CrashingSweep

RUNS = max(1, int(os.environ.get("SWEEP_SOAK", "16")) // 8)
"""How many sweeps crash. A process takes many times longer to replace than without Ray, so there are fewer of them."""

DIED = "the worker died while it ran the trial:"
UNKNOWN = f"{DIED} killed or crashed, signal unknown"
CAUSES = {
    "SIGKILL": UNKNOWN,
    "exit": UNKNOWN,
    "SIGSEGV": f"{DIED} killed by SIGSEGV",
    "SIGABRT": f"{DIED} killed by SIGABRT",
}

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("shared_ray")]


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """An empty project."""
    return Project(pytester)


@pytest.mark.parametrize("seed", range(RUNS))
def test_random_crashes(project: Project, seed: int) -> None:
    """Each trial has exactly the reports that it made a second before its death, those that died fail, and all others pass."""
    CrashingSweep(seed, CAUSES, quiet_seconds=1.0).run(project, "--sweep-executor=ray")
