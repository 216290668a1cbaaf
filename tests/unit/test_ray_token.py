"""Ray's token: only this user may read the one that is made, and one that others may know is refused."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_sweep.errors import ExecutorError
from pytest_sweep.executors.ray.cluster.authentication import turn_on
from pytest_sweep.executors.ray.cluster.token import ensure_token
from tests.support.users import STRANGER, as_stranger, needs_second_user

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh home folder that others may enter, as most systems make it."""
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.setenv(name, "for monkeypatch to restore")
        monkeypatch.delenv(name)
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        monkeypatch.setenv("HOME", name)
        yield Path(name)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def given(home: Path, *, folder: int = 0o700, file: int = 0o600) -> Path:
    (home / ".ray").mkdir()
    token = home / ".ray" / "auth_token"
    token.write_text("known")
    token.chmod(file)
    (home / ".ray").chmod(folder)
    return token


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077, 0o777])
def test_it_is_made_private_whatever_the_umask(home: Path, umask: int) -> None:
    """The file has mode 0600 and its folder 0700, under every umask."""
    script = f"import os; os.umask({umask}); from pytest_sweep.executors.ray.cluster.token import ensure_token; ensure_token()"
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "HOME": str(home)})
    token = home / ".ray" / "auth_token"
    assert (mode(token), mode(token.parent)) == (0o600, 0o700)
    assert len(token.read_text()) == 64
    assert [path.name for path in token.parent.iterdir()] == ["auth_token"]


def test_all_that_start_at_once_have_the_same(home: Path) -> None:
    """Of many that make it at once one wins, and nobody reads half of it."""
    token = home / ".ray" / "auth_token"

    def make(_: int) -> str:
        ensure_token()
        return token.read_text()

    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(make, range(64)))
    assert len(found) == 1
    assert len(found.pop()) == 64


def test_a_file_system_without_links(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no hard links the file is renamed into its place."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    ensure_token()
    assert mode(home / ".ray" / "auth_token") == 0o600


def test_a_private_one_is_left_as_it_is(home: Path) -> None:
    """A token that is there is used, and neither it nor its folder is changed."""
    token = given(home, folder=0o755, file=0o400)
    assert turn_on(None) == ""
    assert (token.read_text(), mode(token), mode(token.parent)) == ("known", 0o400, 0o755)


@pytest.mark.parametrize("address", [None, "127.0.0.1:6379"])
@pytest.mark.parametrize(
    ("folder", "file", "reason"),
    [
        (0o755, 0o644, r"all users may read it \(mode 0644\)"),
        (0o711, 0o604, "all users may read it"),
        (0o755, 0o622, "all users may write to it"),
        (0o777, 0o600, r"all users may write to .*/\.ray, so it could be replaced"),
    ],
)
def test_one_that_others_may_know_is_refused(
    home: Path, folder: int, file: int, reason: str, address: str | None
) -> None:
    """A token that others may read or replace is refused, says why and what to do, and stays as it is."""
    token = given(home, folder=folder, file=file)
    with pytest.raises(ExecutorError, match=rf"is refused because {reason}.*RAY_AUTH_TOKEN_PATH"):
        turn_on(address)
    assert (mode(token), mode(token.parent), token.read_text()) == (file, folder, "known")
    assert "RAY_AUTH_MODE" not in os.environ


def test_no_token_is_made_where_others_could_replace_it(home: Path) -> None:
    """In a folder that others may write to no token is made."""
    (home / ".ray").mkdir()
    (home / ".ray").chmod(0o777)
    with pytest.raises(ExecutorError, match="all users may write to"):
        ensure_token()
    assert list((home / ".ray").iterdir()) == []


def test_a_readable_file_in_a_closed_folder_is_private(home: Path) -> None:
    """What Ray itself has made with mode 0644 is good enough in a home folder that others may not enter."""
    given(home, folder=0o755, file=0o644)
    home.chmod(0o700)
    assert turn_on(None) == ""


@pytest.mark.parametrize("kind", ["folder", "fifo", "link"])
def test_what_is_no_file_is_refused(home: Path, kind: str) -> None:
    """A folder, a pipe and a link to nothing are refused at once."""
    (home / ".ray").mkdir(mode=0o700)
    token = home / ".ray" / "auth_token"
    make: dict[str, Callable[[], object]] = {
        "folder": token.mkdir,
        "fifo": lambda: os.mkfifo(token),
        "link": lambda: token.symlink_to(home / "nothing"),
    }
    make[kind]()
    with pytest.raises(ExecutorError, match="is not a regular file"):
        ensure_token()


def test_no_place_for_it(home: Path) -> None:
    """A folder that cannot be made is an error that names the variable to set."""
    (home / ".ray").write_text("a file")
    with pytest.raises(ExecutorError, match=r"Ray's token .*RAY_AUTH_TOKEN_PATH"):
        ensure_token()


def test_one_in_the_environment_needs_no_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With RAY_AUTH_TOKEN no file is made, and none is looked at."""
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    ensure_token()
    assert list(home.iterdir()) == []


def test_one_that_a_container_mounts_for_a_cluster(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that RAY_AUTH_TOKEN_PATH names is taken for a cluster as it is, but not for a Ray of our own."""
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(given(home, folder=0o755, file=0o644)))
    turn_on("10.0.0.1:6379")
    with pytest.raises(ExecutorError, match="may read it"):
        turn_on(None)


@needs_second_user
class TestASecondUser:
    """With umask 022 and a fresh home folder."""

    def test_reads_nothing(self, home: Path) -> None:
        """Another user reads neither the token nor the names beside it."""
        script = "import os; os.umask(0o022); from pytest_sweep.executors.ray.cluster.token import ensure_token; ensure_token()"
        subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "HOME": str(home)})
        folder = shlex.quote(str(home / ".ray"))
        for attack in (f"cat {folder}/auth_token", f"ls {folder}", f"mv {folder} {folder}2", f"touch {folder}/x"):
            answer = as_stranger(attack)
            assert answer.returncode != 0, attack
            assert answer.stdout == ""

    @pytest.mark.parametrize("owned", ["auth_token", "."])
    def test_cannot_put_one_there(self, home: Path, owned: str) -> None:
        """A token, or its folder, that belongs to another user is refused."""
        token = given(home)
        os.chown(token.parent / owned, STRANGER, STRANGER)
        with pytest.raises(ExecutorError, match=f"belongs to the user {STRANGER}"):
            ensure_token()
