"""In which order runs began: their databases say it, and few of them are opened for that."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from pytest_sweep.errors import NoResultsError
from pytest_sweep.results.finding import find_run
from pytest_sweep.store import LastRun, RunStore, last_run, lost_runs, newest_runs, opening, order, run_folders
from pytest_sweep.store.folders import NOTHING_STORED, make_run_folder


def make_run(results_dir: Path, began: float, written: float | None = None) -> Path:
    """Make a run that began at one time, and whose database was written last at another (default a second later)."""
    store = RunStore.create(
        results_dir, seed=1, command="c", executor="inline", rootdir=results_dir, versions={}, git=None, now=began
    )
    store.close()
    at = began + 1 if written is None else written
    os.utime(store.path / "run.db", (at, at))
    return store.path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The databases that are opened to learn when their runs began."""
    found: list[Path] = []
    peek = opening.peek

    def noting(path: Path) -> dict[str, object]:
        found.append(path.parent)
        return peek(path)

    monkeypatch.setattr(order, "peek", noting)
    return found


class TestNames:
    @pytest.mark.parametrize("zone", ["Asia/Tokyo", "UTC", "America/Los_Angeles"])
    def test_they_are_in_utc(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
        """Wherever the machine is, the same moment gives the same name."""
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        try:
            folder = make_run_folder(tmp_path, 1e9)
        finally:
            monkeypatch.undo()
            time.tzset()
        assert folder.name.startswith("2001-09-09_01-46-40_")


class TestFolders:
    def test_a_new_folder_says_that_nothing_is_stored(self, tmp_path: Path) -> None:
        """From its first moment it is known from one whose database was deleted."""
        assert [path.name for path in make_run_folder(tmp_path, 1e9).iterdir()] == [NOTHING_STORED]

    def test_killed_as_it_is_made(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A folder that is not complete is none: neither a run nor a lost one. The next one is made beside it."""

        def killed(self: Path, target: Path) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", killed)
            with pytest.raises(KeyboardInterrupt):
                make_run_folder(tmp_path, 1e9)
        assert list(lost_runs(tmp_path)) == run_folders(tmp_path) == []
        assert last_run(tmp_path) == LastRun(None)
        assert last_run(tmp_path).passed_over == ()
        folder = make_run_folder(tmp_path, 1e9)
        assert last_run(tmp_path) == LastRun(None, (folder,))


class TestOrder:
    def test_names_do_not_count(self, tmp_path: Path) -> None:
        """Runs are ordered by their starts, whatever their folders are called: 0.1.0 named them in local time."""
        first, second, third = (make_run(tmp_path, 1e9 + hour * 3600) for hour in range(3))
        tokyo = first.rename(tmp_path / "2001-09-09_10-46-40_zzzz")
        mine = second.rename(tmp_path / "baseline")
        assert run_folders(tmp_path) == [third, mine, tokyo]
        assert last_run(tmp_path) == LastRun(third)

    def test_a_run_that_is_written_longer(self, tmp_path: Path) -> None:
        """What counts is when a run began, not when it ended."""
        long = make_run(tmp_path, 1e9, written=1e9 + 9000)
        short = make_run(tmp_path, 1e9 + 5)
        assert run_folders(tmp_path) == [short, long]

    def test_of_one_moment_the_names_decide(self, tmp_path: Path) -> None:
        """Runs that began at the same time are in the order in which their folders were made."""
        made = [make_run(tmp_path, 1e9) for _ in range(5)]
        assert run_folders(tmp_path) == made[::-1]

    def test_one_that_cannot_be_read(self, tmp_path: Path) -> None:
        """A damaged run stands where its file was written last: it cannot hide that it is the newest."""
        old, new = make_run(tmp_path, 1e9), make_run(tmp_path, 1e9 + 9000)
        damaged = make_run(tmp_path, 1e9 + 4000)
        (damaged / "run.db").write_bytes(b"no database" * 1000)
        os.utime(damaged / "run.db", (1e9 + 4000, 1e9 + 4000))
        assert run_folders(tmp_path) == [new, damaged, old]

    def test_one_of_a_newer_version(self, tmp_path: Path) -> None:
        """Its start is read all the same."""
        newer = make_run(tmp_path, 1e9, written=1e9 + 9000)
        with closing(sqlite3.connect(newer / "run.db")) as connection:
            connection.execute("PRAGMA user_version=99")
        os.utime(newer / "run.db", (1e9 + 9000, 1e9 + 9000))
        later = make_run(tmp_path, 1e9 + 5)
        assert run_folders(tmp_path) == [later, newer]


class TestCost:
    def test_the_newest_of_many(self, tmp_path: Path, opened: list[Path]) -> None:
        """To know the newest run, only those are opened that may be it."""
        made = [make_run(tmp_path, 1e9 + 1000 * number) for number in range(50)]
        assert next(newest_runs(tmp_path)) == made[-1]
        assert opened == [made[-1]]
        assert list(islice(newest_runs(tmp_path), 3)) == made[:-4:-1]
        assert len(opened) == 4

    def test_a_run_by_its_name(self, tmp_path: Path, opened: list[Path]) -> None:
        """To find a run by its name, none is opened; to say which there are, as many as are named."""
        made = [make_run(tmp_path, 1e9 + 1000 * number) for number in range(20)]
        assert find_run(made[3].name, tmp_path) == made[3]
        assert opened == []
        with pytest.raises(NoResultsError, match=f"the newest are {made[-1].name}, .*, {made[-5].name}, ...$"):
            find_run("nope", tmp_path)
        assert len(opened) == 6
