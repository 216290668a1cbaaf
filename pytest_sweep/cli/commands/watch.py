"""``pytest-sweep watch``: the live view of a run, which may go on in another terminal or on another machine, or have ended."""

from __future__ import annotations

import argparse
import os
import sys
import time

from pytest_sweep import clock
from pytest_sweep.cli.arguments import add_run
from pytest_sweep.cli.context import Context
from pytest_sweep.cli.errors import Status
from pytest_sweep.cli.output import Output
from pytest_sweep.cli.run_rows import RunRow
from pytest_sweep.cli.watching import WatchedRun
from pytest_sweep.footer import Footer
from pytest_sweep.reporting.live import LiveView, live_line, live_lines
from pytest_sweep.reporting.text import duration_text

INTERVAL = 0.25
"""Seconds between two looks at the size of the terminal."""

LOOK_SECONDS = 0.5
"""Seconds between two looks at the run; more where a look takes long, of which at most every fifth second is spent on it."""

LINE_SECONDS = 5.0
"""Seconds between two lines in a pipe."""

_LEAST_FREE = 5
_LEFT_FREE = 3
"""How many lines of the screen the view leaves free."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_run(parser)


def run(options: argparse.Namespace, context: Context) -> int:
    """Show the run until it has ended."""
    folder, output = context.find(options.run), context.output
    look = _Looks(WatchedRun(folder))
    if output.is_terminal and sys.platform != "win32" and os.environ.get("TERM") != "dumb":
        _draw(look, output, folder.name)
    else:
        _write(look, output)
    output.line(_ending(RunRow(folder)))
    return Status.OK


class _Looks:
    """Looks at a run, not too often.

    Attributes:
        view: what was there at the last look.
    """

    def __init__(self, watched: WatchedRun) -> None:
        self.view = LiveView({}, 0.0)
        self._watched = watched
        self._next = 0.0

    def again(self, most: int = 0) -> bool:
        """Look, if it is time, and return whether the run goes on."""
        before = clock.monotonic()
        if before >= self._next:
            self.view = self._watched.look(most)
            after = clock.monotonic()
            self._next = max(before + LOOK_SECONDS, after + _LEAST_FREE * (after - before))
        return self._watched.goes_on


def _draw(look: _Looks, output: Output, name: str) -> None:
    """Draw the view until the run has ended, and write it as it is then."""
    output.line(f"Run: {name}")
    output.out.flush()
    try:
        with Footer(output.out) as footer:
            while True:
                size = footer.size
                rows = max(size.lines - _LEFT_FREE, 1)
                goes_on = look.again(rows)
                lines = live_lines(look.view, size.columns - 1, rows)
                if not goes_on:
                    break
                footer.draw(lines)
                time.sleep(INTERVAL)
    except KeyboardInterrupt:
        output.line()  # Below the ^C that the terminal shows.
        raise
    output.lines(lines)


def _write(look: _Looks, output: Output) -> None:
    """Write a line when states of trials have changed, at most one in five seconds, and a last one when the run has ended."""
    written, until = None, 0.0
    while look.again():
        if look.view.counts != written and clock.monotonic() >= until:
            written, until = look.view.counts, clock.monotonic() + LINE_SECONDS
            output.line(live_line(look.view))
            output.out.flush()
        time.sleep(LOOK_SECONDS)
    output.line(live_line(look.view))


def _ending(row: RunRow) -> str:
    """Return the sentence that says how the run has ended."""
    if row.status == "killed":
        return (
            f"{row.folder.name}: its driver is dead, and has left no exit status; pytest --sweep --sweep-resume={row.folder.name} "
            f"continues it"
        )
    took = "" if row.duration is None else f" after {duration_text(row.duration)}"
    return f"{row.folder.name} has ended: {row.status}{took}"
