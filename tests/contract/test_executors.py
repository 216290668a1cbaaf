"""All executors keep one contract."""

from __future__ import annotations

from typing import ClassVar

import pytest

from pytest_sweep.testing.executor_contract import ExecutorContract


class TestInline(ExecutorContract):
    """In the driver's own process."""

    arguments: ClassVar = ["--sweep-executor=inline"]
    in_driver = True


@pytest.mark.usefixtures("shared_ray")
class TestRay(ExecutorContract):
    """In actors of a Ray that runs already. Select it with ``-k TestRay``."""

    arguments: ClassVar = ["--sweep-executor=ray"]
