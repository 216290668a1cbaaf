"""``prune``: what is deleted, what never is, and that nothing outside of the folder is touched."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from pytest_sweep.errors import StoreError
from pytest_sweep.model.events import TrialReported, TrialStarted
from pytest_sweep.store import DATABASE, RunStore, references
from tests.support.runs import BEGAN, begin_run, command, make_run, trial


def there(results: Path) -> set[str]:
    """Return the names of the runs that are left."""
    return {path.name for path in results.iterdir() if (path / DATABASE).exists()}


def runs(results: Path, count: int) -> list[Path]:
    """Store runs, a minute apart, and return them, the newest first."""
    return [make_run(results, now=BEGAN + 60 * n) for n in range(count)][::-1]


def change(folder: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
        connection.execute(statement, values)


def pruned(results: Path, *arguments: object) -> set[str]:
    """Prune, and return the names of the runs that are gone."""
    before = there(results)
    done = command("prune", "--yes", *arguments, results=results)
    assert done.status == 0, done.err
    return before - there(results)


class TestWhich:
    def test_only_said_without_yes(self, tmp_path: Path) -> None:
        """Without --yes nothing is deleted, and it is said what would be."""
        newest, *older = runs(tmp_path, 3)
        done = command("prune", "--keep", 1, results=tmp_path)
        assert there(tmp_path) == {newest.name, *(folder.name for folder in older)}
        assert all(f"{folder.name}: would be deleted" in done.out for folder in older)
        assert done.err == "nothing was deleted: add --yes\n"

    def test_the_newest_stay(self, tmp_path: Path) -> None:
        """--keep N leaves the N newest."""
        found = runs(tmp_path, 4)
        assert pruned(tmp_path, "--keep", 2) == {found[2].name, found[3].name}
        assert pruned(tmp_path, "--keep", 2) == set()

    def test_by_age_and_outcome(self, tmp_path: Path) -> None:
        """All that is given has to hold."""
        now = time.time()
        old = make_run(tmp_path, now=now - 40 * 86400)
        failed_long_ago = make_run(tmp_path, now=now - 39 * 86400, exit_status=1)
        make_run(tmp_path, now=now - 3600, exit_status=1)
        killed = make_run(tmp_path, now=now - 38 * 86400, exit_status=None)
        assert pruned(tmp_path, "--older-than", "30d", "--failed") == {failed_long_ago.name, killed.name}
        assert pruned(tmp_path, "--older-than", "30d") == {old.name}
        assert len(there(tmp_path)) == 1

    def test_what_was_killed_as_it_began(self, tmp_path: Path) -> None:
        """A run without anything in its database can go."""
        runs(tmp_path, 1)
        empty = tmp_path / "2026-01-01_00-00-00_aaaa"
        empty.mkdir()
        (empty / DATABASE).write_bytes(b"")
        (empty / "nothing_stored").touch()
        assert empty.name in pruned(tmp_path, "--failed")


class TestNever:
    def test_a_run_that_goes_on(self, tmp_path: Path) -> None:
        """A run whose driver lives stays."""
        store = begin_run(tmp_path, now=BEGAN)
        runs(tmp_path, 1)
        done = command("prune", "--keep", 0, "--yes", results=tmp_path)
        assert there(tmp_path) == {store.path.name}
        assert "still goes on" in done.out
        store.close()

    def test_a_tagged_run(self, tmp_path: Path) -> None:
        """A run with a tag stays, and so does a run that it refers to."""
        oldest = make_run(tmp_path)
        tagged = make_run(tmp_path, now=BEGAN + 60, resumed_from=oldest)
        make_run(tmp_path, now=BEGAN + 120)
        command("tag", tagged.name, "best", results=tmp_path)
        done = command("prune", "--keep", 0, "--yes", results=tmp_path)
        assert there(tmp_path) == {oldest.name, tagged.name}
        assert "is tagged best" in done.out
        assert f"{oldest.name}: kept, since it is needed by {tagged.name}, which was resumed from it" in done.out

    def test_a_chain(self, tmp_path: Path) -> None:
        """What a run that stays was resumed from stays, and what that was resumed from; together they can go."""
        first = make_run(tmp_path)
        second = make_run(tmp_path, now=BEGAN + 60, resumed_from=first)
        third = make_run(tmp_path, now=BEGAN + 120, resumed_from=second)
        assert pruned(tmp_path, "--keep", 1) == set()
        assert pruned(tmp_path, "--keep", 0) == {first.name, second.name, third.name}

    @pytest.mark.parametrize(
        ("statement", "value"),
        [
            ("UPDATE trial SET taken_from = ?", "{name}"),
            ("UPDATE trial SET taken_from = ?", "{path}"),
            ("UPDATE trial SET folder = ?", "{path}/trial"),
            ("UPDATE trial SET folder = ?", "../{name}/trial"),
            ("UPDATE trial SET checkpoint = ?", "{path}/trial/checkpoint_1"),
            ("UPDATE report SET checkpoint = ?", "{path}/trial/checkpoint_1"),
            ("UPDATE report SET checkpoint = ?", "/moved/since/{name}/trial/checkpoint_1"),
            ("UPDATE report SET checkpoint = ?", "s3://bucket/{name}/trial/checkpoint_1"),
            ("UPDATE report SET checkpoint = ?", "{link}/trial/checkpoint_1"),
            ("UPDATE run SET resumed_from = ?", "{path}"),
            ("UPDATE run SET resumed_from = ?", "{link}"),
        ],
    )
    def test_what_a_later_run_refers_to(self, tmp_path: Path, statement: str, value: str) -> None:
        """Results and files that are used from elsewhere are not deleted, however they are named."""
        results = tmp_path / "runs"
        older = make_run(results)
        unrelated = make_run(results, now=BEGAN + 30)
        newer = make_run(results, now=BEGAN + 60)
        link = tmp_path / "link"
        link.symlink_to(older)
        change(newer, statement, value.format(name=older.name, path=older, link=link))
        assert pruned(results, "--keep", 1) == {unrelated.name}

    def test_really_resumed_runs(self, tmp_path: Path) -> None:
        """What the store itself writes when a run takes trials from another one is a reference."""
        older = make_run(tmp_path, [0.5])
        store = begin_run(tmp_path, [], trials=[trial(0)], now=BEGAN + 60)
        store.copy_trials(older, [trial(0).key], [])
        store.finish(0, BEGAN + 70)
        store.close()
        assert references(store.path).taken_from == {older.name}
        assert pruned(tmp_path, "--keep", 1) == set()

    def test_what_cannot_be_read(self, tmp_path: Path) -> None:
        """A damaged run is not deleted, nor is anything older, which it may use."""
        oldest = make_run(tmp_path)
        damaged = make_run(tmp_path, now=BEGAN + 60)
        newest = make_run(tmp_path, now=BEGAN + 120)
        (damaged / DATABASE).write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
        os.utime(damaged / DATABASE, (BEGAN + 60, BEGAN + 60))
        with pytest.raises(StoreError):
            references(damaged)
        assert pruned(tmp_path, "--keep", 0) == {newest.name}
        assert there(tmp_path) == {oldest.name, damaged.name}

    def test_a_newer_version(self, tmp_path: Path) -> None:
        """What a newer version wrote stays, and what it refers to."""
        older = make_run(tmp_path)
        other = make_run(tmp_path, now=BEGAN + 30)
        newer = make_run(tmp_path, now=BEGAN + 60, resumed_from=older)
        change(newer, "PRAGMA user_version = 99")
        assert pruned(tmp_path, "--keep", 0) == {other.name}
        assert there(tmp_path) == {older.name, newer.name}

    def test_without_locks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """On a file system of several machines, a run without an end that was written lately may go on elsewhere."""
        folder = make_run(tmp_path, exit_status=None)
        monkeypatch.setattr("pytest_sweep.cli.pruning.on_network", lambda _: True)
        assert pruned(tmp_path, "--keep", 0) == set()
        for path in (folder / DATABASE, folder):
            os.utime(path, (BEGAN, BEGAN))
        assert pruned(tmp_path, "--keep", 0) == {folder.name}


class TestDeleting:
    def test_links_are_not_followed(self, tmp_path: Path) -> None:
        """What links in a run lead to stays as it is."""
        results = tmp_path / "runs"
        (folder,) = runs(results, 1)
        outside = tmp_path / "outside"
        (outside / "data").mkdir(parents=True)
        (outside / "data" / "file").write_text("precious")
        (folder / "link").symlink_to(outside)
        (folder / "file").symlink_to(outside / "data" / "file")
        assert pruned(results, "--keep", 0) == {folder.name}
        assert (outside / "data" / "file").read_text() == "precious"

    def test_a_run_that_is_a_link(self, tmp_path: Path) -> None:
        """A folder that was put elsewhere and linked is not deleted, nor is the link."""
        (folder,) = runs(tmp_path / "elsewhere", 1)
        results = tmp_path / "runs"
        results.mkdir()
        (results / folder.name).symlink_to(folder)
        done = command("prune", "--keep", 0, "--yes", results=results)
        assert "is a link" in done.out
        assert (folder / DATABASE).exists()
        assert (results / folder.name).exists()

    def test_the_place_of_deletion_is_no_link(self, tmp_path: Path) -> None:
        """Somebody's link in the place where deleted runs are put is not followed."""
        results = tmp_path / "runs"
        (folder,) = runs(results, 1)
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "file").write_text("precious")
        (results / ".deleted").symlink_to(outside)
        done = command("prune", "--keep", 0, "--yes", results=results)
        assert done.status == 4
        assert (folder / DATABASE).exists()
        assert (outside / "file").read_text() == "precious"

    def test_half_deleted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A deletion that fails half-way leaves no run that is half there; the next one finishes it."""
        first, second = runs(tmp_path, 2)
        real = shutil.rmtree

        def fail(path: Path) -> None:
            raise OSError(5, "Input/output error", str(path))

        monkeypatch.setattr(shutil, "rmtree", fail)
        done = command("prune", "--keep", 1, "--yes", results=tmp_path)
        assert done.status == 4
        assert "Input/output error" in done.err
        assert there(tmp_path) == {first.name}
        assert command("ls", "--json", results=tmp_path).json["runs"][0]["name"] == first.name
        monkeypatch.setattr(shutil, "rmtree", real)
        assert pruned(tmp_path, "--keep", 1) == set()
        assert not (tmp_path / ".deleted").exists()
        assert not second.exists()

    def test_a_run_that_begins_to_go_on(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is asked once more right before the deletion."""
        (folder,) = runs(tmp_path, 1)
        monkeypatch.setattr("pytest_sweep.cli.removing.who_runs", lambda _: "process 1 on host")
        done = command("prune", "--keep", 0, "--yes", results=tmp_path)
        assert done.status == 4
        assert folder.exists()


class TestCheckpoints:
    def stored(self, results: Path, now: float = BEGAN) -> tuple[RunStore, Path]:
        """Return the store of a run with a checkpoint in its folder, and the checkpoint."""
        store = begin_run(results, [], trials=[trial(0)], now=now)
        checkpoint = store.path / trial(0).path_name / "checkpoints" / "1-000001"
        checkpoint.mkdir(parents=True)
        (checkpoint / "weights").write_bytes(b"x" * 1000)
        checkpoint.with_name(f"{checkpoint.name}.json").write_text("{}")
        (checkpoint.parent.parent / "log.txt").write_text("kept")
        store.record([
            TrialStarted(trial(0).key, 1, now, "host:1"),
            TrialReported(trial(0).key, 1, {"training_iteration": 1}, str(checkpoint)),
        ])  # fmt: skip
        return store, checkpoint

    def finished(self, results: Path, now: float = BEGAN) -> tuple[Path, Path]:
        store, checkpoint = self.stored(results, now)
        store.finish(0, now + 1)
        store.close()
        return store.path, checkpoint

    def test_results_stay(self, tmp_path: Path) -> None:
        """Checkpoints and their manifests go; the database and what a trial wrote besides stay."""
        folder, checkpoint = self.finished(tmp_path)
        dry = command("prune", "--checkpoints", "--json", results=tmp_path).json
        assert dry["runs"] == [{"name": folder.name, "size": 1000, "what": "1 checkpoint"}]
        assert checkpoint.exists()
        assert pruned(tmp_path, "--checkpoints") == set()
        assert list(checkpoint.parent.iterdir()) == []
        assert (checkpoint.parent.parent / "log.txt").read_text() == "kept"
        assert command("show", results=tmp_path).status == 0
        assert command("prune", "--checkpoints", "--json", results=tmp_path).json["runs"] == []

    def test_half_deleted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A checkpoint whose deletion fails half-way is not there any more; what is left of it goes with the next deletion."""
        folder, checkpoint = self.finished(tmp_path)

        def fail(path: Path) -> None:
            raise OSError(5, "Input/output error", str(path))

        monkeypatch.setattr(shutil, "rmtree", fail)
        done = command("prune", "--checkpoints", "--yes", results=tmp_path)
        assert done.status == 4
        assert "Input/output error" in done.err
        assert not checkpoint.exists()
        assert not checkpoint.with_name("1-000001.json").exists()
        assert list((folder / ".deleted").iterdir()) != []
        assert "none any more" in command("show", "last", "lr=0", results=tmp_path).out
        monkeypatch.undo()
        assert command("prune", "--checkpoints", "--yes", results=tmp_path).status == 0
        assert not (folder / ".deleted").exists()

    def test_those_of_a_run_that_goes_on_stay(self, tmp_path: Path) -> None:
        """A live run needs its checkpoints, a tagged one keeps them."""
        store, checkpoint = self.stored(tmp_path)
        _, other = self.finished(tmp_path, BEGAN + 60)
        command("tag", "last", "x", results=tmp_path)
        pruned(tmp_path, "--checkpoints")
        assert checkpoint.exists()
        assert other.exists()
        store.close()

    @pytest.mark.parametrize(
        "address", ["{outside}/1-000001", "../outside/1-000001", "link/1-000001", "s3://x/1-000001", ".", "data"]
    )
    def test_only_in_its_folder(self, tmp_path: Path, address: str) -> None:
        """What a database calls a checkpoint elsewhere, behind a link, above it, or by another name is not deleted."""
        results, outside = tmp_path / "runs", tmp_path / "runs" / "outside"
        folder = make_run(results)
        for place in (outside / "1-000001", folder / "data"):
            place.mkdir(parents=True)
            (place / "file").write_text("precious")
        (folder / "link").symlink_to(outside)
        change(folder, "UPDATE report SET checkpoint = ?", address.format(outside=outside))
        pruned(results, "--checkpoints")
        assert [(place / "file").read_text() for place in (outside / "1-000001", folder / "data")] == ["precious"] * 2
        assert (folder / DATABASE).exists()
