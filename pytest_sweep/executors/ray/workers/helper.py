"""The actor that looks after dead and stuck workers on its node. Holds no resources; imports no pytest."""

from __future__ import annotations

import contextlib
import os
import signal

from pytest_sweep.wire.lastwords import examine, request_stacks
from pytest_sweep.wire.spec import SessionSpec


class NodeHelper:
    """Reads and ends processes of the node that it is on: Ray tells neither how a process died, nor what it did.

    Args:
        spec: what the sessions of the workers are like.
    """

    def __init__(self, spec: SessionSpec) -> None:
        self._folder = spec.localized().basetemp

    def request_stacks(self, pid: int) -> None:
        """Have a stuck worker show the stacks of its threads."""
        request_stacks(self._folder, pid)

    def examine(self, pid: int) -> tuple[str, bool]:
        """End what a dead worker has started; return its stacks, and whether memory ran out while it lived."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)  # The worker led a group of its own.
        return examine(self._folder, pid)
