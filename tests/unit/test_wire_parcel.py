"""Values that travel with their buffers beside them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from pytest_sweep.wire.parcel import Parcel


def test_buffers_are_not_copied() -> None:
    """An array that is unpacked shares its memory with the one that was packed, read-only."""
    array = np.arange(10_000)
    opened = Parcel.pack({"x": array, "y": [1, 2]}).open()
    assert opened["y"] == [1, 2]
    assert np.shares_memory(opened["x"], array)
    with pytest.raises(ValueError, match="read-only"):
        opened["x"][0] = 1


def test_what_has_no_buffers_is_copied() -> None:
    """A list of dicts is made anew each time it is opened, and counts as copied."""
    value = [{"a": number} for number in range(1000)]
    parcel = Parcel.pack(value)
    first, second = parcel.open(), parcel.open()
    assert first == second == value
    assert first is not second
    assert parcel.copied == len(pickle.dumps(value, protocol=5))


def test_a_file_keeps_all_of_it(tmp_path: Path) -> None:
    """What was written into a file is read from it with every buffer, empty ones too, aligned and read-only."""
    value = {"x": np.arange(7.0), "none": np.zeros(0), "y": np.arange(1_000_003, dtype=np.int8), "text": "text"}
    Parcel.pack(value).write(tmp_path / "value")
    read = Parcel.read(tmp_path / "value").open()
    assert read["text"] == "text"
    for name in ("x", "none", "y"):
        np.testing.assert_array_equal(read[name], value[name])
        assert read[name].ctypes.data % 64 == 0
        assert not read[name].flags.writeable


def test_a_file_is_not_overwritten(tmp_path: Path) -> None:
    """A file that is there already is somebody's who may be reading it."""
    (tmp_path / "value").touch()
    with pytest.raises(FileExistsError):
        Parcel.pack(1).write(tmp_path / "value")


def test_what_cannot_be_pickled() -> None:
    """What pickling raises is raised."""
    with pytest.raises(TypeError, match="generator"):
        Parcel.pack(number for number in range(3))
