"""Reads what pytest-rerunfailures is told (``--reruns``, ``flaky``) as ``retries=`` of a sweep that says nothing of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_sweep.model.trials import Sweep


class Reruns:
    """Knows how often trials are tried again.

    Args:
        manager: where pytest-rerunfailures is registered, if it is there.
    """

    def __init__(self, manager: pytest.PytestPluginManager) -> None:
        plugins = manager.get_plugins()
        self._plugin: Any = next((p for p in plugins if getattr(p, "__name__", "") == "pytest_rerunfailures"), None)

    def applied(self, sweep: Sweep, item: pytest.Item) -> Sweep:
        """Return the sweep with the retries that the option, the ini key or the mark of this item asks for."""
        count = None if self._plugin is None else self._plugin.get_reruns_count(item)
        return replace(sweep, retries=count) if count else sweep
