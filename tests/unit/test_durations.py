"""Spans of time, as people write and read them."""

from __future__ import annotations

import math

import pytest

from pytest_sweep.durations import duration_words, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0.0), (90, 90.0), (1.5, 1.5), ("90", 90.0), (" 10s ", 10.0), ("1.5h", 5400.0), ("1h30m", 5400.0), ("1H 30M", 5400.0),
        ("2d", 172800.0), (".5m", 30.0),
    ],
)  # fmt: skip
def test_what_is_understood(written: object, seconds: float) -> None:
    """A number is seconds; a text has units, which add up."""
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "soon", "-1s", "1 30", "10x", "1e3s", -1, math.inf, math.nan, None, True, [1], 10**400]
)
def test_what_is_not(written: object) -> None:
    """Anything else is an error that shows what was written, and how to write it."""
    with pytest.raises(ValueError, match="is not a span of time: write seconds, or 10s, 5m, 2h, 1h30m"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "0.5 s"), (10, "10 s"), (60, "1 min"), (90, "1 min 30 s"), (5400, "1 h 30 min"), (90061, "25 h 1 min 1 s")],
)
def test_words(seconds: float, words: str) -> None:
    """A span is shown in hours, minutes and seconds, without those that are zero."""
    assert duration_words(seconds) == words
