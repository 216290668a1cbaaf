"""Single files are copied to a location whole or not at all, and found there, on a disk and in a store of objects."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from pytest_sweep.checkpoints import check_place, folders_with, get_file, put_file
from pytest_sweep.errors import SweepError


@pytest.fixture(params=["path", "file", "local", "memory"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder that does not exist yet, as a path and as URLs."""
    folder = tmp_path / "my store"
    quoted = str(folder).replace(" ", "%20")
    yield {
        "path": str(folder),
        "file": f"file://{quoted}",
        "local": f"local://{folder}",
        "memory": f"memory://{folder}",
    }[request.param]
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.db"
    path.write_bytes(b"one")
    return path


def names(folder: Path) -> list[str]:
    """Return the names of all files below a folder, hidden ones too."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


class TestPut:
    def test_there_and_back(self, location: str, source: Path, tmp_path: Path) -> None:
        """What was put under a name with folders is got under it, and the source stays."""
        put_file(source, location, "run-1/run.db")
        get_file(location, "run-1/run.db", tmp_path / "back" / "again" / "run.db")
        assert (tmp_path / "back" / "again" / "run.db").read_bytes() == b"one"
        assert source.read_bytes() == b"one"

    def test_it_replaces(self, location: str, source: Path, tmp_path: Path) -> None:
        """A second file of the same name takes the place of the first, and one that was got before, too."""
        put_file(source, location, "run-1/run.db")
        get_file(location, "run-1/run.db", tmp_path / "back")
        source.write_bytes(b"second")
        put_file(source, location, "run-1/run.db")
        get_file(location, "run-1/run.db", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == b"second"

    def test_nothing_else_is_left(self, source: Path, tmp_path: Path) -> None:
        """On a disk there is one file afterwards, under its name, at either end."""
        put_file(source, str(tmp_path / "store"), "run-1/run.db")
        get_file(str(tmp_path / "store"), "run-1/run.db", tmp_path / "back" / "run.db")
        assert names(tmp_path / "store") == names(tmp_path / "back") == ["run.db"]

    def test_a_copy_that_breaks_off(self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where a copy breaks off, the old file stays whole, nothing half done is left, and the error names both ends."""
        store = tmp_path / "store"
        put_file(source, str(store), "run.db")
        copyfile = shutil.copyfile

        def break_off(one: Path, two: Path) -> None:
            copyfile(one, two)
            two.write_bytes(b"hal")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(shutil, "copyfile", break_off)
        with pytest.raises(SweepError) as put:
            put_file(source, str(store), "run.db")
        assert str(put.value) == f"source.db could not be copied to {store}: [Errno 28] No space left on device"
        (tmp_path / "back").mkdir()
        (tmp_path / "back" / "run.db").write_bytes(b"old")
        with pytest.raises(SweepError) as got:
            get_file(str(store), "run.db", tmp_path / "back" / "run.db")
        assert str(got.value) == f"run.db could not be copied from {store}: [Errno 28] No space left on device"
        assert names(store) == names(tmp_path / "back") == ["run.db"]
        assert (store / "run.db").read_bytes() == b"one"
        assert (tmp_path / "back" / "run.db").read_bytes() == b"old"

    def test_a_location_that_nobody_knows(self, source: Path) -> None:
        """A URL that cannot be used is the error that names the option, not one of copying."""
        with pytest.raises(SweepError, match=r"^--sweep-storage=nowhere://x: "):
            put_file(source, "nowhere://x", "run.db")
        with pytest.raises(SweepError, match=r"^--sweep-storage=nowhere://x: "):
            folders_with("nowhere://x", "run.db")


class TestGet:
    def test_what_is_not_there(self, location: str, tmp_path: Path) -> None:
        """A file that is absent is an error that names it and the location; nothing is made but the folder."""
        with pytest.raises(SweepError) as got:
            get_file(location, "run-1/run.db", tmp_path / "back" / "run.db")
        assert str(got.value).startswith(f"run-1/run.db could not be copied from {location}: ")
        assert list((tmp_path / "back").iterdir()) == []


class TestFolders:
    def test_those_that_hold_it(self, location: str, source: Path) -> None:
        """Only folders that hold the file themselves are named, sorted; what was put after a first look is seen."""
        put_file(source, location, "c/run.db")
        assert folders_with(location, "run.db") == ["c"]
        for name in ("b/run.db", "a/run.db", "d/other.db", "e/deep/run.db", "run.db"):
            put_file(source, location, name)
        assert folders_with(location, "run.db") == ["a", "b", "c"]

    def test_nothing_there(self, location: str) -> None:
        """A location that does not exist holds none."""
        assert folders_with(location, "run.db") == []

    def test_a_store_that_cannot_be_reached(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Trouble with the store is an error that names the option and the location."""

        def fail(*_: object, **__: object) -> Any:
            raise ConnectionError("no route to host")

        monkeypatch.setattr(type(fsspec.filesystem("memory")), "glob", fail)
        with pytest.raises(SweepError) as raised:
            folders_with("memory://x", "run.db")
        assert str(raised.value) == "--sweep-storage=memory://x cannot be read: no route to host"

    def test_other_processes_write_there_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the file system of fsspec remembers of an earlier look is forgotten before each look."""
        forgotten = []
        monkeypatch.setattr(type(fsspec.filesystem("memory")), "invalidate_cache", lambda *_: forgotten.append(1))
        folders_with("memory://x", "run.db")
        assert forgotten == [1]


def test_a_file_system_that_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a package behind fsspec raises as it is opened becomes an error that names the option, the URL and the cause."""

    def fail(_: str) -> Any:
        raise RuntimeError("no credentials")

    monkeypatch.setattr("fsspec.core.url_to_fs", fail)
    with pytest.raises(SweepError) as raised:
        check_place("s3://bucket/runs")
    assert str(raised.value) == "--sweep-storage=s3://bucket/runs cannot be used: RuntimeError: no credentials"
