"""Where a worker finds the driver's files, and what it says where it finds none."""

from __future__ import annotations

import dataclasses
import os
import pickle
import stat
import sys
import tempfile
from pathlib import Path

import pytest

from pytest_sweep.errors import ExecutorError
from pytest_sweep.wire.code import Code, Copy, Sign, scratch_folder
from pytest_sweep.wire.spec import SessionSpec, enter
from pytest_sweep.wire.versions import difference, essential_versions


class TestSign:
    def test_a_file_of_ours(self, tmp_path: Path) -> None:
        """Its name is enough, since no other file has it."""
        sign = Sign(str(tmp_path / "sign"))
        assert not sign.is_seen()
        (tmp_path / "sign").touch()
        assert sign.is_seen()

    def test_a_file_of_the_users(self, tmp_path: Path) -> None:
        """One that was there before must be the same file: another machine may have a checkout at the same path."""
        (tmp_path / "a.py").write_text("x")
        sign = Sign.of(str(tmp_path / "a.py"))
        assert sign.is_seen()
        (tmp_path / "b.py").write_text("x")
        (tmp_path / "b.py").replace(tmp_path / "a.py")
        assert not sign.is_seen()


class TestCopy:
    @pytest.mark.parametrize(
        ("given", "here"),
        [
            ("/home/me/ml", "/tmp/copy"),
            ("/home/me/ml/tests/a.py", "/tmp/copy/tests/a.py"),
            ("/home/me/ml2/a.py", "/home/me/ml2/a.py"),
            ("/usr/lib", "/usr/lib"),
        ],
    )
    def test_paths(self, given: str, here: str) -> None:
        """A path in the folder has its equivalent, any other stays."""
        assert Copy("/home/me/ml", "/tmp/copy").path(given) == here

    @pytest.mark.parametrize(
        ("given", "here"),
        [
            ("/home/me/ml/a.py::train[x=1]", "/tmp/copy/a.py::train[x=1]"),
            ("--rootdir=/home/me/ml", "--rootdir=/tmp/copy"),
            ("--config-file=/home/me/ml/pytest.ini", "--config-file=/tmp/copy/pytest.ini"),
            ("-x", "-x"),
            ("tests/a.py", "tests/a.py"),
        ],
    )
    def test_arguments(self, given: str, here: str) -> None:
        """Paths in arguments are found with a test's name behind them, and behind an option."""
        assert Copy("/home/me/ml", "/tmp/copy").argument(given) == here


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A rootdir of the driver's that is not there."""
    return tmp_path / "driver" / "project"


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, where this process starts, as Ray starts one."""
    copy = tmp_path / "copy"
    (copy / "src").mkdir(parents=True)
    (copy / "test_a.py").touch()
    monkeypatch.chdir(copy)
    return copy


def spec_of(root: Path, code: Code) -> SessionSpec:
    """Return a spec of a driver with this rootdir."""
    return SessionSpec(
        args=(f"{root}/test_a.py", f"--rootdir={root}"),
        cwd=str(root),
        files=(f"{root}/test_a.py",),
        basetemp="/tmp/of-the-driver",
        sys_path=("", f"{root}/src", f"{root}/not-shipped", "/of/the/driver", str(root)),
        environ={},
        run="2026",
        results=f"{root}/sweep_results/2026",
        workerinput={},
        code=code,
        versions={},
    )


def private(root: Path) -> Path:
    """Return a folder that only this user may enter."""
    folder = root / "private"
    folder.mkdir(mode=0o700, parents=True)
    return folder


class TestLocalized:
    def test_on_the_machine_of_the_driver(self, root: Path) -> None:
        """Without a sign all workers are where the driver is, and nothing is looked for."""
        spec = spec_of(root, Code(str(root)))
        assert spec.localized() is spec

    @pytest.mark.usefixtures("copy")
    def test_where_the_rootdir_is_seen(self, root: Path) -> None:
        """There everything stays as it is, though there is a copy, too."""
        (root / "sweep_results" / "2026").mkdir(parents=True)
        (root / "sign").touch()
        spec = dataclasses.replace(
            spec_of(root, Code(str(root), Sign(str(root / "sign")), str(root))), basetemp=str(private(root))
        )
        assert spec.localized() == spec

    @pytest.mark.parametrize("kind", ["missing", "open to all", "link"])
    def test_where_only_the_temporary_folder_is_missing(self, root: Path, kind: str) -> None:
        """Nor is the driver's folder for temporary files used where another user may have made it, or could: its name is known to all."""
        (root / "sweep_results" / "2026").mkdir(parents=True)
        (root / "sign").touch()
        basetemp = root / "tmp"
        if kind == "open to all":
            basetemp.mkdir()
            basetemp.chmod(0o777)
        elif kind == "link":
            basetemp.symlink_to(private(root))
        spec = dataclasses.replace(
            spec_of(root, Code(str(root), Sign(str(root / "sign")), str(root))), basetemp=str(basetemp)
        )
        found = spec.localized()
        assert found.basetemp == f"{scratch_folder('2026', spec.token)}/tmp"
        assert dataclasses.replace(found, basetemp=spec.basetemp) == spec

    def test_in_a_copy(self, root: Path, copy: Path) -> None:
        """There paths are those of the copy: of the import path only what is in the rootdir, and files go to a folder of this machine."""
        spec = spec_of(root, Code(str(root), Sign(str(root / "sign")), str(root))).localized()
        assert spec.args == (f"{copy}/test_a.py", f"--rootdir={copy}")
        assert (spec.cwd, spec.files) == (str(copy), (f"{copy}/test_a.py",))
        assert spec.sys_path == (f"{copy}/src", str(copy))
        assert spec.scratch == scratch_folder("2026", spec.token)
        assert spec.basetemp == f"{spec.scratch}/tmp"
        assert spec.results == f"{root}/sweep_results/2026"

    def test_a_driver_started_elsewhere(self, root: Path, copy: Path) -> None:
        """A working directory outside the rootdir is not there: the copy of the rootdir takes its place."""
        spec = dataclasses.replace(spec_of(root, Code(str(root), Sign("/nowhere"), str(root))), cwd="/home/me")
        assert spec.localized().cwd == str(copy)

    def test_in_the_copy_of_a_job(self, root: Path, copy: Path) -> None:
        """Where a folder above the rootdir was shipped, the rootdir is within the copy."""
        (copy / "project").mkdir()
        spec = spec_of(root, Code(str(root), Sign("/nowhere"), str(root.parent))).localized()
        assert spec.cwd == f"{copy}/project"


class TestScratch:
    @pytest.fixture(autouse=True)
    def _tempdir(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def test_all_processes_of_a_run_have_the_same(self, root: Path) -> None:
        """A spec that has travelled names the same folder, which only its user may look into; another run has another one."""
        spec = spec_of(root, Code(str(root), Sign("/nowhere")))
        folder = Path(spec.localized().scratch)
        assert pickle.loads(pickle.dumps(spec)).localized().scratch == str(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert spec_of(root, spec.code).localized().scratch != str(folder)

    def test_nobody_can_know_its_name(self, root: Path) -> None:
        """The name is not made of what others know: user, run and time; and it is not shown with the spec."""
        spec = spec_of(root, Code(str(root), Sign("/nowhere")))
        assert spec.token in spec.localized().scratch
        assert len(spec.token) == 16
        assert spec.token not in repr(spec)

    @pytest.mark.parametrize("kind", ["link", "file", "open to all"])
    def test_one_that_others_may_have_made(self, tmp_path: Path, kind: str) -> None:
        """A link, a file or a folder that others may write to is left alone: the process gets a new folder."""
        taken, elsewhere = tmp_path / "pytest-sweep-2026-abc", tmp_path / "elsewhere"
        elsewhere.mkdir(0o700)
        if kind == "link":
            taken.symlink_to(elsewhere)
        elif kind == "file":
            taken.touch()
        else:
            taken.mkdir()
            taken.chmod(0o777)
        folder = Path(scratch_folder("2026", "abc"))
        assert folder not in (taken, elsewhere)
        assert folder.is_dir()
        assert not folder.is_symlink()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert list(elsewhere.iterdir()) == []

    @pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give a folder away")
    def test_one_of_another_user(self, tmp_path: Path) -> None:
        """A folder that belongs to another user is left alone, though root could write there."""
        taken = tmp_path / "pytest-sweep-2026-abc"
        taken.mkdir(0o700)
        os.chown(taken, 12345, 12345)
        folder = Path(scratch_folder("2026", "abc"))
        assert folder != taken
        assert folder.stat().st_uid == os.getuid()


class TestEnter:
    @pytest.fixture(autouse=True)
    def _put_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "path", sys.path[:])
        monkeypatch.setattr(os, "environ", dict(os.environ))

    def test_a_copy(self, root: Path, copy: Path) -> None:
        """A process in a copy has its working directory and its import path, with what it had itself after that."""
        before = sys.path[:]
        spec = dataclasses.replace(spec_of(root, Code(str(root), Sign("/nowhere"), str(root))), environ={"WANTED": "1"})
        enter(spec.localized())
        assert Path.cwd() == copy
        assert sys.path == [f"{copy}/src", str(copy), *before]
        assert os.environ["WANTED"] == "1"

    def test_a_file_that_has_not_travelled(self, root: Path, copy: Path) -> None:
        """A test file that .gitignore names, or that is outside, is missed by name, and the way out is said."""
        (copy / "test_a.py").unlink()
        spec = spec_of(root, Code(str(root), Sign("/nowhere"), str(root))).localized()
        with pytest.raises(
            ExecutorError, match=r"copy/test_a.py is not there for this worker: .* unless sweep_include brings it back"
        ):
            enter(spec)

    @pytest.mark.usefixtures("copy")
    def test_a_node_that_came_later(self, root: Path) -> None:
        """Where nothing was shipped, a machine that does not see the rootdir says so, and does not run another checkout there."""
        spec = spec_of(root, Code(str(root), Sign("/nowhere"))).localized()
        with pytest.raises(
            ExecutorError, match=r"does not see the folder .*/driver/project of the driver, and no copy was shipped"
        ):
            enter(spec)


class TestVersions:
    def test_the_same(self) -> None:
        """Nothing is said of what is the same; a last part of Python's version does not count."""
        assert difference(essential_versions(), "10.0.0.2") is None
        assert essential_versions()["Python"].count(".") == 1

    def test_others(self) -> None:
        """What differs is named on both sides, with the place and the interpreter; what does not is left out."""
        wanted = {**essential_versions(), "pytest": "9.0.1", "Python": "3.9"}
        text = str(difference(wanted, "10.0.0.2"))
        found = essential_versions()
        assert (
            f"at 10.0.0.2 has Python {found['Python']}, pytest {found['pytest']}, where the driver has Python 3.9, pytest 9.0.1"
            in text
        )
        assert sys.executable in text
        assert "pytest-sweep" not in text.partition("(")[0]
