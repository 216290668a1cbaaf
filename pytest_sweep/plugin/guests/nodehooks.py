"""Two hooks of pytest-xdist that a ``conftest.py`` may implement for our workers, too: without pytest-xdist nobody would know them."""

from __future__ import annotations

import pytest


class _NodeHooks:
    """The specifications, as pytest-xdist has them."""

    def pytest_configure_node(self, node: object) -> None:
        """Called on the driver, once, before the first worker of a run starts.

        Args:
            node: stands for all workers: what is put into the dict ``node.workerinput`` is ``config.workerinput`` in each of them.
        """

    def pytest_testnodedown(self, node: object, error: object | None) -> None:
        """Called on the driver for each session of a worker, when all trials have ended.

        Args:
            node: stands for the worker: ``node.gateway.id`` is the ``ip:pid`` of its process, ``node.workeroutput`` what its session has
                left in ``config.workeroutput``.
            error: None, or why it has left nothing.
        """


def add_node_hooks(manager: pytest.PytestPluginManager) -> None:
    """Make the two hooks known, unless they are.

    To be called when all plugins are loaded: added before pytest-xdist's, they would collide with them.
    """
    if not _is_known(manager, "pytest_configure_node"):
        manager.add_hookspecs(_NodeHooks)


def _is_known(manager: pytest.PytestPluginManager, name: str) -> bool:
    caller = getattr(manager.hook, name, None)  # One that is only implemented is there, too.
    return caller is not None and caller.has_spec()
