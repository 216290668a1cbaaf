"""Integers of any length are written in decimal digits and read back."""

from __future__ import annotations

import pytest

from pytest_sweep.model.integers import LONGEST, digits, parse_integer


@pytest.mark.parametrize("value", [0, -7, True, LONGEST - 1, LONGEST, -LONGEST, 10**9000 + 1], ids=range(7))
def test_any_integer(value: int) -> None:
    """Its digits are exact, on both sides of what Python writes at once."""
    text = digits(value)
    assert parse_integer(text) == value
    assert text.lstrip("-").isdecimal()


def test_a_boolean() -> None:
    """True is written as the number that it is."""
    assert digits(True) == "1"


@pytest.mark.parametrize("text", ["", "1.5", "x", "9" * 5000 + "x", "1_" * 3000], ids=range(5))
def test_no_integer(text: str) -> None:
    """Other text is an error, however long it is."""
    with pytest.raises(ValueError, match=r"invalid literal|Exceeds"):
        parse_integer(text)
