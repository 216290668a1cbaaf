"""The folder of a local Ray's session: private, with a short path, and deleted at the end."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_sweep.errors import ExecutorError
from pytest_sweep.executors.ray.cluster.session_folder import (
    ABANDONED_SECONDS,
    LONGEST_SOCKET,
    SOCKET_LIMIT,
    SessionFolder,
)
from tests.support.users import STRANGER, needs_second_user

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")

HELD = """
import sys
from pytest_sweep.executors.ray.cluster.session_folder import SessionFolder
print(SessionFolder().path.parent, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files with a short path."""
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_may_enter(short: Path) -> None:
    """It has mode 0700, and what Ray is given is a folder in it: Ray opens that to all."""
    folder = SessionFolder()
    assert folder.path.parent.parent == short
    assert mode(folder.path.parent) == 0o700
    assert folder.warning == ""
    folder.path.mkdir()
    folder.path.chmod(0o777)
    folder.remove()
    folder.remove()
    assert list(short.iterdir()) == []


def test_each_run_has_its_own() -> None:
    """Two at once share nothing."""
    first, second = SessionFolder(), SessionFolder()
    assert first.path.parent != second.path.parent
    first.remove()
    assert second.path.parent.is_dir()
    second.remove()


def test_a_long_path_is_left_for_a_short_one(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where TMPDIR is too long for sockets, /tmp is taken."""
    long = short / ("x" * 60)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = SessionFolder()
    assert folder.path.parent.parent == Path("/tmp")
    assert len(f"{folder.path}{LONGEST_SOCKET}") <= SOCKET_LIMIT
    folder.remove()
    assert not folder.path.parent.exists()


def test_a_folder_that_others_may_write_to_is_left_out(short: Path) -> None:
    """Where all may rename what is in TMPDIR, which has no sticky bit, /tmp is taken."""
    short.chmod(0o777)
    folder = SessionFolder()
    assert folder.path.parent.parent == Path("/tmp")
    folder.remove()


def test_what_the_user_names_is_used(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RAY_TMPDIR is where it lies, and is made where it is absent."""
    monkeypatch.setenv("RAY_TMPDIR", str(short / "named"))
    folder = SessionFolder()
    assert folder.path.parent.parent == short / "named"
    assert folder.warning == ""
    folder.remove()
    assert (short / "named").is_dir()


def test_a_named_folder_that_is_not_safe(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A RAY_TMPDIR in which others could replace the folder is used, with a warning."""
    short.chmod(0o777)
    monkeypatch.setenv("RAY_TMPDIR", str(short))
    folder = SessionFolder()
    assert folder.warning.startswith(f"RAY_TMPDIR={short} is not safe: all users may write to {short}")
    assert mode(folder.path.parent) == 0o700
    folder.remove()


@needs_second_user
def test_a_named_folder_of_another_user(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The warning names the user who owns a RAY_TMPDIR."""
    os.chown(short, STRANGER, -1)
    monkeypatch.setenv("RAY_TMPDIR", str(short))
    folder = SessionFolder()
    assert f"{short} belongs to the user {STRANGER}" in folder.warning
    folder.remove()


def test_a_named_folder_that_is_too_long(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A RAY_TMPDIR that is too long is an error that says by how much: another place was not asked for."""
    monkeypatch.setenv("RAY_TMPDIR", str(short / ("x" * 60)))
    with pytest.raises(
        ExecutorError, match=r"RAY_TMPDIR cannot be used: the path .* is \d+ bytes too long for Ray's sockets"
    ):
        SessionFolder()
    assert list(short.iterdir()) == []


def test_a_named_folder_that_is_a_file(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A RAY_TMPDIR that is no folder is an error."""
    (short / "file").touch()
    monkeypatch.setenv("RAY_TMPDIR", str(short / "file"))
    with pytest.raises(ExecutorError, match=r"RAY_TMPDIR=.*file cannot be used"):
        SessionFolder()


def test_kept_for_its_logs(short: Path) -> None:
    """Of a Ray that did not start the folder stays."""
    folder = SessionFolder()
    folder.path.mkdir()
    assert folder.keep() == folder.path
    folder.remove()
    assert folder.path.is_dir()


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_the_end_of_its_process(short: Path, end: str) -> None:
    """At the end of its process it goes; of a process that was killed the next run deletes it, once Ray's last process is gone."""
    process, folder = held(short)
    assert mode(folder) == 0o700
    make_old(folder)
    SessionFolder().remove()
    assert folder.is_dir(), "it was deleted while its driver lived"
    if end == "exit":
        process.communicate("")
        assert process.returncode == 0
    else:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert folder.is_dir()
        SessionFolder().remove()
    assert not folder.exists()


def test_one_that_was_just_abandoned(short: Path) -> None:
    """A folder whose driver has just been killed stays: Ray's agents live for a minute more."""
    process, folder = held(short)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    SessionFolder().remove()
    assert folder.is_dir()


def test_what_looks_like_one_but_is_not(short: Path) -> None:
    """A link, and a folder that others may enter, are not deleted as abandoned, nor is what they hold."""
    precious = short / "precious"
    precious.mkdir(mode=0o700)
    (precious / "in-use").touch()
    (short / "sweep-ray-link").symlink_to(precious)
    shared = short / "sweep-ray-shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "in-use").touch()
    for folder in (precious, shared):
        make_old(folder)
    SessionFolder().remove()
    assert (precious / "in-use").exists()
    assert (shared / "in-use").exists()


def test_a_forked_child_deletes_nothing(short: Path) -> None:
    """A child that was forked and ends like any process leaves the folder alone."""
    process, folder = held(
        short, HELD.replace("sys.stdin.read()", "import os\nos.fork() or sys.exit()\nos.wait()\nsys.stdin.read()")
    )
    assert folder.is_dir()
    process.communicate("")
    assert not folder.exists()


def held(short: Path, script: str = HELD) -> tuple[subprocess.Popen[str], Path]:
    """Start a process that holds such a folder until its input ends; return both."""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(short)},
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def make_old(folder: Path) -> None:
    then = time.time() - 2 * ABANDONED_SECONDS
    os.utime(folder / "in-use", (then, then))
