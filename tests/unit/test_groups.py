"""What is left of a process group when its leader ends: killed, but for what tidies up after it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from pytest_sweep.executors.groups import end_group

LEADER = """
    import os, subprocess, sys
    from multiprocessing import shared_memory

    memory = shared_memory.SharedMemory(name=sys.argv[1], create=True, size=10)
    child = subprocess.Popen([sys.executable, "-c", sys.argv[2]])
    print(child.pid, flush=True)
    if len(sys.argv) > 3:
        os._exit(0)
    sys.stdin.read()
"""


@contextmanager
def started(folder: Path, child: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], psutil.Process, Path]]:
    """Start a leader with a child; give both, and where its shared memory is."""
    name = f"sweep-{folder.name}"
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LEADER), name, child, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as leader:
        assert leader.stdout is not None
        yield leader, psutil.Process(int(leader.stdout.readline())), Path("/dev/shm", name)


def is_gone(process: psutil.Process) -> bool:
    """Say whether a process has ended, reaped or not."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def wait_for_end(process: psutil.Process) -> None:
    """Wait until a process has ended."""
    deadline = time.monotonic() + 10
    while not is_gone(process):
        assert time.monotonic() < deadline, f"{process} lives on"
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for shared memory where Linux has it")
def test_a_leader_that_is_killed(tmp_path: Path) -> None:
    """It ends with its children at once; its shared memory is unlinked by the process that is there for that."""
    with started(tmp_path, "import time; time.sleep(1000)") as (leader, child, memory):
        assert memory.exists()
        end_group(leader.pid)
        assert leader.wait(10) == -9
        wait_for_end(child)
        assert not memory.exists()


def test_a_leader_that_has_ended(tmp_path: Path) -> None:
    """A child that ends within the time of grace is not killed; one that does not is."""
    done = tmp_path / "done"
    with started(tmp_path, f"import time; time.sleep(0.3); open({str(done)!r}, 'w')", "exits") as (leader, child, _):
        leader.wait(10)
        end_group(leader.pid, grace=10)
        assert is_gone(child)
        assert done.exists()
    with started(tmp_path, "import time; time.sleep(1000)", "exits") as (leader, child, _):
        leader.wait(10)
        end_group(leader.pid, grace=0.1)
        wait_for_end(child)


def test_a_group_that_is_not_there() -> None:
    """Nothing happens to anybody."""
    process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    process.wait(10)
    end_group(process.pid, grace=10)
