"""The live view of a session on a terminal: pytest's output is what it is without, and nothing of the view is left behind."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_sweep import load_results
from tests.support.terminals import Program

from .project import Project, output

SWEEP = """
    import time

    def test_ordinary(): ...

    @sweep(grid={"n": [1, 2, 3, 4, 5, 6], "name": ["\\x1b[31mred", "a" * 60]}, metric="loss", mode="min", retries=1)
    def train(n, name, trial):
        for step in range(3):
            time.sleep(0.1)
            trial.report({"loss": n / (step + 1)})
        assert n != 5
"""
CONFTEST = """
    def pytest_sweep_trial_finish(trial):
        print("a hook has printed this")
"""
SLOW = """
    import time

    @sweep(grid={"n": range(20)}, metric="loss", mode="min")
    def train(n, trial):
        trial.report({"loss": n})
        time.sleep(0.01 if n < 5 else 600)
        return {"loss": n}
"""
Start = Callable[..., Program]


@pytest.fixture
def start(project: Project) -> Iterator[Start]:
    """Return what starts pytest --sweep on a terminal."""
    programs: list[Program] = []

    def begin(*arguments: str, columns: int = 80, lines: int = 24, before: str = "", **environ: str) -> Program:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--sweep",
            "-n2",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:hypothesispytest",
            *arguments,
        ]
        if before:
            command = ["/bin/sh", "-c", f"{before}\n$0 \"$@\"; printf 'prompt$ '; read line", *command]
        home = str(Path.home())
        programs.append(Program(command, project.path, {"HOME": home, **environ}, columns, lines))
        return programs[-1]

    yield begin
    for program in programs:
        program.close()


def sorted_text(rows: list[str]) -> list[str]:
    """Return rows without what differs from run to run: times, names of runs, widths of cells, and the order of outcomes."""
    differs = r"\b[\w.-]+:\d{3,}\b|\d{4}-\d\d-\d\d_\S+|\d+\.\d+s?|\d+:\d+:\d+|0x[0-9a-f]+|Memory .*|Current time.*|=+|-+|[.FR]{3,}"
    return sorted(re.sub(r"\s+", " ", re.sub(differs, "", row)).strip() for row in rows)


def test_pytests_output_is_what_it_is_without(project: Project, start: Start) -> None:
    """At each moment the rows above the view are the beginning of what is there in the end, which is what is there without the view."""
    project.write(SWEEP)
    project.write(CONFTEST, "conftest.py")
    live = start(columns=200)
    assert live.end() == 1
    assert len(live.frames) >= 5
    rows = live.screen.rows
    for above, below in live.frames:
        *whole, last = above
        assert rows[: len(whole)] == whole
        assert rows[len(whole)].startswith(last)
        assert len(below) <= 8
        assert all(len(row) < 200 for row in below)
    updates = [
        time
        for time, frame, last in zip(live.times[1:], live.frames[1:], live.frames, strict=False)
        if frame[1] != last[1]
    ]
    assert len(updates) <= 4 * (updates[-1] - live.times[0]) + 2
    assert b"\x1b[?25l" not in live.written
    seen = "\n".join(row for _, below in live.frames for row in below)
    for what in (r"/12 done", r"\d TERMINATED", r"\d RUNNING", "Best so far: loss=0.333333 \\(min\\): train", "ERROR train", "Waiting: ",
                 r"RUNNING train\[.*iteration \d, loss=", r"\\x1b\[31mred"):  # fmt: skip
        assert re.search(what, seen), what
    assert "/12 done" not in "\n".join(rows)

    plain = start("--sweep-live=off", columns=200)
    assert plain.end() == 1
    assert plain.frames == []
    assert sorted_text(plain.screen.rows) == sorted_text(rows)


def test_resized_and_interrupted(project: Project, start: Start) -> None:
    """In a new size the view is drawn in that; Ctrl-C erases it, and the summary is shown as ever."""
    project.write(SLOW)
    live = start()
    live.read(lambda: any("5/20 done" in row for row in live.screen.below), "five trials that have ended")
    for columns, lines in ((20, 24), (100, 30), (60, 5), (60, 24)):
        live.resize(columns, lines)
        live.frames.clear()
        live.read(lambda: live.frames, "another frame")
        below = live.screen.below
        assert 0 < len(below) <= lines // 3
        assert all(len(row) < columns for row in below)
        assert "5/20" in below[0]
    live.press("\x03")
    assert live.end() == 2
    rows = live.screen.rows
    assert not any("/20 done" in row for row in rows)
    assert any("Interrupted" in row or "KeyboardInterrupt" in row for row in rows)
    assert any("5 passed" in row for row in rows)
    assert not live.screen.screen.cursor.hidden


def test_killed(project: Project, start: Start) -> None:
    """After SIGKILL the shell's prompt stands where pytest's output has ended, with nothing of the view below it."""
    project.write(SLOW)
    live = start(before="exec 2>/dev/null")
    live.read(lambda: any("5/20 done" in row for row in live.screen.below), "five trials that have ended")
    (running,) = project.path.glob("sweep_results/*/running")
    folder = running.parent
    driver = int(re.findall(r"process (\d+)", running.read_text())[0])
    os.kill(driver, signal.SIGKILL)
    live.read(lambda: "prompt$" in live.screen.above[-1], "the prompt")
    live.read(lambda: not live.screen.below, "an empty screen below it")
    assert not any("/20" in row for row in live.screen.rows)
    # The command says the same of it.
    watch = Program([sys.executable, "-m", "pytest_sweep.cli", "watch"], project.path, {})
    try:
        assert watch.end() == 0
        rows = " ".join(watch.screen.rows)
        assert f"{folder.name}: its driver is dead" in rows
        assert "5/20 done" in rows
    finally:
        watch.close()


BARS = """
    import sys, time

    @sweep(grid={"n": [1, 2]})
    def train(n):
        print("begins")
        for step in range(100):
            print(f"\\rstep {step}", end="", flush=True)
            time.sleep(0.02)
        print()
        print("ends")
"""


def test_progress_bars(project: Project, start: Start) -> None:
    """With -s a line that is rewritten by carriage returns is one line of the output, and seen below it meanwhile; the state is not."""
    project.write(BARS)
    live = start("-s")
    assert live.end() == 0
    rows = live.screen.rows
    assert any(re.fullmatch(r"\[train\[n=1\]\] step \d+", row) for _, below in live.frames for row in below)
    assert not any("RUNNING" in row for _, below in live.frames for row in below)
    for n in (1, 2):
        assert [row for row in rows if f"[train[n={n}]]" in row] == [
            f"[train[n={n}]] {line}" for line in ("begins", "step 99", "ends")
        ]


def test_in_a_pipe_there_is_none(project: Project) -> None:
    """What is no terminal gets no escape, whatever is asked for, and the results are there."""
    project.write("@sweep(grid={'n': [1, 2]})\ndef train(n): return {'n': n}\n")
    for when in ("auto", "on", "off"):
        assert "\x1b" not in output(project.sweep(f"--sweep-live={when}"))
    assert len(load_results(dir=project.path / "sweep_results")["train"]) == 2


def test_a_wrong_word(project: Project) -> None:
    """Anything else than auto, on and off is an error that says so."""
    project.write("@sweep(grid={'n': [1, 2]})\ndef train(n): ...\n")
    assert "--sweep-live=yes: write one of auto, on, off" in output(project.sweep("--sweep-live=yes"))
