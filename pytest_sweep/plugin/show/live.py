"""The live view of a session: when it is shown, and what of. Knows neither how its lines read nor how they are drawn."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from time import thread_time

import pytest

from pytest_sweep import clock
from pytest_sweep.footer import Footer
from pytest_sweep.items.private import set_writer_file, writer_file
from pytest_sweep.model import Run
from pytest_sweep.model.waiting import Waiting
from pytest_sweep.plugin.options import SweepOptions
from pytest_sweep.plugin.show.stalls import Engine
from pytest_sweep.reporting import FailureReasons, Leaders, Progress
from pytest_sweep.reporting.live import live_lines
from pytest_sweep.reporting.live_session import SessionView
from pytest_sweep.reporting.text import cut_end
from pytest_sweep.space import printable

INTERVAL = 0.25
"""Seconds between two updates."""

SHARE = 3
"""The view takes at most the third part of the screen."""

_LEAST_FREE = 50
"""Of the time that passes, drawing takes at most one part in so many."""

_LEAST_FREE_OF_ASKING = 500
"""Likewise finding out what waits, which looks at every worker and at up to 10,000 trials."""

_COLOURS = re.compile(r"\x1b\[[\d;]*m")
Lines = Callable[[], Sequence[str]]


def is_ci() -> bool:
    """Return whether this is a CI, as pytest knows it."""
    return any(os.environ.get(name) for name in ("CI", "BUILD_NUMBER"))


def can_draw(config: pytest.Config, options: SweepOptions) -> bool:
    """Return whether anything may be drawn below pytest's output at all: on a terminal that knows escapes, and no debugger uses."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if options.live == "off" or reporter is None or not reporter.isatty or sys.platform == "win32":
        return False
    return (
        os.environ.get("TERM") != "dumb"
        and not config.getoption("usepdb", False)
        and not config.getoption("trace", False)
    )


def shows_state(config: pytest.Config, options: SweepOptions, executor: str) -> bool:
    """Return whether the state of the run is drawn.

    Args:
        config: the session's configuration.
        options: the plugin's options.
        executor: the name of the executor.
    """
    if not can_draw(config, options) or options.live == "on":
        return can_draw(config, options)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    is_quiet = config.get_verbosity() < 0 or config.getoption("capture", "fd") == "no"
    # Another class may rewrite its lines by itself.
    return not is_quiet and not is_ci() and executor != "inline" and type(reporter) is pytest.TerminalReporter


class LiveDisplay:
    """Draws the state of a run, and progress bars of trials, below pytest's output, which stays as it is without.

    Args:
        reporter: writes pytest's output.
        run: the run.
        progress: what is known of its trials.
        engine: knows what waits for what; None where nothing is to be run.
        has_state: whether the state is drawn, or only progress bars.
        bars: returns the progress bars of trials, as with ``-s``, a line each.
        trackers: returns how far behind trackers are, a line each.
    """

    def __init__(
        self,
        reporter: pytest.TerminalReporter,
        run: Run,
        progress: Progress,
        engine: Engine | None,
        *,
        has_state: bool,
        bars: Lines = tuple,
        trackers: Lines = tuple,
    ) -> None:
        self._writer = reporter.config.get_terminal_writer()
        self._view = SessionView(progress, Leaders(progress), FailureReasons(progress))
        self._engine = engine
        self._has_state, self._bars, self._trackers = has_state, bars, trackers
        self._began = clock.monotonic() - (clock.wall() - run.started)
        self._footer: Footer | None = None
        self._file: object = None
        self._next = 0.0
        self._is_closed = False
        self._waiting: Waiting | None = None
        self._ask_next = 0.0

    def tick(self) -> None:
        """Draw, if it is time."""
        now = clock.monotonic()
        if self._is_closed or not (self._has_state or self._footer or self._bars()):
            return
        if now < self._next:
            if self._footer is not None:
                self._footer.redraw()
            return
        began = thread_time()
        try:
            footer = self._footer or self._open()
            size = footer.size
            footer.draw(self._lines(now, size.columns - 1, size.lines // SHARE))
        except OSError:  # The terminal is gone.
            self.close()
        self._next = now + max(INTERVAL, _LEAST_FREE * (thread_time() - began))

    def close(self) -> None:
        """Erase what is drawn, and draw nothing any more. A second call does nothing."""
        self._is_closed = True
        footer, self._footer = self._footer, None
        if footer is not None:
            footer.close()
            if writer_file(self._writer) is footer.stream:
                set_writer_file(self._writer, self._file)

    def _open(self) -> Footer:
        self._file = writer_file(self._writer)
        self._footer = footer = Footer(writer_file(self._writer), self._writer.width_of_current_line)
        set_writer_file(self._writer, footer.stream)
        return footer.__enter__()

    def _lines(self, now: float, width: int, rows: int) -> list[str]:
        bars = [cut_end(printable(_COLOURS.sub("", bar)).replace("\t", " "), width) for bar in self._bars()]
        if not self._has_state:
            return bars[:rows]
        bars = bars[: rows // 2]
        view = self._view.look(clock.wall(), now - self._began, self._waits(now), self._trackers(), rows)
        return [*live_lines(view, width, rows - len(bars)), *bars]

    def _waits(self, now: float) -> Waiting | None:
        if self._engine is not None and now >= self._ask_next:
            began = thread_time()
            self._waiting = self._engine.waiting()
            self._ask_next = now + _LEAST_FREE_OF_ASKING * (thread_time() - began)
        return self._waiting
