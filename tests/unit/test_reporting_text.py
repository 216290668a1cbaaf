"""Values, durations and cuts as text."""

from __future__ import annotations

import datetime
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.reporting.text import cell_text, cut_end, cut_middle, duration_text, text_width


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (0.1234567, "0.123457"),
        (1e-9, "1e-09"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (12345678, "12345678"),
        (True, "True"),
        ([1, 2], "[1, 2]"),
        (math.sqrt, "sqrt"),
        (datetime.datetime, "datetime"),
        ("two\nlines\x1b[31m", "two lines [31m"),
        ("naïve 模型", "naïve 模型"),
    ],
)
def test_a_cell_is_one_line(value: object, text: str) -> None:
    """A cell shows 6 digits of a float, nothing for None, and never breaks its line or colours the terminal."""
    assert cell_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "decimals", "text"),
    [
        (5.12, 2, "00:00:05.12"),
        (59.999, 2, "00:01:00.00"),
        (65, 0, "00:01:05"),
        (-1, 0, "00:00:00"),
        (90_000, 0, "1 day, 01:00:00"),
        (3 * 86_400 + 1.5, 1, "3 days, 00:00:01.5"),
    ],
)
def test_durations_carry_over(seconds: float, decimals: int, text: str) -> None:
    """Rounded seconds never read 60, and days stand before the hours."""
    assert duration_text(seconds, decimals) == text


def test_wide_characters_take_two_cells() -> None:
    """Width is counted in terminal cells, not in characters."""
    assert text_width("模型") == 4
    assert text_width("e\u0301") == 1


def test_a_cut_shows_where_it_is() -> None:
    """The end or the middle goes, an ellipsis stays."""
    assert cut_end("train_model", 6) == "train…"
    assert cut_middle("train_model[lr=1]", 9) == "trai…r=1]"
    assert cut_end("train", None) == "train"
    assert cut_middle("train", 5) == "train"


@given(st.text(), st.integers(0, 30))
def test_a_cut_always_fits(text: str, width: int) -> None:
    """Whatever the text, what is left takes no more than the width."""
    assert text_width(cut_end(text, width)) <= width
    assert text_width(cut_middle(text, width)) <= width
