"""A checkpoint is complete or absent, is checked before it is restored, and is kept as long as the rule says."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from pytest_sweep.checkpoints import Keeping, Name, Recent, Restored, TrialCheckpoints, check_place, disk, local_path
from pytest_sweep.errors import MissingExtraError, SweepError


class Location:
    """A place for checkpoints that a test looks into, and damages."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.fs, self.path = fsspec.core.url_to_fs(url)

    def of(self, attempt: int, count: int | None = None, metric: str | None = None, mode: str = "max") -> Any:
        return TrialCheckpoints(self.url, attempt, Keeping(count, metric, mode))

    def files(self) -> dict[str, str]:
        """Return the texts of all files but the manifests."""
        self.fs.invalidate_cache()
        found = self.fs.find(self.path) if self.fs.exists(self.path) else []
        below = {path.split("checkpoints/", 1)[1]: self.fs.cat_file(path).decode() for path in found}
        return {name: text for name, text in below.items() if not name.endswith(".json")}

    def names(self) -> list[str]:
        """Return the names of the checkpoints that have a manifest."""
        self.fs.invalidate_cache()
        found = self.fs.ls(self.path, detail=False) if self.fs.exists(self.path) else []
        return sorted(path.rsplit("/", 1)[1].removesuffix(".json") for path in found if path.endswith(".json"))

    def write(self, name: str, text: str) -> None:
        self.fs.makedirs(f"{self.path}/{name}".rsplit("/", 1)[0], exist_ok=True)
        self.fs.pipe_file(f"{self.path}/{name}", text.encode())

    def remove(self, name: str) -> None:
        self.fs.rm(f"{self.path}/{name}", recursive=True)


@pytest.fixture(params=["disk", "local", "memory"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Location]:
    """A folder of a disk, the same through fsspec, and fsspec's store of objects in memory."""
    folder = tmp_path / "trial" / "checkpoints"
    urls = {"disk": f"file://{folder}", "local": f"local://{folder}", "memory": f"memory://{folder}"}
    yield Location(urls[request.param])
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


def write(path: Path, **files: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def contents(path: Path) -> dict[str, str]:
    return {str(file.relative_to(path)): file.read_text() for file in sorted(path.rglob("*")) if file.is_file()}


def save(checkpoints: Any, tmp_path: Path, iteration: int, **metrics: Any) -> str:
    """Save a file that holds the iteration, as a trial would."""
    source = write(tmp_path / "source", state=str(iteration)) / "state"
    address: str = checkpoints.save(source, iteration, {"training_iteration": iteration, **metrics})
    return address


class TestSaving:
    def test_a_file(self, location: Location, tmp_path: Path) -> None:
        """A file is kept in a folder that is named by attempt and iteration, and that is made with all above it."""
        (tmp_path / "model.pt").write_text("weights")
        address = location.of(2).save(tmp_path / "model.pt", 1, {})
        assert address.endswith("/trial/checkpoints/2-000001")
        assert location.files() == {"2-000001/model.pt": "weights"}

    def test_a_folder(self, location: Location, tmp_path: Path, scratch: Path) -> None:
        """A folder is kept, and restored, with all that is in it, empty folders too."""
        source = write(tmp_path / "state", a="1")
        write(source / "deep", b="2")
        write(source / "empty")
        location.of(1).save(source, 1, {})
        assert location.files() == {"1-000001/a": "1", "1-000001/deep/b": "2"}
        assert contents(source) == {"a": "1", "deep/b": "2"}
        restored = location.of(2).restore(scratch)
        assert contents(restored.path) == {"a": "1", "deep/b": "2"}
        assert (restored.path / "empty").is_dir()

    def test_the_manifest(self, location: Location, tmp_path: Path) -> None:
        """Beside it lies what it is: its files with sizes and hashes, its attempt, its iteration and its full metrics."""
        (tmp_path / "model.pt").write_text("abc")
        metrics = {"training_iteration": 7, "loss": float("nan")}
        location.of(1).save(tmp_path / "model.pt", 7, metrics, [Recent({"training_iteration": 6}, "1-000006")])
        text = location.fs.cat_file(f"{location.path}/1-000007.json").decode()
        manifest = json.loads(text)
        sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        assert manifest["files"] == [{"path": "model.pt", "size": 3, "sha256": sha256}]
        assert (manifest["attempt"], manifest["training_iteration"]) == (1, 7)
        assert manifest["metrics"]["loss"] == {"$type": "float", "value": "nan"}  # JSON has no NaN.
        assert manifest["recent"] == [{"metrics": {"training_iteration": 6}, "checkpoint": "1-000006"}]

    def test_a_copy_that_breaks_off(
        self, location: Location, tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A copy that fails half-way is no checkpoint, and the next try succeeds."""
        source = write(tmp_path / "state", a="1", b="2")
        copied, calls = disk.copied, []

        def break_off(*arguments: Any) -> Any:
            calls.append(arguments)
            if len(calls) == 2:
                raise OSError(28, "No space left on device")
            return copied(*arguments)

        checkpoints = location.of(1)
        with monkeypatch.context() as patch:
            patch.setattr("pytest_sweep.checkpoints.disk.copied", break_off)
            patch.setattr("pytest_sweep.checkpoints.remote.copied", break_off)
            with pytest.raises(SweepError, match=r"the checkpoint .*state could not be kept .*No space left on device"):
                checkpoints.save(source, 1, {})
        assert location.names() == []
        assert location.of(2).restore(scratch) is None
        checkpoints.save(source, 1, {})
        assert location.files() == {"1-000001/a": "1", "1-000001/b": "2"}

    def test_without_its_manifest(self, location: Location, tmp_path: Path, scratch: Path) -> None:
        """What a process was killed while writing is none, and the next attempt deletes it, but not what younger ones write."""
        save(location.of(1), tmp_path, 1)
        for name in ("1-000002/state", ".1-000003.tmp/state", "3-000004/state"):
            location.write(name, "x")
        assert location.of(2).restore(scratch).manifest.name == Name(1, 1)
        left = {name for name in location.files() if not name.startswith(".") or location.url.startswith("file")}
        assert left == {"1-000001/state", "3-000004/state"}

    def test_what_does_not_exist(self, location: Location, tmp_path: Path) -> None:
        """A source that is not there is an error that names it, and nothing is made."""
        with pytest.raises(SweepError, match=r"absent' does not exist: write the file or folder before you report it"):
            location.of(1).save(tmp_path / "absent", 1, {})
        assert not location.fs.exists(location.path)

    def test_where_it_cannot_be_kept(self, tmp_path: Path) -> None:
        """A place that cannot be written is an error that names both."""
        write(tmp_path, trial="a file where the folder should be", model="x")
        checkpoints = TrialCheckpoints(str(tmp_path / "trial" / "checkpoints"), 1, Keeping())
        with pytest.raises(SweepError, match=r"model could not be kept in .*checkpoints: "):
            checkpoints.save(tmp_path / "model", 1, {})

    def test_a_manifest_that_cannot_be_written(
        self, location: Location, tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where only the manifest cannot be written the checkpoint is absent, and the error names it and the cause."""

        def fail(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", fail)
            patch.setattr(type(location.fs), "pipe_file", fail)
            with pytest.raises(SweepError) as raised:
                save(location.of(1), tmp_path, 1)
        assert str(raised.value).startswith("the checkpoint ")
        assert str(raised.value).endswith("/1-000001 could not be completed: [Errno 28] No space left on device")
        assert location.names() == []
        assert location.of(2).restore(scratch) is None

    def test_a_link_to_a_folder_above(self, location: Location, tmp_path: Path) -> None:
        """A folder without end is an error, and no full disk."""
        source = write(tmp_path / "state", a="1")
        (source / "again").symlink_to(source)
        with pytest.raises(SweepError, match="could not be kept"):
            location.of(1).save(source, 1, {})

    def test_a_file_of_many_pieces(self, location: Location, tmp_path: Path, scratch: Path) -> None:
        """A file that is larger than what is copied at once is kept whole, with its size and hash."""
        data = bytes(range(256)) * 10_000
        (tmp_path / "model.pt").write_bytes(data)
        location.of(1).save(tmp_path / "model.pt", 1, {})
        (file,) = json.loads(location.fs.cat_file(f"{location.path}/1-000001.json"))["files"]
        assert (file["size"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert (location.of(2).restore(scratch).path / "model.pt").read_bytes() == data

    @pytest.mark.parametrize(("depth", "is_kept"), [(100, True), (101, False)])
    def test_a_deep_folder(self, location: Location, tmp_path: Path, depth: int, is_kept: bool) -> None:
        """A hundred folders in each other are kept; more are taken for a circle of links."""
        deepest = (tmp_path / "state").joinpath(*["d"] * depth)
        write(deepest, a="1")
        if is_kept:
            location.of(1).save(tmp_path / "state", 1, {})
            assert list(location.files()) == ["1-000001/" + "d/" * depth + "a"]
        else:
            with pytest.raises(SweepError, match=r"d is too deep: is there a link to a folder above it\?"):
                location.of(1).save(tmp_path / "state", 1, {})

    def test_a_pipe(self, location: Location, tmp_path: Path) -> None:
        """What is no file, such as a pipe that nobody writes, is an error that names it, and the trial does not hang."""
        source = write(tmp_path / "state", a="1")
        os.mkfifo(source / "pipe")
        with pytest.raises(SweepError, match=r"state/pipe is no file that could be copied"):
            location.of(1).save(source, 1, {})
        assert location.names() == []

    def test_a_folder_that_cannot_be_read(
        self, location: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A part that cannot be read is an error: a checkpoint that lacks it would look complete."""
        source = write(tmp_path / "state", a="1")
        write(source / "deep", b="2")
        scandir = os.scandir

        def refuse(path: Any = ".") -> Any:
            if str(path).endswith("/deep"):
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)
        with pytest.raises(SweepError, match=r"could not be kept .*Permission denied"):
            location.of(1).save(source, 1, {})

    @pytest.mark.parametrize("above", ["trial", "trial/checkpoints", "."])
    def test_a_folder_that_holds_the_checkpoints(self, tmp_path: Path, above: str) -> None:
        """A trial's own folder cannot be its checkpoint: it would hold all those before, and itself."""
        folder = write(tmp_path / "trial" / "checkpoints", a="1")
        with pytest.raises(SweepError, match="is a folder that holds the checkpoints themselves"):
            TrialCheckpoints(str(folder), 1, Keeping()).save(tmp_path / above, 1, {})
        assert contents(folder) == {"a": "1"}


class TestRestoring:
    def test_the_newest(self, location: Location, tmp_path: Path, scratch: Path) -> None:
        """Of several the newest attempt's counts, and in it the last iteration; what an attempt itself wrote does not."""
        for attempt, iteration in ((1, 1), (1, 9), (2, 3), (2, 4), (3, 5)):
            save(location.of(attempt), tmp_path, iteration, loss=iteration / 2)
        restored: Restored = location.of(3).restore(scratch)
        assert restored.manifest.name == Name(2, 4)
        assert restored.manifest.metrics == {"training_iteration": 4, "loss": 2.0}
        assert contents(restored.path) == {"state": "4"}
        assert restored.address.endswith("/2-000004")

    def test_nothing(self, location: Location, scratch: Path) -> None:
        """Where nothing lies nothing is found, nothing is wrong, and nothing is made."""
        checkpoints = location.of(2)
        assert checkpoints.restore(scratch) is None
        assert checkpoints.damaged == {}
        assert not scratch.exists()

    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            (("write", "1-000002/state", "X"), "state has been changed: its sha256 is another one"),
            (("write", "1-000002/state", ""), "state has 0 bytes instead of 1"),
            (("remove", "1-000002/state"), "state is missing"),
            (("remove", "1-000002"), "state is missing"),
            (("write", "1-000002.json", "{"), "its manifest cannot be read (JSONDecodeError"),
            (("write", "1-000002.json", "[]"), "its manifest cannot be read (TypeError"),
        ],
    )
    def test_a_damaged_one(
        self, location: Location, tmp_path: Path, scratch: Path, damage: tuple[str, ...], said: str
    ) -> None:
        """One that is not what its manifest says is told with what is wrong, and the one before is taken."""
        addresses = [save(location.of(1), tmp_path, iteration) for iteration in (1, 2)]
        getattr(location, damage[0])(*damage[1:])
        checkpoints = location.of(2)
        restored = checkpoints.restore(scratch, known=addresses[1])
        assert restored.address == addresses[0]
        assert contents(restored.path) == {"state": "1"}
        assert list(checkpoints.damaged) == [addresses[1]]
        assert checkpoints.damaged[addresses[1]].startswith(said)

    def test_all_damaged(self, location: Location, tmp_path: Path, scratch: Path) -> None:
        """Where none is good, none is restored, and each is told."""
        for iteration in (1, 2):
            save(location.of(1), tmp_path, iteration)
            location.write(f"1-00000{iteration}/state", "X")
        checkpoints = location.of(2)
        assert checkpoints.restore(scratch) is None
        assert len(checkpoints.damaged) == 2

    def test_one_that_is_gone(self, location: Location, tmp_path: Path, scratch: Path) -> None:
        """One that the driver knows of and that is not there is told."""
        save(location.of(1), tmp_path, 1)
        known = save(location.of(1), tmp_path, 2)
        location.remove("1-000002")
        location.remove("1-000002.json")
        checkpoints = location.of(2)
        assert checkpoints.restore(scratch, known).manifest.name == Name(1, 1)
        assert checkpoints.damaged == {known: "it is not there any more"}

    def test_one_that_lies_elsewhere(self, location: Location, tmp_path: Path, scratch: Path) -> None:
        """One of another location is taken where this one has none, and one of this location before it."""
        elsewhere = Location(location.url.replace("/trial/", "/other/"))
        known = save(elsewhere.of(1), tmp_path, 9)
        assert location.of(2).restore(scratch, known).address == known
        save(location.of(1), tmp_path, 1)
        assert location.of(2).restore(scratch, known).manifest.name == Name(1, 1)

    @pytest.mark.parametrize("path", ["../../stolen", "/etc/stolen", "a/../../stolen"])
    def test_nothing_leaves_the_folder(self, location: Location, tmp_path: Path, scratch: Path, path: str) -> None:
        """A manifest that names a file outside of its checkpoint is damaged."""
        save(location.of(1), tmp_path, 1)
        manifest = json.loads(location.fs.cat_file(f"{location.path}/1-000001.json"))
        manifest["files"][0]["path"] = path
        location.write("1-000001.json", json.dumps(manifest))
        checkpoints = location.of(2)
        assert checkpoints.restore(scratch) is None
        assert "which is outside of it" in next(iter(checkpoints.damaged.values()))

    def test_the_newest_of_an_earlier_run(self, location: Location, tmp_path: Path, scratch: Path) -> None:
        """Of what an earlier run has left, the newest counts, also where it is newer than what the driver has heard of."""
        attempt = location.of(1)
        addresses = [save(attempt, tmp_path, iteration) for iteration in (1, 2, 3)]
        later = TrialCheckpoints(str(tmp_path / "other" / "checkpoints"), 2, Keeping())
        restored = later.restore(scratch, known=addresses[1])
        assert restored is not None
        assert restored.address == addresses[2]
        location.remove("1-000003/state")
        restored = later.restore(scratch, known=addresses[1])
        assert restored is not None
        assert restored.address == addresses[1]

    def test_a_store_that_cannot_be_reached(self, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Trouble with the store itself is an error that names it: nothing starts from the beginning for that."""
        checkpoints = TrialCheckpoints("memory://trial/checkpoints", 2, Keeping())

        def fail(*_: object, **__: object) -> None:
            raise ConnectionError("no route to host")

        monkeypatch.setattr(type(fsspec.filesystem("memory")), "ls", fail)
        with pytest.raises(SweepError, match="the checkpoints at memory://trial/checkpoints cannot be read: no route"):
            checkpoints.restore(scratch)


class TestKeeping:
    def test_all(self, location: Location, tmp_path: Path) -> None:
        """Without a rule all are kept."""
        checkpoints = location.of(1)
        for iteration in (1, 2, 3):
            save(checkpoints, tmp_path, iteration)
        assert location.names() == ["1-000001", "1-000002", "1-000003"]
        assert checkpoints.kept is None

    def test_the_newest(self, location: Location, tmp_path: Path, scratch: Path) -> None:
        """As many as the rule says are kept, the newest ones, over attempts too."""
        first = location.of(1, 2)
        for iteration in (1, 2, 3):
            save(first, tmp_path, iteration)
        assert location.names() == ["1-000002", "1-000003"]
        second = location.of(2, 2)
        second.restore(scratch)
        saved = save(second, tmp_path, 4)
        assert location.names() == ["1-000003", "2-000004"]
        assert sorted(location.files()) == ["1-000003/state", "2-000004/state"]
        assert len(second.kept) == 2
        assert second.kept[-1] == saved

    def test_the_best(self, location: Location, tmp_path: Path, scratch: Path) -> None:
        """By a metric the best are kept and the newest one besides, which is never deleted, however bad it is."""
        losses = {1: 0.5, 2: 0.1, 3: 0.3, 4: float("nan"), 5: 0.9}
        checkpoints = location.of(1, 2, "val/loss", "min")
        for iteration, loss in losses.items():
            save(checkpoints, tmp_path, iteration, val={"loss": loss})
            assert f"1-00000{iteration}" in location.names()
        assert location.names() == ["1-000002", "1-000003", "1-000005"]
        second = location.of(2, 2, "val/loss", "min")
        second.restore(scratch)
        save(second, tmp_path, 6)  # Without the metric.
        assert location.names() == ["1-000002", "1-000003", "2-000006"]

    def test_the_highest(self, location: Location, tmp_path: Path) -> None:
        """With the mode max, the highest are best; of equals the newer one is kept."""
        checkpoints = location.of(1, 1, "score")
        for iteration, score in enumerate((3, 5, 5, 1), 1):
            save(checkpoints, tmp_path, iteration, score=score)
        assert location.names() == ["1-000003", "1-000004"]

    def test_a_damaged_one_is_not_kept_for_a_good_one(self, location: Location, tmp_path: Path, scratch: Path) -> None:
        """A damaged one does not count: it is deleted before a good one is."""
        for iteration in (1, 2):
            save(location.of(1, 2), tmp_path, iteration)
        location.write("1-000002/state", "X")
        checkpoints = location.of(2, 2)
        checkpoints.restore(scratch)
        save(checkpoints, tmp_path, 2)
        assert location.names() == ["1-000001", "2-000002"]

    def test_one_that_is_half_deleted(
        self, location: Location, tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A deletion that is cut off leaves no manifest: the checkpoint is absent, not damaged, and its rest is deleted later."""
        checkpoints = location.of(1, 1)
        save(checkpoints, tmp_path, 1)
        remove, rmtree = type(location.fs).rm, shutil.rmtree

        def cut_off(*arguments: Any, **options: Any) -> None:
            if any(str(argument).endswith("1-000001") for argument in arguments):
                raise OSError("the node is gone")
            (remove if len(arguments) > 1 else rmtree)(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", cut_off)
            patch.setattr(type(location.fs), "rm", cut_off)
            save(checkpoints, tmp_path, 2)
        assert sorted(location.files()) == ["1-000001/state", "1-000002/state"]
        assert location.names() == ["1-000002"]
        second = location.of(2, 1)
        assert contents(second.restore(scratch).path) == {"state": "2"}
        assert second.damaged == {}
        assert list(location.files()) == ["1-000002/state"]

    def test_one_that_cannot_be_deleted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What cannot be deleted stops no trial, and is deleted after the next checkpoint."""
        location = Location(f"file://{tmp_path}/trial/checkpoints")
        checkpoints = location.of(1, 1)
        save(checkpoints, tmp_path, 1)
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", lambda path: (_ for _ in ()).throw(OSError(f"{path} is busy")))
            save(checkpoints, tmp_path, 2)
        assert "1-000001/state" in location.files()
        save(checkpoints, tmp_path, 3)
        assert list(location.files()) == ["1-000003/state"]


class TestPlaces:
    @pytest.mark.parametrize(
        ("location", "path"),
        [
            ("/data/runs", "/data/runs"),
            ("file:///data/my%20runs", "/data/my runs"),
            ("file://localhost/data/runs", "/data/runs"),
            ("s3://bucket/runs", None),
            ("memory://x", None),
        ],
    )
    def test_what_is_a_path(self, location: str, path: str | None) -> None:
        """A path and a file:// URL lie on a disk, every other URL in fsspec's hands."""
        assert local_path(location) == (None if path is None else Path(path))

    def test_without_fsspec(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A URL without fsspec names the extra; a disk does not need it."""
        monkeypatch.setitem(sys.modules, "fsspec.core", None)
        with pytest.raises(MissingExtraError) as raised:
            check_place("s3://bucket/runs")
        assert str(raised.value) == "--sweep-storage=s3://bucket/runs needs fsspec: pip install 'pytest-sweep[storage]'"
        check_place(str(tmp_path))
        check_place(f"file://{tmp_path}")

    @pytest.mark.parametrize("url", ["nowhere://bucket", "file://data/sweeps", "file://"])
    def test_an_unknown_scheme(self, url: str) -> None:
        """A URL that nobody knows, or of a path that is none, is an error that names the option and the URL."""
        with pytest.raises(SweepError, match=f"--sweep-storage={url}"):
            check_place(url)

    @pytest.mark.parametrize("url", ["memory://runs/X", "memory://runs/X/", "memory://runs/X//"])
    def test_slashes_at_the_end(self, url: str, tmp_path: Path) -> None:
        """A slash at the end of a URL makes no other place, and nothing else is taken off it."""
        try:
            assert save(TrialCheckpoints(url, 1, Keeping()), tmp_path, 1) == "memory://runs/X/1-000001"
        finally:
            fsspec.filesystem("memory").store.clear()

    def test_names(self) -> None:
        """A name is read as it was written, a long one too, and what is none is none."""
        for name in (Name(1, 1), Name(12, 1234567)):
            assert Name.parse(str(name)) == name
        assert [Name.parse(text) for text in ("", "1-1", ".1-000001.tmp", "a-000001", "1-000001x")] == [None] * 5


class TestLending:
    """A checkpoint of another trial, which goes on and may delete it at any time."""

    def borrow(self, tmp_path: Path, scratch: Path, address: str) -> Any:
        own = TrialCheckpoints(str(tmp_path / "borrower"), 2, Keeping())
        return own.restore(scratch, address, is_lent=True)

    def test_it_is_a_copy(self, location: Location, tmp_path: Path, scratch: Path) -> None:
        """What was lent stays as it is where its owner deletes it."""
        address = save(location.of(1), tmp_path, 8)
        restored = self.borrow(tmp_path, scratch, address)
        assert restored.address == address
        assert scratch in restored.path.parents
        location.fs.rm(location.path, recursive=True)
        assert contents(restored.path) == {"state": "8"}

    def test_one_that_is_gone(self, location: Location, tmp_path: Path, scratch: Path) -> None:
        """Where its owner has deleted it meanwhile, the owner's newest one is taken."""
        donor = location.of(1)
        addresses = [save(donor, tmp_path, iteration) for iteration in (4, 8)]
        gone = location.path + "/1-000004.json"
        location.fs.rm(gone)
        restored = self.borrow(tmp_path, scratch, addresses[0])
        assert (restored.address, contents(restored.path)) == (addresses[1], {"state": "8"})

    def test_none_that_is_left(self, location: Location, tmp_path: Path, scratch: Path) -> None:
        """Where none is left the borrower goes on from its own newest one, and nothing of the donor is deleted."""
        address = save(location.of(1), tmp_path, 8)
        location.fs.rm(location.path, recursive=True)
        own = TrialCheckpoints(str(tmp_path / "borrower"), 1, Keeping())
        mine = save(own, tmp_path, 3)
        restored = self.borrow(tmp_path, scratch, address)
        assert (restored.address, contents(restored.path)) == (mine, {"state": "3"})
