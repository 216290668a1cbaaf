"""With pytest-xdist's ``-n``: lets it spread the ordinary tests over its workers, and keeps it from everything else."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

_NAME = "dsession"
"""The name of the plugin with which pytest-xdist takes a session over."""


class OrdinaryTests:
    """A plugin that holds pytest-xdist back until there is something for it to do.

    By itself it would take the whole session over: its workers would collect and run everything, and wait for the next item before
    they run one, with which an engine that retries cannot live. So this session collects all items, gives it the ordinary tests
    to run, and runs the rest. Without ordinary tests its workers are not even started.

    Its workers collect the same files once more. What goes wrong in that, and is warned of, was told when this session collected them.
    """

    def __init__(self) -> None:
        self._dsession: Any = None
        self._reported: set[tuple[str, str]] = set()
        self._warned: set[tuple[object, ...]] = set()
        self._total = 0
        self._session: pytest.Session | None = None

    @property
    def is_active(self) -> bool:
        """Whether pytest-xdist was asked to spread tests."""
        return self._dsession is not None

    def pytest_plugin_registered(self, plugin: object, plugin_name: str, manager: pytest.PytestPluginManager) -> None:
        """Take pytest-xdist's session out as soon as it is put in."""
        if plugin_name == _NAME and self._dsession is None:
            self._dsession = manager.unregister(plugin)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take note of how many items there are."""
        self._total = len(session.items)
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if self.is_active and reporter is not None:
            reporter.showfspath = None  # pytest-xdist has switched it off, because its results come in no order.

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take note of what could not be collected, or was skipped."""
        if not report.passed:
            self._reported.add((report.nodeid, report.outcome))

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage, when: str) -> None:
        """Take note of what was warned of before the tests."""
        if when != "runtest":
            self._warned.add(_warning(warning_message, when))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self) -> None:
        """Correct the total, by which the progress is told: pytest-xdist has set it to the number of ordinary tests."""
        if self._session is not None:
            self._session.testscollected = self._total

    def run(self, session: pytest.Session) -> None:
        """Let pytest-xdist run the ordinary tests.

        Raises:
            pytest.Session.Interrupted, pytest.Session.Failed: as from pytest-xdist's own loop.
        """
        self._session = session
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.showfspath = False
        self._pass_over_what_is_told()
        session.config.pluginmanager.register(self._dsession, _NAME)
        self._dsession.pytest_sessionstart(session=session)
        self._dsession.pytest_runtestloop()
        session.testscollected = self._total
        if reporter is not None:
            reporter.ensure_newline()
            reporter.showfspath = None

    def _pass_over_what_is_told(self) -> None:
        """Have it pass over what its workers say of collection, where this session has said the same; it finds its methods by name."""
        on_report, on_warning = self._dsession.worker_collectreport, self._dsession.worker_warning_recorded

        def report(node: object, rep: pytest.CollectReport) -> None:
            if (rep.nodeid, rep.outcome) not in self._reported:
                on_report(node, rep)

        def warning(warning_message: warnings.WarningMessage, when: str, **of: Any) -> None:
            if when == "runtest" or _warning(warning_message, when) not in self._warned:
                on_warning(warning_message=warning_message, when=when, **of)

        self._dsession.worker_collectreport, self._dsession.worker_warning_recorded = report, warning


def _warning(message: warnings.WarningMessage, when: str) -> tuple[object, ...]:
    """Return what two warnings have in common that are the same."""
    return when, message.category.__name__, str(message.message), message.filename, message.lineno
