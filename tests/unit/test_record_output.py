"""Output that was shown is kept in a file: reports give it back as it was, whatever is done with them."""

from __future__ import annotations

import copy
import gc
import operator
import os
import pickle
import stat
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.plugin.record.output import LEAST_CHARACTERS, KeptSections, OutputFile

LONG = "x" * LEAST_CHARACTERS


def report(*sections: tuple[str, str]) -> pytest.TestReport:
    return pytest.TestReport("test_a.py::test_b", ("test_a.py", 0, "test_b"), {}, "passed", None, "call", sections)


def is_kept(one: pytest.TestReport) -> bool:
    """Say whether the sections of a report are in the file."""
    sections: object = one.sections
    return isinstance(sections, KeptSections)


@given(st.lists(st.tuples(st.text(), st.text(st.characters(exclude_categories=[])))))
def test_sections_are_what_they_were(tmp_path_factory: pytest.TempPathFactory, sections: list[tuple[str, str]]) -> None:
    """Any text comes back, halves of surrogate pairs included, and pytest's own properties read it."""
    expected = [*sections, ("Captured stdout call", LONG)]
    one, two = report(*expected), report(*expected, ("Captured stderr teardown", "end"))
    OutputFile(tmp_path_factory.mktemp("run")).take([one, two])
    assert is_kept(one)
    assert list(one.sections) == expected
    assert list(two.sections) == [*expected, ("Captured stderr teardown", "end")]
    assert one.capstdout == "".join(text for name, text in expected if name.startswith("Captured stdout"))


def test_it_can_be_used_as_a_list(tmp_path: Path) -> None:
    """Plugins may index, add to, change, compare, copy and pickle the sections of a report."""
    one = report(("a", LONG), ("b", "end"))
    OutputFile(tmp_path).take([one])
    sections = one.sections
    assert (sections[0], sections[-1], sections[1:]) == (("a", LONG), ("b", "end"), [("b", "end")])
    assert (len(sections), bool(sections)) == (2, True)
    assert sections == [("a", LONG), ("b", "end")] == sections
    assert operator.add(sections, [("c", "")]) == [*sections, ("c", "")]
    assert operator.add([("c", "")], sections) == [("c", ""), *sections]
    assert pickle.loads(pickle.dumps(sections)) == list(sections)
    assert copy.deepcopy(sections) == list(sections)
    assert repr(sections) == repr(list(sections))
    sections.append(("c", "new"))
    sections[0] = ("a", "changed")
    del sections[1]
    assert sections == [("a", "changed"), ("c", "new")]
    one.sections = []
    assert one.capstdout == ""


def test_a_text_of_several_reports_is_written_once(tmp_path: Path) -> None:
    """The reports of a trial's phases have the sections of earlier ones, too."""
    file = OutputFile(tmp_path)
    reports = [report(("a", LONG)) for _ in range(3)]
    file.take(reports)
    assert file._end == len(LONG)


def test_short_output_stays_in_memory(tmp_path: Path) -> None:
    """What is shorter than what a place in the file takes stays where it is, and so does what is no text."""
    kept = [report(("a", LONG[1:])), report(), report(("a", LONG), ("b", 1))]  # type: ignore[arg-type]
    file = OutputFile(tmp_path)
    file.take(kept)
    assert not any(map(is_kept, kept))
    assert file._descriptor is None


def test_the_file_has_no_name(tmp_path: Path) -> None:
    """Nobody else can find it, read it or put something else in its place, and it is closed with its owner."""
    file = OutputFile(tmp_path)
    file.take([report(("a", LONG))])
    assert file._descriptor is not None
    status = os.fstat(file._descriptor)
    assert (list(tmp_path.iterdir()), status.st_nlink, stat.S_IMODE(status.st_mode)) == ([], 0, 0o600)
    assert not os.get_inheritable(file._descriptor)
    descriptor = file._descriptor
    del file
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file cannot be made or written, reports keep their sections; later ones go into the file again."""
    missing, one = OutputFile(tmp_path / "missing"), report(("a", LONG))
    missing.take([one])
    assert one.sections == [("a", LONG)]
    file, write = OutputFile(tmp_path), os.write

    def fail(descriptor: int, data: bytes) -> int:
        write(descriptor, data[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fail)
        file.take([one])
    assert not is_kept(one)
    file.take([one])
    assert is_kept(one)
    assert list(one.sections) == [("a", LONG)]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A sentence stands for what is lost: a summary is written to its end."""
    file, one = OutputFile(tmp_path), report(("a", LONG))
    file.take([one])
    assert file._descriptor is not None
    os.ftruncate(file._descriptor, 10)
    assert one.sections == [
        ("a", "this output was kept in a file, which cannot be read: it is shorter than what was written\n")
    ]


def test_memory(tmp_path: Path) -> None:
    """A report of 100 KB of output takes less than 2 KB of memory, besides what pytest itself needs for it."""
    file, reports = OutputFile(tmp_path), []
    tracemalloc.start()
    try:
        empty = [report() for _ in range(100)]
        base, _ = tracemalloc.get_traced_memory()
        for number in range(100):
            reports.append(report(("Captured stdout call", f"{number} " * 50_000)))
            file.take(reports[-1:])
        grown = tracemalloc.get_traced_memory()[0] - 2 * base
    finally:
        tracemalloc.stop()
    assert len(empty) == len(reports)
    assert grown < 100 * 2_000
