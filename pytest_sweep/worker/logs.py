"""Live logs and the log file of a hosted session: what pytest would write there goes to the driver, whose they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from pytest_sweep.items import private
from pytest_sweep.model.events import LogWritten
from pytest_sweep.worker.runner import Emit

_OPTION = "log_file"


class LogForwarder:
    """A plugin of a hosted session that puts streams of its own into pytest's handlers of ``log_cli`` and ``--log-file``.

    Args:
        emit: takes events, from any thread: what is for the file.
        show: has a text written to the driver's terminal; called from any thread.
    """

    def __init__(self, emit: Emit, show: Callable[[str], None]) -> None:
        self._emit = emit
        self._show = show
        self._has_file = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Keep the file from being opened here, where it would be emptied: it is the driver's."""
        if hasattr(config.option, _OPTION):
            self._has_file = bool(config.getoption(_OPTION) or config.getini(_OPTION))
            config.option.log_file = os.devnull

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Put the streams in."""
        plugin: Any = config.pluginmanager.get_plugin("logging-plugin")
        if plugin is None:
            return
        private.set_live_log(plugin, _LineStream(self._show))
        if self._has_file:
            private.set_log_file(plugin, _LineStream(lambda text: self._emit(LogWritten(text))))


class _LineStream:
    """Looks to a logging handler like a file, and to that of live logs like pytest's terminal; passes on what is no mere blank."""

    def __init__(self, passed_on: Callable[[str], None]) -> None:
        self._passed_on = passed_on

    def write(self, text: str) -> None:
        if text.strip():
            self._passed_on(text)

    def section(self, *_: object, **__: object) -> None:
        """Write no heading: the driver names the trial in each line."""

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""
