"""Amounts of memory as people write them: ``"500MB"``, ``"4 GiB"``. Pure."""

from __future__ import annotations

import re

_UNITS = {
    "": 1, "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_SIZE = re.compile(r"\s*(?P<amount>\d+(?:\.\d+)?)\s*(?P<unit>[a-zA-Z]*)\s*")

_LARGEST = 1e18


def parse_size(text: str) -> int:
    """Return the bytes of a size: ``"4GiB"``, ``"500 MB"``, or a number of bytes.

    Raises:
        ValueError: it is none; the text says how to write one.
    """
    match = _SIZE.fullmatch(text)
    if match is None or match["unit"].lower() not in _UNITS:
        raise ValueError(f"{text!r} cannot be parsed: write bytes, or a number and a unit such as '4GiB' or '500MB'")
    size = float(match["amount"]) * _UNITS[match["unit"].lower()]
    if size > _LARGEST:
        shown = text if len(text) < 30 else f"{text[:20]}..."
        raise ValueError(
            f"{shown!r} is more than any machine has: write bytes, or a number and a unit such as '4GiB' or '500MB'"
        )
    return int(size)


def size_words(size: int) -> str:
    """Return bytes as people read them: ``812 bytes``, ``1.2 MiB``, ``312 MiB``."""
    if size < 2**10:
        return f"{size} byte{'' if size == 1 else 's'}"
    power = min((size.bit_length() - 1) // 10, 4)
    amount = size / 2 ** (10 * power)
    return f"{amount:.{1 if amount < 10 else 0}f} {('KiB', 'MiB', 'GiB', 'TiB')[power - 1]}"
