"""Times as people here read and write them."""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Callable

_WRITTEN = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2})(:\d{2})?)?")


class NoTimeError(ValueError):
    """A text that is compared with a time, and is none."""


class Moment(float):
    """A time in seconds since the epoch; it can be compared with one that somebody writes: ``"2026-11-26 09:53"``, in local time."""

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        return self._is(operator.lt, other)

    def __le__(self, other: object) -> bool:
        return self._is(operator.le, other)

    def __gt__(self, other: object) -> bool:
        return self._is(operator.gt, other)

    def __ge__(self, other: object) -> bool:
        return self._is(operator.ge, other)

    def __eq__(self, other: object) -> bool:
        return self._is(operator.eq, other)

    def __ne__(self, other: object) -> bool:
        return self._is(operator.ne, other)

    __hash__ = float.__hash__

    def _is(self, how: Callable[[float, float], bool], other: object) -> bool:
        if isinstance(other, str):
            return how(float(self), seconds_of(other))
        if isinstance(other, (int, float)):
            return how(float(self), float(other))
        return how is operator.ne


def seconds_of(text: str) -> float:
    """Return the seconds since the epoch of ``2026-11-26``, ``2026-11-26 09:53`` or ``2026-11-26 09:53:06``, in the local time zone.

    Raises:
        NoTimeError: it is no such time.
    """
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        raise NoTimeError(f"{text!r} is no time: write '2026-11-26' or '2026-11-26 09:53'")
    date, minutes, seconds = match.groups()
    try:
        return time.mktime(time.strptime(f"{date} {minutes or '00:00'}{seconds or ':00'}", "%Y-%m-%d %H:%M:%S"))
    except (ValueError, OverflowError) as error:
        raise NoTimeError(f"{text!r} is no time: {error}") from error


def moment(seconds: float | None) -> Moment | None:
    """Return a time as one that conditions can compare with what people write; None for None."""
    return None if seconds is None else Moment(seconds)


def time_text(seconds: float | None) -> str | None:
    """Return a time in the local time zone: ``2026-11-26 09:53:06``; None for None."""
    if seconds is None:
        return None
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g} s since the epoch"
