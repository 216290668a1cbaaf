"""When the live view of a session is shown, and how often it is drawn."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_sweep.model.events import OutputWritten
from pytest_sweep.plugin.record.beside import Beside
from pytest_sweep.plugin.record.hooks import HookCaller
from pytest_sweep.plugin.show import live
from pytest_sweep.plugin.show.live import LiveDisplay, can_draw, shows_state
from pytest_sweep.reporting import Progress
from tests.support.terminals import Screen

from .test_reporting_live import trial


class Replaced(pytest.TerminalReporter):  # type: ignore[misc]  # As pytest-sugar does.
    """The reporter of another plugin."""


def configured(
    *, is_terminal: bool = True, kind: type = pytest.TerminalReporter, verbosity: int = 0, **options: Any
) -> Any:
    reporter: Any = object.__new__(kind)
    reporter.isatty = is_terminal
    return SimpleNamespace(
        pluginmanager=SimpleNamespace(get_plugin=lambda name: reporter),
        get_verbosity=lambda: verbosity,
        getoption=lambda name, default=None: options.get(name, default),
    )


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def shown(when: str, executor: str = "ray", **more: Any) -> bool:
    return shows_state(configured(**more), SimpleNamespace(live=when), executor)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "by_itself", "asked_for"),
    [
        ({}, True, True),
        ({"verbosity": 2}, True, True),
        ({"is_terminal": False}, False, False),
        ({"verbosity": -1}, False, True),
        ({"capture": "no"}, False, True),
        ({"capture": "sys"}, True, True),
        ({"usepdb": True}, False, False),
        ({"trace": True}, False, False),
        ({"executor": "inline"}, False, True),
        ({"executor": "processes"}, True, True),
        ({"kind": Replaced}, False, True),
    ],
    ids=str,
)
def test_when_it_is_shown(more: dict[str, Any], by_itself: bool, asked_for: bool) -> None:
    """Auto is off where it would be in the way; on is off only where nothing can be drawn; off is off."""
    assert shown("auto", **more) is by_itself
    assert shown("on", **more) is asked_for
    assert not shown("off", **more)
    assert not can_draw(configured(), SimpleNamespace(live="off"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "asked_for"), [("CI", "true", True), ("BUILD_NUMBER", "7", True), ("TERM", "dumb", False)]
)
def test_the_environment(monkeypatch: pytest.MonkeyPatch, name: str, value: str, asked_for: bool) -> None:
    """In CI nothing is drawn unless it is asked for; on a dumb terminal nothing is."""
    monkeypatch.setenv(name, value)
    assert not shown("auto")
    assert shown("on") is asked_for


class Display:
    """A display on a pty of 60 columns and 15 lines, at times that the test sets."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, progress: Progress, bars: list[str], *, has_state: bool = True
    ) -> None:
        self.now = 1000.0
        monkeypatch.setattr(live, "clock", SimpleNamespace(monotonic=lambda: self.now, wall=lambda: self.now))
        self.master, slave = os.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 15, 60, 0, 0))
        self.file = os.fdopen(slave, "w")
        self.writer = SimpleNamespace(_file=self.file, width_of_current_line=0)
        reporter: Any = SimpleNamespace(config=SimpleNamespace(get_terminal_writer=lambda: self.writer))
        run = SimpleNamespace(started=1000.0)
        self.live = LiveDisplay(reporter, run, progress, None, has_state=has_state, bars=lambda: bars)  # type: ignore[arg-type]
        self.screen = Screen(60, 15)
        self.frames = 0

    def tick(self, now: float) -> list[str]:
        """Return what is drawn below the output after a tick."""
        self.now = now
        self.live.tick()
        os.set_blocking(self.master, False)
        try:
            data = os.read(self.master, 65536)
        except BlockingIOError:
            data = b""
        self.frames += data.count(b"\x1b[?2026l")
        self.screen.feed(data)
        return self.screen.below


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    displays: list[Display] = []

    def make(progress: Progress, bars: list[str], **more: Any) -> Display:
        displays.append(Display(monkeypatch, progress, bars, **more))
        return displays[-1]

    yield make
    for one in displays:
        one.live.close()
        one.file.close()
        os.close(one.master)


def test_at_most_four_times_a_second(begin: Any) -> None:
    """However often it is asked, it draws at most four times a second, and at most a third of the screen."""
    display = begin(Progress([trial(number) for number in range(5)]), [])
    for step in range(400):
        assert len(display.tick(1000.0 + step / 100)) <= 5
    assert 4 <= display.frames <= 17


def test_bars_only(begin: Any) -> None:
    """With -s, where the state is not shown, nothing is touched before a trial draws a bar, and bars are shown without colours."""
    bars: list[str] = []
    display = begin(Progress([trial(1)]), bars, has_state=False)
    assert display.tick(1000.0) == []
    assert display.writer._file is display.file
    bars.append("[train] \x1b[32m 50%\x1b[0m|████     |\x1b[2J")
    assert display.tick(1001.0) == ["[train]  50%|████     |\\x1b[2J"]
    bars.clear()
    assert display.tick(1002.0) == []
    display.live.close()
    assert display.writer._file is display.file


def test_a_terminal_that_is_gone(begin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where drawing fails, nothing is drawn any more, and pytest writes as before."""
    display = begin(Progress([trial(1)]), [])
    display.tick(1000.0)
    footer = display.live._footer

    def fail(lines: list[str]) -> None:
        raise OSError("Input/output error")

    monkeypatch.setattr(footer, "draw", fail)
    display.tick(1001.0)
    assert display.writer._file is display.file
    display.tick(1002.0)


class Written:
    """A terminal reporter that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.config = SimpleNamespace(get_terminal_writer=lambda: SimpleNamespace(width_of_current_line=0))
        self.ensure_newline = self.flush = lambda: None

    def write_line(self, line: str) -> None:
        self.lines.append(line)


def test_rewritten_lines_of_several_trials() -> None:
    """Each trial, and the worker between trials, has its own line; what is held back is written when the trial or the run ends."""
    reporter = Written()
    config: Any = SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=lambda name: reporter))
    items: Any = {key: SimpleNamespace(name=f"train[{key}]") for key in "ab"}
    beside = Beside(config, items, HookCaller.__new__(HookCaller))
    for step in range(100):
        for key in ("a", "b", None):
            beside.output(OutputWritten(key, f"\rstep {step}"))
    assert reporter.lines == []
    assert beside.progress_bars() == ["[train[a]] step 99", "[train[b]] step 99", "[worker] step 99"]
    beside.output(OutputWritten("a", "\nprinted\n"))
    beside.end_output("a")
    assert reporter.lines == ["[train[a]] step 99", "[train[a]] printed"]
    beside.end_outputs()
    assert reporter.lines[2:] == ["[train[b]] step 99", "[worker] step 99"]
    assert beside.progress_bars() == []
