"""Spans of time as people write them: ``90``, ``"10s"``, ``"1h30m"``. Pure."""

from __future__ import annotations

import math
import re

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MOST = 1e18
"""Longer than the world is old; a whole number may be too large for a float."""
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([smhd]?)\s*", re.IGNORECASE)


def parse_duration(value: object) -> float:
    """Return the seconds of a span: a number of seconds, or a text such as ``"90"``, ``"10s"``, ``"1.5h"``, ``"1h30m"`` or ``"2d"``.

    Raises:
        ValueError: it is none, negative or not finite; the text says how to write one.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value) if value < _MOST else math.inf
    elif isinstance(value, str):
        seconds = _sum_of_parts(value.strip())
    else:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        what = "that" if isinstance(value, int) and value.bit_length() > 128 else repr(value)
        raise ValueError(f"{what} is not a span of time: write seconds, or 10s, 5m, 2h, 1h30m")
    return seconds


def _sum_of_parts(text: str) -> float:
    parts = list(_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        return math.nan
    if len(parts) > 1 and not all(part[2] for part in parts):
        return math.nan  # "1 30" says nothing.
    return sum(float(part[1]) * _UNITS[part[2].lower()] for part in parts)


def duration_words(seconds: float) -> str:
    """Return a span as it would be written: ``10 s``, ``1.5 s``, ``10 min``, ``2 h``, ``1 h 30 min``."""
    if seconds < 60:
        return f"{seconds:g} s"
    whole = round(seconds)
    parts = [(whole // 3600, "h"), (whole % 3600 // 60, "min"), (whole % 60, "s")]
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount)
