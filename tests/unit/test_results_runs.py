"""What `list_runs` says of each run."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pytest_sweep import Run, list_runs, load_results
from pytest_sweep.store import RunStore, package_versions, version_changes, who_runs

ASKING = """
import sys
from pathlib import Path
from pytest_sweep import list_runs
from pytest_sweep.store import who_runs
(run,) = list_runs(sys.argv[1])
print(run.is_running, who_runs(Path(run.path)) is not None)
"""


def make_store(results_dir: Path, **more: object) -> RunStore:
    """Return the store of a new run."""
    arguments: dict[str, object] = {
        "seed": 7,
        "command": "pytest --sweep",
        "executor": "inline",
        "rootdir": results_dir,
        "versions": {"python": "3.11", "numpy": "1.26.0"},
        "git": ("abc", True),
    }
    return RunStore.create(results_dir, **{**arguments, **more})  # type: ignore[arg-type]


def asked_elsewhere(results_dir: Path) -> str:
    """Return what another process says: whether the run goes on, and whether its lock is held."""
    command = [sys.executable, "-c", ASKING, str(results_dir)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_what_is_known(tmp_path: Path) -> None:
    """A run has its seed, command line, commit, versions, times, exit status, executor and place."""
    first = make_store(tmp_path, now=1e9)
    first.finish(1, now=1e9 + 60)
    first.close()
    second = make_store(tmp_path, now=1e9 + 3600, git=None, resumed_from=first.path)
    second.close()
    newer, older = list_runs(tmp_path)
    assert older == Run(
        name=first.path.name,
        path=str(first.path),
        seed=7,
        command="pytest --sweep",
        started=1e9,
        executor="inline",
        finished=1e9 + 60,
        exit_status=1,
        is_running=False,
        commit="abc",
        dirty=True,
        versions={"python": "3.11", "numpy": "1.26.0"},
    )
    assert (newer.name, newer.resumed_from) == (second.path.name, first.path.name)
    assert (newer.exit_status, newer.finished, newer.commit, newer.dirty) == (None, None, None, None)
    assert load_results(older).path == first.path


def test_no_runs(tmp_path: Path) -> None:
    """A folder without runs has none."""
    assert list_runs(tmp_path) == []
    assert list_runs(tmp_path / "absent") == []


class TestRunning:
    def test_it_is_said_everywhere(self, tmp_path: Path) -> None:
        """A run goes on until its store is closed. Its own process may ask for that, and keeps its lock."""
        store = make_store(tmp_path)
        assert asked_elsewhere(tmp_path) == "True True"
        assert [run.is_running for run in list_runs(tmp_path)] == [True]
        assert asked_elsewhere(tmp_path) == "True True"
        store.finish(0)
        store.close()
        assert asked_elsewhere(tmp_path) == "False False"
        assert [run.is_running for run in list_runs(tmp_path)] == [False]

    def test_not_of_one_that_was_killed(self, tmp_path: Path) -> None:
        """A run whose driver died does not go on, though it never ended."""
        code = (
            "import os, sys; from pathlib import Path; from tests.unit.test_results_runs import make_store;"
            "make_store(Path(sys.argv[1])); os._exit(0)"
        )
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], check=True, timeout=60, cwd=Path(__file__).parents[2]
        )
        (run,) = list_runs(tmp_path)
        assert (run.is_running, run.finished) == (False, None)
        assert who_runs(Path(run.path)) is None


class TestNotes:
    def test_a_newer_version(self, tmp_path: Path) -> None:
        """A run that a newer version wrote is listed, with what can be read of it and a note."""
        store = make_store(tmp_path, now=1e9)
        store.finish(0, now=1e9 + 60)
        store.close()
        with closing(sqlite3.connect(store.path / "run.db")) as connection:
            connection.execute("ALTER TABLE run ADD COLUMN future TEXT NOT NULL DEFAULT 'x'")
            connection.execute("PRAGMA user_version=99")
        (run,) = list_runs(tmp_path)
        assert "was written by a newer pytest-sweep" in str(run.note)
        assert "upgrade pytest-sweep" in str(run.note)
        assert (run.name, run.seed, run.started, run.exit_status) == (store.path.name, 7, 1e9, 0)

    @pytest.mark.parametrize("content", [b"", b"no database" * 1000])
    def test_a_damaged_one(self, tmp_path: Path, content: bytes) -> None:
        """One that cannot be read hides no other."""
        make_store(tmp_path, now=1e9).close()
        damaged = make_store(tmp_path, now=1e9 + 5)
        damaged.close()
        (damaged.path / "run.db").write_bytes(content)
        newest, other = list_runs(tmp_path)
        assert (newest.name, newest.seed) == (damaged.path.name, None)
        assert str(damaged.path / "run.db") in str(newest.note)
        assert other.note is None


class TestVersions:
    def test_all_packages(self) -> None:
        """All installed packages are there, as importlib.metadata knows them."""
        from importlib.metadata import version

        found = package_versions()
        assert {"python", "platform", "pytest", "sqlalchemy", "iniconfig", "typing-extensions"} <= found.keys()
        assert {name: version(name) for name in ("pytest", "sqlalchemy", "iniconfig")}.items() <= found.items()

    def test_the_first_one_counts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a package that is installed twice, the one that would be imported counts."""
        for folder, name in (
            ("a", "Some_Package-1.0.dist-info"),
            ("b", "some_package-2.0.dist-info"),
            ("b", "old-3-py3.9.egg-info"),
        ):
            (tmp_path / folder / name).mkdir(parents=True)
        monkeypatch.setattr(sys, "path", [str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "absent.zip")])
        found = package_versions()
        assert (found["some-package"], found["old"]) == ("1.0", "3")

    def test_copies_within_a_package_do_not_count(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What an installed package brings for itself is not of the environment, as when Ray puts it first on the search path."""
        site = tmp_path / "project" / "venv" / "site-packages"
        vendored = site / "big" / "thirdparty_files"
        for folder in (site / "own-1.0.dist-info", vendored / "own-0.1.dist-info", vendored / "copied-2.0.dist-info"):
            folder.mkdir(parents=True)
        for package in (site / "big", tmp_path / "project"):
            (package / "__init__.py").touch()
        monkeypatch.setattr(sys, "path", [str(tmp_path), str(site)])
        before = package_versions()
        monkeypatch.setattr(sys, "path", [str(vendored), str(tmp_path), str(site)])
        assert package_versions() == before
        assert before["own"] == "1.0"

    def test_folders_beside_the_packages_count(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A folder that is no package, and that a .pth file has put on the search path, is of the environment wherever it lies."""
        site = tmp_path / "site-packages"
        for folder in (
            site / "own-1.0.dist-info",
            site / "more" / "extra-2.0.dist-info",
            tmp_path / "lib" / "editable-3.0.dist-info",
        ):
            folder.mkdir(parents=True)
        monkeypatch.setattr(sys, "path", [str(site), str(site / "more"), str(tmp_path / "lib")])
        found = package_versions()
        assert (found["own"], found["extra"], found["editable"]) == ("1.0", "2.0", "3.0")

    def test_changes(self) -> None:
        """What changed, came and went is said; what 0.1.0 did not store is not."""
        many = {f"p{number}": "1" for number in range(12)}
        assert version_changes({**many, "numpy": "1", "gone": "2"}, {**many, "numpy": "2", "new": "3"}) == [
            "gone 2, now not installed",
            "new not installed, now 3",
            "numpy 1, now 2",
        ]
        assert version_changes({"numpy": "1"}, {"numpy": "1", "new": "3"}) == []
