"""What allure-pytest says of a trial, here and in workers: its configuration by the names of its keys, not our private parameter."""

from __future__ import annotations

import hashlib
import sys
from typing import Any

import pluggy
import pytest

from pytest_sweep.items.parametrization import POINT
from pytest_sweep.space import Point

_hookimpl = pluggy.HookimplMarker("allure")
"""As allure-pytest's own, which may not be installed."""


class AllureParameters:
    """A plugin of pytest, and of allure-pytest where that writes a report."""

    def __init__(self) -> None:
        self._item: pytest.Item | None = None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Become a plugin of allure-pytest, which has configured itself by now."""
        if session.config.pluginmanager.hasplugin("allure_listener"):
            manager: Any = sys.modules["allure_commons"].plugin_manager
            manager.register(self)
            session.config.add_cleanup(lambda: manager.unregister(self))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Take note of the item whose result is reported next."""
        self._item = item

    @_hookimpl(tryfirst=True)
    def report_result(self, result: Any) -> None:
        """Complete the result of a trial before it is written."""
        callspec: Any = getattr(self._item, "callspec", None)
        private = next((parameter for parameter in result.parameters if parameter.name == POINT), None)
        if private is None or callspec is None or POINT not in callspec.params:
            return
        point: Point = callspec.params[POINT]
        others = [parameter for parameter in result.parameters if parameter is not private]
        shown = {parameter.name for parameter in others}
        added = [
            type(private)(name=str(key), value=repr(point.config[key])) for key in point.config if key not in shown
        ]
        result.parameters = [*added, *others]
        if result.historyId is not None:
            # By this Allure knows a trial again. It was made of the private parameter, which differs from run to run.
            known = f"{result.fullName}[{callspec.id}]".encode()
            result.historyId = hashlib.md5(known, usedforsecurity=False).hexdigest()
