"""What faulthandler writes is made readable, and what cannot be known is not guessed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from pytest_sweep.model.events import Death
from pytest_sweep.wire.lastwords import Ending, Found, examine, oom_kills, readable, request_stacks, signal_name

HANGS = """
    import sys
    from pytest_sweep.wire.lastwords import LastWords, make_last_words_folder

    box = LastWords(make_last_words_folder(sys.argv[1]))
    box.pytest_sessionstart()

    def user():
        print("ready", flush=True)
        sum(range(10**13))

    user()
"""


def start(folder: Path, source: str) -> subprocess.Popen[str]:
    """Start a process with a file for last words, and wait until it says that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source), str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_process_in_a_c_loop(tmp_path: Path) -> None:
    """A process that holds Python's lock shows its stack when it is asked, and lives on."""
    process = start(tmp_path, HANGS)
    try:
        began = time.monotonic()
        request_stacks(str(tmp_path), process.pid)
        assert time.monotonic() - began < 2
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()
    found = examine(str(tmp_path), process.pid)
    assert "in user" in found.stacks
    assert not found.was_out_of_memory
    assert list(tmp_path.iterdir()) == []


def test_a_crash(tmp_path: Path) -> None:
    """A crash is written with its name and its place."""
    process = start(tmp_path, HANGS.replace("sum(range(10**13))", "import ctypes; ctypes.string_at(0)"))
    process.communicate()
    stacks = examine(str(tmp_path), process.pid).stacks
    assert stacks.startswith("Fatal Python error: Segmentation fault\n")
    assert "in user" in stacks


def test_a_process_that_left_nothing(tmp_path: Path) -> None:
    """Of a process without a file for last words nothing is known, and asking it harms nobody."""
    request_stacks(str(tmp_path), os.getpid())
    assert examine(str(tmp_path), os.getpid()) == Found()


def test_readable() -> None:
    """Our own threads and pytest's frames below the user's are left out."""
    raw = textwrap.dedent("""\
        Thread 0x1 (most recent call first):
          File "/lib/pytest_sweep/wire/outbox.py", line 3 in _run
        Current thread 0x2 (most recent call first):
          File "/home/me/test_models.py", line 9 in train
          File "/lib/pytest_sweep/worker/body.py", line 40 in body
          File "/lib/_pytest/python.py", line 1 in x

        Extension modules: numpy (total: 1)
        """)
    assert readable(raw) == textwrap.dedent("""\
        Current thread 0x2 (most recent call first):
          File "/home/me/test_models.py", line 9 in train
          ... and pytest's own frames""")


def test_words() -> None:
    """Signals have names, most real-time ones do not; how often memory ran out is a number."""
    assert (signal_name(9), signal_name(43)) == ("SIGKILL", "signal 43")
    assert oom_kills() >= 0


def test_a_normal_end(tmp_path: Path) -> None:
    """A process that exits by itself leaves no file behind."""
    process = start(tmp_path, HANGS.replace("sum(range(10**13))", "pass"))
    process.communicate()
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_kill_is_blamed_on_memory_only_where_the_kernel_says_so() -> None:
    """A process is out of memory if the kernel names it; where some process was killed for memory meanwhile, that is a possibility."""
    named = Found("stacks", was_out_of_memory=True, memory_ran_out=True).killed("killed by SIGKILL")
    assert (named.kind, named.cause) == (Death.OUT_OF_MEMORY, "killed by SIGKILL by the kernel, because memory ran out")
    another = Found("stacks", memory_ran_out=True).killed("killed by SIGKILL")
    assert another.kind is Death.CRASH
    assert another.cause.startswith("killed by SIGKILL, possibly because memory ran out: ")
    assert Found().killed("killed by SIGKILL") == Ending("killed by SIGKILL")
