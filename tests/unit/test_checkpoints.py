"""A checkpoint is complete or absent."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.checkpoints import save_checkpoint
from pytest_sweep.errors import SweepError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "trial" / "checkpoints"


def write(path: Path, **files: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def contents(path: Path) -> dict[str, str]:
    return {str(file.relative_to(path)): file.read_text() for file in sorted(path.rglob("*")) if file.is_file()}


def test_a_file(tmp_path: Path, folder: Path) -> None:
    """A file is kept in a folder of the checkpoint's name, which is made with all above it."""
    (tmp_path / "model.pt").write_text("weights")
    assert save_checkpoint(tmp_path / "model.pt", folder, "000001-1") == folder / "000001-1"
    assert contents(folder) == {"000001-1/model.pt": "weights"}


def test_a_folder(tmp_path: Path, folder: Path) -> None:
    """A folder is kept with all that is in it, under the checkpoint's name."""
    source = write(tmp_path / "state", a="1")
    write(source / "deep", b="2")
    save_checkpoint(source, folder, "000001-1")
    assert contents(folder / "000001-1") == {"a": "1", "deep/b": "2"}
    assert contents(source) == {"a": "1", "deep/b": "2"}


def test_a_copy_that_breaks_off(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that fails half-way leaves nothing under the checkpoint's name, and the next try succeeds."""
    source = write(tmp_path / "state", a="1", b="2")
    copy = shutil.copy2
    copied: list[str] = []

    def break_off(src: str, dst: str, **options: Any) -> Any:
        if copied:
            raise OSError(28, "No space left on device")
        copied.append(src)
        return copy(src, dst, **options)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copy2", break_off)
        # copytree has taken the real one as the default of its argument.
        patch.setattr(shutil.copytree, "__defaults__", (False, None, break_off, False, False))
        with pytest.raises(SweepError, match="No space left on device"):
            save_checkpoint(source, folder, "000001-1")
    assert copied
    assert not (folder / "000001-1").exists()
    save_checkpoint(source, folder, "000001-1")
    assert contents(folder / "000001-1") == {"a": "1", "b": "2"}
    assert [path.name for path in folder.iterdir()] == ["000001-1"]


def test_what_a_killed_process_left(tmp_path: Path, folder: Path) -> None:
    """The rest of a copy that was cut off does not get into the next checkpoint of that name, nor does an older one."""
    write(folder / ".000001-1.tmp", stale="x")
    write(folder / "000001-1", older="x")
    save_checkpoint(write(tmp_path / "state", a="1"), folder, "000001-1")
    assert contents(folder) == {"000001-1/a": "1"}


def test_what_does_not_exist(tmp_path: Path, folder: Path) -> None:
    """A source that is not there is an error that names it, and nothing is made."""
    with pytest.raises(SweepError, match=r"absent' does not exist: write the file or folder before you report it"):
        save_checkpoint(tmp_path / "absent", folder, "000001-1")
    assert not folder.exists()


def test_where_it_cannot_be_kept(tmp_path: Path, folder: Path) -> None:
    """A place that cannot be written is an error that names both."""
    write(tmp_path, trial="a file where the folder should be", model="x")
    with pytest.raises(SweepError, match=r"model could not be kept in .*checkpoints: "):
        save_checkpoint(tmp_path / "model", folder, "000001-1")


@pytest.mark.parametrize("above", ["trial", "trial/checkpoints", "."])
def test_a_folder_that_holds_the_checkpoints(tmp_path: Path, folder: Path, above: str) -> None:
    """A trial's own folder cannot be its checkpoint: it would hold all those before, and itself."""
    write(folder, a="1")
    with pytest.raises(SweepError, match="is a folder that holds the checkpoints themselves"):
        save_checkpoint(tmp_path / above, folder, "000001-1")
    assert contents(folder) == {"a": "1"}
