"""All executors keep one contract; that of Ray is in tests/ray, which needs a cluster."""

from __future__ import annotations

from typing import ClassVar

from pytest_sweep.testing.executor_contract import ExecutorContract
from pytest_sweep.testing.exit_contract import ExitContract
from pytest_sweep.testing.fault_contract import FaultContract


class TestInline(ExecutorContract):
    """In the driver's own process."""

    arguments: ClassVar = ["--sweep-executor=inline"]
    in_driver = True


class TestProcesses(ExecutorContract):
    """In processes of this machine."""

    arguments: ClassVar = ["--sweep-executor=processes", "--sweep-max-concurrent=2"]


class TestFaultsInProcesses(FaultContract):
    """Processes of this machine die, hang and are cut off."""

    arguments: ClassVar = ["--sweep-executor=processes", "--sweep-max-concurrent=2"]


class TestEndsInProcesses(ExitContract):
    """Processes of this machine end by themselves."""

    arguments: ClassVar = ["--sweep-executor=processes", "--sweep-max-concurrent=2"]
    executor = "pytest_sweep.executors.processes.executor:ProcessesExecutor"
