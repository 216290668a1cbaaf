"""How values, durations and amounts are written, and how text is cut to a width. Knows nothing of trials."""

from __future__ import annotations

import math
from collections.abc import Iterable

from wcwidth import wcwidth

from pytest_sweep.model.spread import Spread
from pytest_sweep.space import displayable, escaped

DEVIATION = " ± "
"""What stands between a mean and its standard deviation."""

LONGEST_NAME, LONGEST_VALUE = 200, 500
"""How many terminal cells names and values take in a line that is not cut to the terminal's width: they may have a million characters."""

_LONGEST = 10_000
_LONGEST_INTEGER = 100
"""How many bits an integer may have that is written with all its digits: 30 of them."""

_ELLIPSIS = "…"


def name_text(name: str | None) -> str:
    """Return the name of a metric or of a parameter on one line, its middle cut out where it is long; "" for None."""
    return cut_middle(escaped((name or "")[:_LONGEST]), LONGEST_NAME)


def cell_text(value: object) -> str:
    """Return `value` on one line: floats with 6 significant digits, None as nothing, functions and classes by name.

    A mean of several values is followed by their standard deviation, if it has one: ``0.123 ± 0.004``.
    """
    if value is None:
        return ""
    if isinstance(value, Spread) and value.std is not None and not math.isnan(value.std):
        return f"{value:.6g}{DEVIATION}{value.std:.2g}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int) and value.bit_length() > _LONGEST_INTEGER:
        return _rounded(value)
    # As in the trial's name, without the module: that would fill the cell and have the name cut off.
    name = getattr(value, "__name__", None) if callable(value) else None
    shown = name if isinstance(name, str) else displayable(value)
    text = f"{shown:.6g}" if isinstance(shown, float) else str(shown)
    if len(text) > _LONGEST:  # Before each of a million characters is looked at.
        text = text[:_LONGEST] + _ELLIPSIS
    # A line break in a cell would break the table, an escape sequence the terminal.
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def _rounded(value: int) -> str:
    """Return an integer that has more digits than anybody reads, or than a float has room for: ``1.26765e+3010``."""
    shift = max(int(abs(value).bit_length() * math.log10(2)) - 16, 0)
    mantissa, _, exponent = f"{float(abs(value) // 10**shift):.5e}".partition("e")
    return f"{'-' if value < 0 else ''}{mantissa.rstrip('0').rstrip('.')}e+{int(exponent) + shift}"


def text_width(text: str) -> int:
    """Return how many terminal cells `text` takes: wide (CJK, emoji) characters take two, combining ones none."""
    return len(text) if text.isascii() else sum(max(wcwidth(char), 0) for char in text)


def cut_end(text: str, width: int | None) -> str:
    """Return `text` in at most `width` terminal cells, with ``…`` where its end was cut off; None is no limit."""
    if width is None or text_width(text) <= width:
        return text
    return _start_of(text, width - 1) + _ELLIPSIS if width > 0 else ""


def cut_middle(text: str, width: int) -> str:
    """Return `text` in at most `width` terminal cells, with ``…`` where its middle was cut out."""
    if text_width(text) <= width:
        return text
    if width <= 0:
        return ""
    tail = _start_of(text[::-1], (width - 1) // 2)[::-1]
    return _start_of(text, width - 1 - text_width(tail)) + _ELLIPSIS + tail


def wrapped(parts: Iterable[str], width: int) -> tuple[str, ...]:
    """Return `parts` on lines of at most `width` terminal cells; a part that is wider is broken, others only moved to the next line."""
    lines = [""]
    for part in parts:
        rest = part
        while text_width(lines[-1] + rest.rstrip()) > width:
            is_broken = text_width(part.rstrip()) > width
            start = _start_of(rest, max(width - text_width(lines[-1]), 0)) if is_broken else ""
            if not start and not lines[-1]:
                start = rest[:1]  # A wide character in a column of one cell.
            lines[-1:] = [lines[-1] + start, ""]
            rest = rest[len(start) :]
        lines[-1] += rest
    return tuple(line.rstrip() for line in lines if line.strip()) or ("",)


def duration_text(seconds: float, decimals: int = 0) -> str:
    """Return ``00:01:05``, with `decimals` digits of a second, and ``2 days, `` before it where it takes days."""
    # Rounded before it is divided: 59.999 s is a minute, not 60 seconds.
    minutes, rest = divmod(round(max(seconds, 0.0), decimals), 60)
    hours, minutes = divmod(int(minutes), 60)
    days, hours = divmod(hours, 24)
    before = f"{counted(days, 'day')}, " if days else ""
    return f"{before}{hours:02d}:{minutes:02d}:{rest:0{3 + decimals if decimals else 2}.{decimals}f}"


def counted(number: float, noun: str) -> str:
    """Return ``1 trial``, ``2 trials``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _start_of(text: str, width: int) -> str:
    used = 0
    for index, char in enumerate(text):
        used += max(wcwidth(char), 0)
        if used > width:
            return text[:index]
    return text
