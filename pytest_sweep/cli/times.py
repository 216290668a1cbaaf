"""Times as people here read them."""

from __future__ import annotations

import time


def time_text(seconds: float | None) -> str | None:
    """Return a time in the local time zone: ``2026-11-26 09:53:06``; None for None."""
    if seconds is None:
        return None
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g} s since the epoch"
