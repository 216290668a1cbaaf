"""The executor ray keeps the contract of all executors."""

from __future__ import annotations

from typing import ClassVar

import pytest

from pytest_sweep.testing.executor_contract import ExecutorContract
from pytest_sweep.testing.exit_contract import ExitContract
from pytest_sweep.testing.fault_contract import FaultContract


@pytest.mark.usefixtures("shared_ray")
class TestRay(ExecutorContract):
    """In actors of a Ray that runs already."""

    arguments: ClassVar = ["--sweep-executor=ray"]


@pytest.mark.usefixtures("shared_ray")
class TestFaultsOnRay(FaultContract):
    """Actors of Ray die, hang and are cut off."""

    arguments: ClassVar = ["--sweep-executor=ray"]
    knows_signals = False


@pytest.mark.usefixtures("shared_ray")
class TestEndsOnRay(ExitContract):
    """Actors of Ray end by themselves, though Ray would end their children first."""

    arguments: ClassVar = ["--sweep-executor=ray"]
    executor = "pytest_sweep.executors.ray.executor:RayExecutor"
