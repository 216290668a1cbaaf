"""A plugin of a hosted session: it has the output of the running trial captured in files that outlive the process."""

from __future__ import annotations

import pytest

from pytest_sweep.items import private
from pytest_sweep.wire.captured import CapturedFiles


class KeptOutput:
    """Puts files in the place of pytest's own, and notes what a file alone does not tell: phase and earlier sections.

    Args:
        files: the files.
    """

    def __init__(self, files: CapturedFiles) -> None:
        self._files = files

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Put the files in, now that the plugins for capture and logging are there."""
        manager = session.config.pluginmanager
        if (capture := manager.get_plugin("capturemanager")) is not None:
            private.capture_in_files(capture, self._files.stdout, self._files.stderr)
        if (logs := manager.get_plugin("logging-plugin")) is not None:
            private.collect_log_in(logs, self._files.new_log)

    def pytest_runtest_logstart(self) -> None:
        """Forget the trial before this one."""
        self._files.clear()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Take note of the phase."""
        self._files.begin("setup")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """Take note of the phase."""
        self._files.begin("call")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Take note of the phase."""
        self._files.begin("teardown")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the sections of a phase that has ended: the report of each phase has those before it, too."""
        self._files.keep(report.sections)
