"""What a trial had printed when its process died is read as pytest would have shown it."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_sweep.wire.captured import MOST_BYTES, CapturedFiles, read_captured


def test_the_sections(tmp_path: Path) -> None:
    """Those of the phases that have ended, then what the streams hold of the current one."""
    files = CapturedFiles(tmp_path)
    files.begin("setup")
    files.keep([("Captured stdout setup", "one\n")])
    files.begin("call")
    log = files.new_log()
    log.write("WARNING careful\n")
    os.write(files.stdout, b"two\n")
    os.write(files.stderr, "drei \xff\n".encode())
    assert read_captured(tmp_path) == (
        ("Captured stdout setup", "one\n"),
        ("Captured stdout call", "two\n"),
        ("Captured stderr call", "drei \xff\n"),
        ("Captured log call", "WARNING careful\n"),
    )
    assert log.getvalue() == "WARNING careful\n"


def test_the_next_trial(tmp_path: Path) -> None:
    """Nothing of a trial is left for the next one."""
    files = CapturedFiles(tmp_path)
    files.begin("call")
    files.new_log().write("one")
    files.keep([("Captured log call", "one")])
    files.clear()
    files.begin("setup")
    files.new_log()
    assert read_captured(tmp_path) == ()


def test_long_output(tmp_path: Path) -> None:
    """Of a long output the start and the end are read."""
    files = CapturedFiles(tmp_path)
    os.write(files.stdout, b"start" + b"x" * 3 * MOST_BYTES + b"end")
    ((name, text),) = read_captured(tmp_path)
    assert name == "Captured stdout call"
    assert text.startswith("start")
    assert text.endswith("end")
    assert f"... {2 * MOST_BYTES + 8} bytes are cut here ..." in text
    assert len(text) < 1.1 * MOST_BYTES


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """A torn file costs nothing but what was in it; without files there is nothing."""
    assert read_captured(tmp_path) == ()
    (tmp_path / "sections").write_bytes(b"call    \x80\x05torn")
    (tmp_path / "stdout").write_bytes(b"kept")
    assert read_captured(tmp_path) == (("Captured stdout call", "kept"),)
