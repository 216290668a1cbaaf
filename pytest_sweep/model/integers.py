"""Integers of any length as text: Python refuses to write or read more than 4,300 decimal digits at once."""

from __future__ import annotations

import re
from decimal import Decimal

LONGEST = 10**4300
"""The first integer that Python does not write."""


def digits(value: int) -> str:
    """Return an integer in decimal digits."""
    # A Decimal has no such limit, and is exact.
    return str(int(value)) if -LONGEST < value < LONGEST else str(Decimal(value))


def parse_integer(text: str) -> int:
    """Return the integer that `text` is, as ``int`` reads it.

    Raises:
        ValueError: it is none.
    """
    is_long = re.fullmatch(r"\s*[+-]?[0-9]{4000,}\s*", text, re.ASCII)
    return int(Decimal(text.strip())) if is_long else int(text)
