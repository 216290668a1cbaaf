"""What other users of the machine, and other machines, can do to a Ray that is started for a run: nothing."""

from __future__ import annotations

import os
import re
import shlex
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.sessions import Session, wait_for
from tests.support.users import STRANGER, as_stranger, needs_second_user

SWEEP = """
import os, time
from pathlib import Path
import ray
from pytest_sweep import sweep

@sweep(grid={"n": [1]})
def train(n):
    node = ray._private.worker._global_node
    Path("session").write_text(node.address_info["session_dir"] + "\\n" + ray.get_runtime_context().gcs_address)
    while not Path("go").exists():
        time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Session, Path]]:
    """A run on Ray whose trial waits, with umask 022 and a fresh HOME that others may enter; and the folder of Ray's session."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name, pytest.MonkeyPatch.context() as patch:
        for variable in (
            "RAY_ADDRESS",
            "RAY_TMPDIR",
            "RAY_AUTH_TOKEN",
            "RAY_AUTH_TOKEN_PATH",
            "RAY_AUTH_MODE",
            "PYTEST_ADDOPTS",
        ):
            patch.delenv(variable, raising=False)
        folder = Path(name)
        for place in (folder, folder / "home"):
            place.mkdir(exist_ok=True)
            place.chmod(0o755)
        (folder / "sweep_waiting.py").write_text(SWEEP)
        before = os.umask(0o022)
        try:
            session = Session(folder, "-p", "no:asyncio", HOME=str(folder / "home"))
        finally:
            os.umask(before)
        try:
            wait_for(lambda: _written(folder) or session.process.poll() is not None, "the trial")
            assert session.process.poll() is None, session.output
            yield session, Path(_written(folder)[0])
            (folder / "go").touch()
            assert session.wait() == 0, session.output
            assert not Path(_written(folder)[0]).parent.parent.exists(), "the folder of Ray's session is left"
        finally:
            session.close()


def _written(folder: Path) -> list[str]:
    path = folder / "session"
    lines = path.read_text().split("\n") if path.exists() else []
    return lines if len(lines) == 2 else []


def test_it_listens_on_the_loopback_interface_only(running: tuple[Session, Path]) -> None:
    """No process of the run listens at an address that another machine could reach."""
    session, _ = running
    found = {
        (process.name(), connection.laddr.ip, connection.laddr.port)
        for process in [psutil.Process(session.process.pid), *session.family()]
        for connection in process.net_connections("inet")
        if connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
    }
    assert len(found) >= 5
    assert {ip.removeprefix("::ffff:") for _, ip, _ in found} == {"127.0.0.1"}, found


def test_its_folder_is_closed(running: tuple[Session, Path]) -> None:
    """The folder of Ray's session lies in one of mode 0700, and the token has mode 0600 in one of mode 0700."""
    session, folder = running
    token = session.folder / "home" / ".ray" / "auth_token"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder.parent.parent, token.parent, token)]
    assert modes == [0o700, 0o700, 0o600]


@needs_second_user
def test_a_second_user_is_refused(running: tuple[Session, Path]) -> None:
    """Another user can neither read, list nor replace what the run has made, nor reach its sockets."""
    session, folder = running
    home, private = shlex.quote(str(session.folder / "home")), shlex.quote(str(folder.parent.parent))
    inside = shlex.quote(str(folder))
    for attack in (
        f"cat {home}/.ray/auth_token",
        f"ls {home}/.ray",
        f"ls {private}",
        f"ls {inside}",
        f"ls {inside}/sockets/raylet",
        f"cat {inside}/logs/raylet.out",
        f"touch {inside}/runtime_resources/evil.py",
        f"mkdir {inside}/runtime_resources/working_dir_files",
        f"mv {private} {private}.away",
        f"rm -r {private}",
        f"ln -s /tmp {private}/r/session_latest2",
    ):
        answer = as_stranger(attack)
        assert answer.returncode != 0, attack
        assert answer.stdout == "", attack
    assert folder.is_dir()


@needs_second_user
def test_a_second_user_finds_no_secret(running: tuple[Session, Path]) -> None:
    """The token stands in no command line or environment that another user can read, nor in a file of the run."""
    session, _ = running
    token = (session.folder / "home" / ".ray" / "auth_token").read_text()
    shown = as_stranger("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'").stdout
    assert re.search("gcs_server", shown)
    assert token not in shown
    readable = as_stranger(
        f"grep -rl {token} {shlex.quote(str(session.folder))} /tmp/pytest-* /dev/shm 2>/dev/null"
    ).stdout
    assert readable == ""
    owned = as_stranger(f"find /tmp /dev/shm -maxdepth 1 -user {STRANGER} 2>/dev/null").stdout
    assert owned == ""
