"""The actor that looks after dead and stuck workers on its node. Holds no resources; imports no pytest."""

from __future__ import annotations

from pytest_sweep.executors.groups import end_group
from pytest_sweep.wire.lastwords import Found, examine, request_stacks
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

    def examine(self, pid: int) -> Found:
        """End what is left of a worker, which led a group of its own, with all that it has started; return what it has left."""
        end_group(pid)
        return examine(self._folder, pid)
