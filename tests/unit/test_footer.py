"""Lines below the output of a program: the output is what it is without them, whatever the terminal does."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_sweep.footer import Footer
from tests.support.terminals import Program, Screen


class Terminal:
    """A pty, to whose screen a footer is drawn, and a screen that shows what is written without one."""

    def __init__(self, columns: int = 40, lines: int = 12, encoding: str = "utf-8") -> None:
        self.screen, self.plain = Screen(columns, lines), Screen(columns, lines)
        self._master, slave = os.openpty()
        self.resize(columns, lines)
        self.stream = os.fdopen(slave, "w", encoding=encoding, errors="strict")
        self.raw = b""

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def write(self, footer: Footer, text: str) -> None:
        """Write with the footer, and what is the same on a screen without."""
        footer.stream.write(text)
        footer.stream.flush()
        self.plain.feed(text.replace("\n", "\r\n").encode())
        self.show()

    def show(self) -> None:
        """Show what was written."""
        os.set_blocking(self._master, False)
        try:
            while data := os.read(self._master, 65536):
                self.raw += data
                self.screen.feed(data)
        except BlockingIOError:
            return

    def draw(self, footer: Footer, *lines: str) -> None:
        footer.draw(lines)
        self.show()

    def close(self) -> None:
        self.stream.close()
        os.close(self._master)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


TEXTS = [
    "\n", "\n\n", ".", "..", "x" * 20, "y" * 39, "z" * 40, "w" * 41, "v" * 80, "\n" + "宽" * 20 + "\n", "\n宽a\n", "\r",
    "\x1b[32mgreen\x1b[0m",
]  # fmt: skip
"""Pieces of output."""

PIECES = st.lists(st.one_of(st.sampled_from(TEXTS), st.integers(0, 6)), max_size=20)


@settings(max_examples=50)
@example(["\r", "x" * 20, "x" * 20, 1, "."])
@example(["x" * 39, "\r", "z" * 40, 2, "\n", "."])
@given(PIECES)
def test_the_output_is_what_it_is_without(pieces: list[str | int]) -> None:
    """Whatever is written, and whenever lines are drawn, all rows down to the cursor's are those of a terminal without a footer."""
    terminal = Terminal()
    try:
        lines: list[str] = []
        with Footer(terminal.stream) as footer:
            for piece in pieces:
                if isinstance(piece, str):
                    footer._drawn_at = 0.0  # Long ago: the lines are drawn anew at once.
                    terminal.write(footer, piece)
                    assert terminal.screen.below in (lines, [])  # None below a row that is full.
                else:
                    lines = [f"line {number} of {piece}" for number in range(piece)]
                    terminal.draw(footer, *lines)
                    assert terminal.screen.below == lines
                place = terminal.plain.above
                while place and not place[-1]:
                    place.pop()
                above = terminal.screen.above
                while above and not above[-1]:
                    above.pop()
                assert above == place
        terminal.show()
        assert [row for row in terminal.screen.rows if row] == [row for row in terminal.plain.rows if row]
        assert b"\x1b[?25l" not in terminal.raw
    finally:
        terminal.close()


def test_a_line_that_is_full_is_not_lost(terminal: Terminal) -> None:
    """A row that is filled to its last column keeps its last letter, and what follows begins the next row, however often it is drawn."""
    with Footer(terminal.stream) as footer:
        terminal.write(footer, "x" * 40)
        for number in range(3):
            terminal.draw(footer, f"footer {number}")
        terminal.write(footer, "y\n")
        terminal.write(footer, "z" * 40)
        terminal.draw(footer, "footer")
        terminal.write(footer, "\n" + "宽" * 20)
        terminal.draw(footer, "footer")
        terminal.write(footer, "a\nend")
    terminal.show()
    assert terminal.screen.above == ["x" * 40, "y", "z" * 40, "宽" * 20, "a", "end"]


def test_a_narrower_terminal(terminal: Terminal) -> None:
    """Lines that the terminal has wrapped since they were drawn are erased with the others."""
    with Footer(terminal.stream) as footer:
        terminal.write(footer, "output ")
        terminal.draw(footer, "a" * 38, "b" * 38)
        # As terminals do that wrap what has become too wide: the rows below the cursor's become more.
        terminal.resize(20, 12)
        narrow = Screen(20, 12)
        narrow.feed(b"output " + b"\x1b7\r\n" + b"a" * 38 + b"\r\n" + b"b" * 38 + b"\x1b8")
        terminal.screen = narrow
        terminal.draw(footer, "c" * 18)
        assert (narrow.above, narrow.below) == (["output"], ["c" * 18])
        terminal.write(footer, "goes on\n")
    terminal.show()
    assert [row for row in narrow.rows if row] == ["output goes on"]


def test_print_and_warnings_erase_it(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed, or written to stderr, stands above the lines, and the streams are given back."""
    monkeypatch.setattr(sys, "stdout", terminal.stream)
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    with Footer(terminal.stream) as footer:
        terminal.draw(footer, "a long line of the footer")
        print("printed")
        terminal.show()
        assert terminal.screen.above == ["printed", ""]
        terminal.draw(footer, "a long line of the footer")
        print("a", "b", sep="\n", file=sys.stderr)
        sys.stdout.writelines(["c\n", "d\n"])
        terminal.draw(footer, "a long line of the footer")
        os.write(sys.stdout.fileno(), b"past it\n")
    terminal.show()
    assert [row for row in terminal.screen.rows if row] == ["printed", "a", "b", "c", "d", "past it"]
    assert sys.stdout is terminal.stream
    assert sys.stderr is terminal.stream


def test_letters_leave_it_alone(terminal: Terminal) -> None:
    """What fits in the row of the cursor is written beside the lines, as a dot for each test is; the end of a line draws them anew."""
    with Footer(terminal.stream) as footer:
        terminal.write(footer, "abc")
        terminal.draw(footer, "first", "second")
        for number in range(20):
            terminal.write(footer, "\x1b[32m.\x1b[0m")
            assert (terminal.screen.above, terminal.screen.below) == (["abc" + "." * (number + 1)], ["first", "second"])
        written = len(terminal.raw)
        terminal.write(footer, ".")
        assert len(terminal.raw) == written + 1
        footer._drawn_at = 0.0
        terminal.write(footer, " [ 50%]\n")
        assert (len(terminal.screen.above), terminal.screen.below) == (2, ["first", "second"])
        footer._drawn_at = float("inf")  # Less than a fiftieth of a second ago.
        terminal.write(footer, "at once\n")
        assert (len(terminal.screen.above), terminal.screen.below) == (3, [])
        footer._drawn_at = 0.0
        footer.redraw()
        terminal.show()
        assert (len(terminal.screen.above), terminal.screen.below) == (3, ["first", "second"])


def test_what_the_terminal_cannot_encode() -> None:
    """A letter that the encoding of the terminal has not is a question mark: nothing fails."""
    terminal = Terminal(encoding="ascii")
    with Footer(terminal.stream) as footer:
        terminal.draw(footer, "naïve 宽")
        assert terminal.screen.below == ["na?ve ?"]
        with pytest.raises(UnicodeEncodeError):  # As of the stream itself: pytest writes it with escapes then.
            footer.stream.write("naïve\n")
        terminal.write(footer, "na\\xefve\n")
        assert terminal.screen.above[0] == "na\\xefve"
        assert "?" not in "".join(terminal.screen.above)
    terminal.close()


def test_columns_that_are_not_known(terminal: Terminal) -> None:
    """After tabs, bells and joined characters no line break is lost, wherever the terminal sees the cursor."""
    for text in (
        "\t" * 5,
        "a\t" * 4 + "b" * 8,
        "\a" + "c" * 39,
        "\a" + "d" * 40,
        "e\u0301" * 40,
        "f" * 36 + "👩\u200d🔬",
    ):
        with Footer(terminal.stream) as footer:
            terminal.write(footer, text)
            for number in range(2):
                terminal.draw(footer, f"line {number}")
            terminal.write(footer, "\nnext\n")
        terminal.show()
    assert sum(row == "next" for row in terminal.screen.rows) == 6


def test_nothing_is_written_twice(terminal: Terminal) -> None:
    """Lines that are there already are not drawn again; a new size draws them anew."""
    with Footer(terminal.stream) as footer:
        terminal.draw(footer, "same")
        written = len(terminal.raw)
        terminal.draw(footer, "same")
        assert len(terminal.raw) == written
        terminal.resize(39, 12)
        terminal.draw(footer, "same")
        assert len(terminal.raw) > written


def test_more_lines_than_the_screen_has(terminal: Terminal) -> None:
    """At least the row of the cursor is left to the output."""
    with Footer(terminal.stream) as footer:
        terminal.write(footer, "output")
        terminal.draw(footer, *map(str, range(30)))
        assert (terminal.screen.above, terminal.screen.below) == (["output"], [str(number) for number in range(11)])


def test_a_stopped_terminal_is_not_waited_for() -> None:
    """A terminal that takes nothing, as after Ctrl-S, stops no drawing: nothing is drawn meanwhile."""
    terminal = Terminal()
    with Footer(terminal.stream) as footer:
        terminal.draw(footer, "first")
        os.set_blocking(terminal.stream.fileno(), False)
        try:
            while True:
                os.write(terminal.stream.fileno(), b"\0" * 1000)
        except BlockingIOError:
            os.set_blocking(terminal.stream.fileno(), True)
        drawing = threading.Thread(target=footer.draw, args=(["second"],), daemon=True)
        drawing.start()
        drawing.join(10)
        assert not drawing.is_alive()
        terminal.show()
    terminal.close()


SHOWING = """
import os, sys, time
from pathlib import Path
from pytest_sweep.footer import Footer
with Footer(sys.stdout) as footer:
    print("output", end=" ", flush=True)
    footer.draw(["first line of the footer", "second"])
    Path("pid").write_text(str(os.getpid()))
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_program_leaves_no_line(tmp_path: Path, number: int) -> None:
    """After a signal the lines are erased, and the cursor is where the output has ended: there the shell's prompt appears."""
    (tmp_path / "showing.py").write_text(SHOWING)
    shell = f"trap : INT; {sys.executable} showing.py 2>/dev/null; printf 'prompt$ '; read line"
    program = Program(["/bin/sh", "-c", shell], tmp_path, {})
    try:
        program.read(lambda: program.screen.below == ["first line of the footer", "second"], "its footer")
        program.read((tmp_path / "pid").exists, "its pid")
        os.kill(int((tmp_path / "pid").read_text()), number)
        program.read(lambda: "prompt$" in program.screen.above[-1], "the prompt")
        program.read(lambda: not program.screen.below, "an empty screen below the prompt")
        assert program.screen.above[0].startswith("output ")
        assert program.screen.above[-1].endswith("prompt$")
        assert not program.screen.screen.cursor.hidden
    finally:
        program.close()


def test_a_stopped_program_leaves_no_line(tmp_path: Path) -> None:
    """Ctrl-Z erases the lines and stops the program; they are back when it goes on."""
    code = SHOWING.replace("time.sleep(600)", "while True: time.sleep(0.05); footer.draw(['again'])")
    (tmp_path / "showing.py").write_text(code)
    program = Program(
        ["/bin/bash", "-c", f"set -m; {sys.executable} showing.py; printf 'stopped$ '; fg >/dev/null"], tmp_path, {}
    )
    try:
        program.read(lambda: program.screen.below == ["again"], "its footer")
        program.press("\x1a")
        program.read(lambda: "stopped$" in program.screen.above[-1], "the shell")
        program.read(lambda: program.screen.below == ["again"], "its footer again")
        assert "again" not in "".join(program.screen.above)
        program.press("\x1a")
        program.read(lambda: not program.screen.below, "nothing below the cursor")
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    finally:
        program.close()


def test_no_process_is_left(tmp_path: Path) -> None:
    """The process that waits for a kill ends with the footer, and writes nothing then."""
    code = (
        SHOWING.replace("time.sleep(600)", "pid = footer._rescuer._process.pid")
        + "import os\ntry: os.kill(pid, 0)\nexcept OSError: print('gone')\n"
    )
    program = Program([sys.executable, "-c", code], tmp_path, {})
    try:
        assert program.end() == 0
        assert program.screen.above[0] == "output gone"
    finally:
        program.close()
