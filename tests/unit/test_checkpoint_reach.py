"""Which addresses of checkpoints lie in a place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.checkpoints import is_real, is_within


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("{run}/train/checkpoints/1-000001", True),
        ("file://{run}/train/checkpoints/1-000001", True),
        ("{run}/train/../train/checkpoints/1-000001", True),
        ("{run}/1-000001", True),
        ("{run}", False),
        ("{run}/../1-000001", False),
        ("{run}-2/train/checkpoints/1-000001", False),
        ("{run}/train/../../other/checkpoints/1-000001", False),
        ("/1-000001", False),
        ("1-000001", False),
        ("", False),
        ("local://{run}/train/checkpoints/1-000001", False),
        ("file://host/{run}/train/checkpoints/1-000001", False),
        ("s3://bucket/run/train/checkpoints/1-000001", True),
        ("s3://bucket/run/../other/checkpoints/1-000001", False),
        ("s3://bucket/run2/train/checkpoints/1-000001", False),
        ("s3://bucket/run", False),
        ("s4://bucket/run/train/checkpoints/1-000001", False),
        ("{run}/train\0/checkpoints/1-000001", False),
    ],
)
def test_within(tmp_path: Path, address: str, expected: bool) -> None:
    """An address is within a place if it is below it, whatever way it is written in."""
    run = tmp_path / "run"
    (run / "train" / "checkpoints").mkdir(parents=True)
    assert is_within(address.format(run=run), [str(run), "s3://bucket/run/"]) is expected


@pytest.mark.parametrize("link", ["train", "train/checkpoints", "train/checkpoints/1-000001"])
def test_a_link_out_of_it(tmp_path: Path, link: str) -> None:
    """What a link leads out of the place to is not within it."""
    run, outside = tmp_path / "run", tmp_path / "outside"
    (outside / "checkpoints" / "1-000001").mkdir(parents=True)
    (run / link).parent.mkdir(parents=True)
    (run / link).symlink_to(outside)
    assert not is_within(f"{run}/train/checkpoints/1-000001", [str(run)])


def test_a_link_into_it(tmp_path: Path) -> None:
    """A link from outside does not make the folder around the link part of the place: what is half done there would be deleted."""
    run, outside = tmp_path / "run", tmp_path / "outside"
    (run / "train").mkdir(parents=True)
    outside.mkdir()
    (outside / "1-000001").symlink_to(run / "train")
    assert not is_within(f"{outside}/1-000001", [str(run)])


def test_a_place_that_is_a_link(tmp_path: Path) -> None:
    """The place itself may be a link, which its user has made."""
    (tmp_path / "real" / "train").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert is_within(f"{tmp_path}/link/train/1-000001", [str(tmp_path / "link")])
    assert is_real(str(tmp_path / "link"), "train")
    (tmp_path / "real" / "other").symlink_to(tmp_path / "real" / "train")
    assert not is_real(str(tmp_path / "link"), "other")


@given(st.text() | st.text("./\\:s3filetmpx1-0\0"))
def test_any_text(address: str) -> None:
    """Any text is within a place or not; none is an error, and none is within no place."""
    assert isinstance(is_within(address, ["/tmp/x", "s3://x"]), bool)
    assert not is_within(address, [])
