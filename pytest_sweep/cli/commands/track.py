"""``pytest-sweep track``: sends a run to trackers afterwards, or on from where its session stopped."""

from __future__ import annotations

import argparse
import contextlib
import sys
from contextlib import closing
from pathlib import Path

from pytest_sweep import clock
from pytest_sweep.cli.arguments import add_run
from pytest_sweep.cli.context import Context
from pytest_sweep.cli.errors import CommandError, Status, UsageError
from pytest_sweep.durations import parse_duration
from pytest_sweep.errors import StoreError, SweepError
from pytest_sweep.store import RunReader
from pytest_sweep.store.cursors import TrackingLock
from pytest_sweep.trackers.following import Following, TrackerState
from pytest_sweep.trackers.patience import Stop
from pytest_sweep.trackers.registry import Tracked, check_tracker, parse_trackers

_LOOK_SECONDS = 0.2
_TELL_SECONDS = 10.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = (
        "What was sent before is not sent again. A run that goes on is followed until it ends. See docs/trackers.md."
    )
    add_run(parser)
    parser.add_argument(
        "--to", metavar="NAMES", action="append", required=True,
        help="the trackers, as for --sweep-track: tensorboard, mlflow:experiment=nightly, ...",
    )  # fmt: skip
    parser.add_argument(
        "--wait", metavar="TIME", help="give up after this time where a tracker does not answer; default never: Ctrl-C"
    )


def run(options: argparse.Namespace, context: Context) -> int:
    """Send the run."""
    trackers, wait = _trackers(options.to), _wait(options.wait)
    folder = context.find(options.run)
    with closing(_Lock(folder)):
        stop = Stop()
        following = Following(folder, trackers, stop)
        following.start()
        try:
            with contextlib.redirect_stdout(sys.stderr):  # What trackers print is no result.
                _follow(RunReader(folder), following, stop, context, wait)
        finally:
            stop.give_up()
    states = following.states()
    for state in states:
        if state.is_done:
            what = (
                f"{state.sent:,} {'report' if state.sent == 1 else 'reports'}"
                if state.sent
                else "nothing was left to send"
            )
            context.output.note(f"{state.tracker}: {what}")
    missing = [
        f"{state.tracker}: {state.failed or state.trouble or 'there was no time for more'}"
        for state in states
        if not state.is_done
    ]
    if missing:
        raise CommandError(
            f"not all of {folder.name} was sent; the same command goes on from there. {'. '.join(missing)}"
        )
    return Status.OK


class _Lock:
    def __init__(self, folder: Path) -> None:
        try:
            self._lock = TrackingLock(folder)
        except StoreError as error:
            raise CommandError(str(error)) from error

    def close(self) -> None:
        self._lock.release()


def _trackers(texts: list[str]) -> list[Tracked]:
    try:
        found = parse_trackers(texts)
        if not found:
            raise UsageError("--to: name a tracker, such as tensorboard")
        for tracked in found:
            check_tracker(tracked)
    except UsageError:
        raise
    except SweepError as error:
        raise UsageError(f"--to: {error}") from error
    return found


def _wait(text: str | None) -> float | None:
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--wait {text}: {error}") from error


def _follow(reader: RunReader, following: Following, stop: Stop, context: Context, wait: float | None) -> None:
    deadline: float | None = None
    next_told = clock.monotonic() + _TELL_SECONDS
    told: set[str] = set()
    if reader.goes_on():
        context.output.note(f"{reader.path.name} goes on: it is followed until it ends, or until Ctrl-C")
    while True:
        if not stop.is_over and not reader.goes_on():
            stop.run_is_over()
        if stop.is_over and deadline is None and wait is not None:
            deadline = clock.monotonic() + wait
        if following.join(_LOOK_SECONDS) or (deadline is not None and clock.monotonic() > deadline):
            return
        now = clock.monotonic()
        for state in following.states():
            _tell(state, told, context)
            if now >= next_told and state.lag:
                context.output.note(f"{state.tracker}: {state.sent:,} reports sent, {state.lag:,} to go")
        next_told = next_told if now < next_told else now + _TELL_SECONDS


def _tell(state: TrackerState, told: set[str], context: Context) -> None:
    if state.trouble is not None and state.tracker not in told:
        told.add(state.tracker)
        context.output.note(f"{state.tracker}: {state.trouble}. It is tried again and again; Ctrl-C leaves the rest")
