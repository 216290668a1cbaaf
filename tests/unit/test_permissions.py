"""Which other users may read a file, or put something else in its place."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_sweep.permissions import (
    is_private_folder,
    owner,
    who_may_read,
    who_may_write,
    why_replaceable,
    why_untrusted,
)
from tests.support.users import STRANGER, as_stranger, needs_second_user

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that others may enter, which pytest's tmp_path is not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def make(folder: Path, mode: int, name: str = "file") -> Path:
    path = folder / name
    path.write_text("secret")
    path.chmod(mode)
    return path


@needs_second_user
@pytest.mark.parametrize("home", [0o700, 0o711, 0o750, 0o755, 0o777])
@pytest.mark.parametrize("mode", [0o600, 0o604, 0o640, 0o644, 0o606, 0o666])
def test_it_says_what_the_kernel_does(place: Path, home: int, mode: int) -> None:
    """A file counts as readable by all where a second user can read it, and as writable where that user can write to it."""
    folder = place / "home"
    folder.mkdir()
    path = make(folder, mode)
    folder.chmod(home)
    quoted = shlex.quote(str(path))
    assert (as_stranger(f"cat {quoted}").stdout == "secret") == (who_may_read(path) == "all users")
    assert (as_stranger(f"echo >> {quoted}").returncode == 0) == (who_may_write(path) == "all users")


@needs_second_user
@pytest.mark.parametrize("mode", [0o700, 0o711, 0o755, 0o733, 0o777, 0o1777])
def test_it_knows_who_can_rename(place: Path, mode: int) -> None:
    """The content of a folder counts as replaceable where a second user can rename it."""
    folder = place / "folder"
    folder.mkdir()
    path = make(folder, 0o600)
    folder.chmod(mode)
    answer = as_stranger(f"mv {shlex.quote(str(path))} {shlex.quote(str(folder / 'other'))}")
    assert (answer.returncode == 0) == (why_replaceable(folder) is not None)


@needs_second_user
def test_others_than_all(place: Path) -> None:
    """A group is named, but for one that has this user's name and no other member."""
    path = make(place, 0o640)
    assert who_may_read(path) is None
    os.chown(path, -1, STRANGER)
    assert who_may_read(path) == f"the group {STRANGER}"
    os.chown(path, STRANGER, -1)
    assert owner(path) == f"the user {STRANGER}"


@needs_second_user
def test_a_folder_of_another_user_above(place: Path) -> None:
    """Who owns a folder above can replace what is below, whatever its own permissions are."""
    inner = place / "outer" / "inner"
    inner.mkdir(parents=True)
    inner.chmod(0o700)
    assert why_untrusted(inner) is None
    os.chown(place / "outer", STRANGER, STRANGER)
    assert why_untrusted(inner) == f"{place.resolve() / 'outer'} belongs to the user {STRANGER}"
    assert why_replaceable(inner) is None


def test_a_private_folder(tmp_path: Path) -> None:
    """A folder is private if only its owner may do anything with it; a link to one is not, since others may change links."""
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(folder)
    assert is_private_folder(folder)
    assert not is_private_folder(tmp_path / "link")
    folder.chmod(0o710)
    assert not is_private_folder(folder)
    with pytest.raises(FileNotFoundError):
        is_private_folder(tmp_path / "none")


def test_a_link_is_followed(place: Path) -> None:
    """It is the file behind a link that is read."""
    link = place / "link"
    link.symlink_to(make(place, 0o644))
    assert who_may_read(link) == "all users"
