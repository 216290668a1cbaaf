"""``--setup-show`` of a hosted session: the lines of fixtures that are set up and torn down here go to the driver's terminal."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from pytest_sweep.items import private


class SetupShow:
    """A plugin of a hosted session that gives pytest's ``--setup-show`` a terminal of its own: the session's is silent.

    Args:
        show: has a text written to the driver's terminal.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Put the terminal in. Nothing else writes to what the configuration says is the terminal: the reporter has its own."""
        if config.option.setupshow:
            writer = private.terminal_writer(config, _Lines(self._show))
            config.get_terminal_writer = lambda: writer  # type: ignore[method-assign]


class _Lines(io.StringIO):
    """A file that passes on what has been written when it is flushed, which pytest does after each line of ``--setup-show``."""

    def __init__(self, passed_on: Callable[[str], None]) -> None:
        super().__init__()
        self._passed_on = passed_on

    def flush(self) -> None:
        text = self.getvalue().strip("\n")
        self.seek(0)
        self.truncate()
        if text:
            self._passed_on(text)
