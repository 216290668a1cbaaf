"""A manifest is read as it was written, or is damaged: nothing else comes of any bytes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_sweep.checkpoints import Keeping, Name, Recent, TrialCheckpoints
from pytest_sweep.checkpoints.manifest import Contents, DamagedError, FileRecord, Manifest

WRITTEN = Manifest(
    Name(2, 17),
    Contents((FileRecord("model/weights", 12, "ab" * 32), FileRecord("epoch", 2, "cd" * 32)), ("model", "empty")),
    {"loss": 0.25, "nested": {"accuracy": float("inf")}, "text": "ü\ud800"},
    (Recent({"loss": 0.5}, None), Recent({"loss": 0.3}, "2-000016")),
)
FIELDS = ("version", "attempt", "training_iteration", "files", "folders", "metrics", "recent")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def unsigned(**changes: Any) -> dict[str, Any]:
    """Return what an earlier release has written, with changes."""
    data = json.loads(WRITTEN.encode())
    del data["sha256"]
    return {**data, "version": 1, **changes}


def damage_of(data: object) -> str:
    """Return what is said to be wrong with a manifest."""
    with pytest.raises(DamagedError) as caught:
        Manifest.decode(data if isinstance(data, bytes) else json.dumps(data).encode())
    return str(caught.value)


def test_there_and_back() -> None:
    """What is written is read again, metrics and recent reports included."""
    assert Manifest.decode(WRITTEN.encode()) == WRITTEN


def test_it_is_json() -> None:
    """People can read it: it is one JSON object."""
    assert json.loads(WRITTEN.encode())["metrics"]["loss"] == 0.25


def test_of_an_earlier_release() -> None:
    """One without a digest, of version 1, is read as before."""
    assert Manifest.decode(json.dumps(unsigned(), indent=1).encode()) == WRITTEN


def test_no_byte_may_change() -> None:
    """Each byte counts: any other one in its place is damage."""
    data = WRITTEN.encode()
    for place in range(len(data)):
        for byte in (data[place] ^ 1, ord("0"), ord(" ")):
            if byte != data[place]:
                damage_of(data[:place] + bytes([byte]) + data[place + 1 :])


def test_no_byte_may_be_missing() -> None:
    """A manifest that was cut off anywhere, or zeroed from there on, is damaged."""
    data = WRITTEN.encode()
    for length in range(len(data)):
        damage_of(data[:length])
        damage_of(data[:length] + bytes(len(data) - length))


def test_a_changed_metric() -> None:
    """A metric that was changed is damage: by it people choose a checkpoint."""
    data = WRITTEN.encode().replace(b"0.25", b"0.01")
    assert damage_of(data) == "its manifest has been changed: its sha256 is another one"


def test_its_digest_is_missing() -> None:
    """Without its digest, one of this version is damaged."""
    assert "its sha256 is another one" in damage_of(unsigned(version=2))


@pytest.mark.parametrize("value", [None, True, "1", 1.5, [], {}, [1], [[]], [{}], {"a": 1}, -1, 10**30], ids=repr)
@pytest.mark.parametrize("field", FIELDS)
def test_another_type(field: str, value: object) -> None:
    """A field of another type, or out of range, is damage that the text names; nothing is guessed."""
    fits = {"files": ([],), "folders": ([],), "recent": ([],), "metrics": ({}, {"a": 1})}
    if value in fits.get(field, ()):
        Manifest.decode(json.dumps(unsigned(**{field: value})).encode())
    else:
        assert damage_of(unsigned(**{field: value})).startswith("its manifest cannot be read (")


@pytest.mark.parametrize("field", FIELDS)
def test_a_missing_field(field: str) -> None:
    """A field that is missing is damage."""
    data = unsigned()
    del data[field]
    assert "its manifest cannot be read (" in damage_of(data)


@pytest.mark.parametrize(
    "file",
    [
        {"path": 1, "size": 1, "sha256": ""},
        {"path": "a", "size": "1", "sha256": ""},
        {"path": "a", "size": True, "sha256": ""},
        {"path": "a", "size": -1, "sha256": ""},
        {"path": "a", "size": 1, "sha256": None},
        {"path": "a", "size": 1},
        "a",
    ],
    ids=repr,
)
def test_a_file_of_another_type(file: object) -> None:
    """So it is in the entry of a file."""
    assert "its manifest cannot be read (" in damage_of(unsigned(files=[file]))


@pytest.mark.parametrize(
    "recent", [{"metrics": [], "checkpoint": None}, {"metrics": {}, "checkpoint": 1}, {}, 1], ids=repr
)
def test_a_report_of_another_type(recent: object) -> None:
    """And in the entry of a report."""
    assert "its manifest cannot be read (" in damage_of(unsigned(recent=[recent]))


@pytest.mark.parametrize("path", ["", "/a", "a//b", "a/", ".", "./a", "a/../b", "..", "a\\b", "C:/a", "a\0b"], ids=repr)
@pytest.mark.parametrize("kind", ["files", "folders"])
def test_a_path_that_leaves_it(kind: str, path: str) -> None:
    """A path that is none within the checkpoint is damage."""
    entry = {"path": path, "size": 1, "sha256": "ab"} if kind == "files" else path
    assert "is outside of it" in damage_of(unsigned(**{kind: [entry]}))


@pytest.mark.parametrize(("files", "folders"), [(["a", "a"], []), (["a", "a/b"], []), (["a"], ["a"]), (["a"], ["a/b"])])
def test_paths_in_each_others_way(files: list[str], folders: list[str]) -> None:
    """A path cannot be a file and something else at once."""
    entries = [{"path": path, "size": 1, "sha256": "ab"} for path in files]
    assert damage_of(unsigned(files=entries, folders=folders)) == "its manifest names a path twice"


def test_deep_nesting() -> None:
    """A manifest that is nested deeper than JSON is read is damaged."""
    assert "its manifest cannot be read (" in damage_of(b"[" * 100_000)
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    assert "its manifest cannot be read (" in damage_of(
        json.dumps(unsigned(metrics=0)).encode().replace(b'"metrics": 0', b'"metrics": ' + deep)
    )


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
@example(b"\xff\xfe[\x00]\x00")
@example(b"9" * 5000)
def test_any_bytes(data: bytes) -> None:
    """Bytes that are no manifest are damage, and never another error."""
    damage_of(data)


@given(st.dictionaries(st.sampled_from(FIELDS), json_values, min_size=1))
def test_any_fields(changes: Mapping[str, Any]) -> None:
    """Whatever stands in the fields of one without a digest, it is a manifest whose files lie within it, or damage."""
    try:
        found = Manifest.decode(json.dumps(unsigned(**changes)).encode())
    except DamagedError:
        return
    for path in (*(file.path for file in found.contents.files), *found.contents.folders):
        assert ".." not in path.split("/")
        assert not path.startswith("/")
    str(found.name)


@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    """Whatever is cut out, put in or changed, the manifest is damaged, unless it is as it was."""
    written = WRITTEN.encode()
    start = data.draw(st.integers(0, len(written)))
    end = data.draw(st.integers(start, len(written)))
    changed = written[:start] + data.draw(st.binary(max_size=20)) + written[end:]
    if changed != written:
        damage_of(changed)


@given(st.text())
@example("٣-000001")
@example("1-0000001")
@example("01-000001")
@example("1-000001\n")
def test_a_name_is_written_in_one_way(text: str) -> None:
    """A text is the name of a checkpoint only as we write it."""
    name = Name.parse(text)
    assert name is None or str(name) == text


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes and links of POSIX")
class TestOtherThanFiles:
    """Beside the newest checkpoint lies a good one, to which the trial falls back; nothing waits and nothing is followed."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """The folder of the checkpoints 1-000001 and 1-000002, each with a file ``state`` and one in ``deep``."""
        checkpoints = TrialCheckpoints(str(tmp_path / "checkpoints"), 1, Keeping())
        for iteration in (1, 2):
            source = tmp_path / f"source-{iteration}"
            (source / "deep").mkdir(parents=True)
            for name in ("state", "deep/layer"):
                (source / name).write_text(str(iteration))
            checkpoints.save(source, iteration, {})
        return tmp_path / "checkpoints"

    @pytest.mark.parametrize("what", ["fifo", "folder", "link", "dangling", "socket", "zeros", "garbage", "empty"])
    @pytest.mark.parametrize(
        "path", ["1-000002.json", "1-000002/state", "1-000002/deep/layer", "1-000002/deep", "1-000002"]
    )
    @pytest.mark.parametrize("count", [None, 1])
    def test_it_falls_back(self, folder: Path, tmp_path: Path, path: str, what: str, count: int | None) -> None:
        """A pipe, a folder, a link or something else in the place of any part of a checkpoint is damage; the one before is taken."""
        place = folder / path
        aside = tmp_path / "aside"
        place.rename(aside)
        replace_by(what, place, aside)
        checkpoints = TrialCheckpoints(str(folder), 2, Keeping(count))
        restored = checkpoints.restore(tmp_path / "scratch", str(folder / "1-000002"))
        assert restored is not None
        assert restored.manifest.name == Name(1, 1)
        assert list(checkpoints.damaged) == [str(folder / "1-000002")]

    def test_tidying_follows_no_link(self, folder: Path, tmp_path: Path) -> None:
        """What is left half done is deleted, but not what a link in its place leads to."""
        precious = tmp_path / "precious"
        precious.mkdir()
        (precious / "thesis").touch()
        (folder / "1-000003").symlink_to(precious)
        (folder / ".1-000004.tmp").symlink_to(precious / "thesis")
        TrialCheckpoints(str(folder), 2, Keeping()).restore(tmp_path / "scratch")
        assert (precious / "thesis").exists()
        assert not (folder / "1-000003").is_symlink()
        assert not (folder / ".1-000004.tmp").is_symlink()


def replace_by(what: str, place: Path, aside: Path) -> None:
    """Put something else in the place of what is now `aside`."""
    if what == "fifo":
        os.mkfifo(place)
    elif what == "folder":
        place.mkdir()
    elif what == "link":
        place.symlink_to(aside)
    elif what == "dangling":
        place.symlink_to(aside.with_name("nothing"))
    elif what == "socket":
        os.mknod(place, 0o140600)
    else:
        place.write_bytes({"zeros": bytes(100), "garbage": os.urandom(100), "empty": b""}[what])
