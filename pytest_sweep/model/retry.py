"""When a failed attempt is tried again, and how long after. Pure; judged in the worker, where the exception is."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_sweep.errors import DefinitionError
from pytest_sweep.model.record import Record

LONGEST_BACKOFF = 3600.0
"""However often a trial has failed, it waits no longer than this, in seconds."""

_JITTER = 0.25


def type_names(kind: type[BaseException]) -> tuple[str, ...]:
    """Return the names of an exception's class and of all that it derives from: ``builtins:OSError``."""
    return tuple(f"{base.__module__}:{base.__qualname__}" for base in kind.__mro__)


@dataclass(frozen=True, slots=True)
class RetryOn(Record):
    """The failures after which a trial is tried again: those that meet any of these; all failures where there is none of them.

    Attributes:
        types: names of exception classes, as `type_names` returns them.
        texts: parts of the exception as a traceback's last line shows it, such as ``CUDA out of memory``.
        patterns: regular expressions, searched for in ``Class: text`` too.
    """

    types: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()

    @classmethod
    def parse(cls, given: object) -> RetryOn:
        """Return what ``retry_on=given`` says: an exception class, a text, a compiled pattern, or several of them.

        Raises:
            DefinitionError: one of them is none of that.
        """
        types: list[str] = []
        texts: list[str] = []
        patterns: list[str] = []
        for condition in given if isinstance(given, (tuple, list)) else (given,):
            if isinstance(condition, type) and issubclass(condition, BaseException):
                types.append(type_names(condition)[0])
            elif isinstance(condition, re.Pattern) and isinstance(condition.pattern, str):
                patterns.append(condition.pattern)
            elif isinstance(condition, str) and condition:
                texts.append(condition)
            else:
                raise DefinitionError(
                    f"retry_on={given!r}: {condition!r} is neither an exception class nor a text such as 'CUDA out of memory'"
                )
        return cls(tuple(types), tuple(texts), tuple(patterns))

    def covers(self, types: Iterable[str], text: str) -> bool:
        """Say whether a failure is one of them.

        Args:
            types: the names of the exception's class and its bases, its own first; empty for a failure without an exception.
            text: the exception as the last line of a traceback shows it: ``OSError: no space left``.
        """
        if not (self.types or self.texts or self.patterns):
            return True
        if any(name in self.types for name in types) or any(part in text for part in self.texts):
            return True
        return any(re.search(pattern, text) for pattern in self.patterns)


def backoff_seconds(backoff: float, failures: int, key: str) -> float:
    """Return how long a trial waits after its `failures`-th failure: `backoff`, doubled each time, up to an hour, give or take a quarter.

    The same trial waits the same time in every run, and trials that failed together do not come back together: "full jitter" spreads
    more, and would make the first wait shorter than it was asked for by half (Brooker, "Exponential Backoff and Jitter", AWS, 2015).
    """
    wait = min(backoff * 2.0 ** min(failures - 1, 32), LONGEST_BACKOFF)
    return wait * random.Random(f"{key}-{failures}").uniform(1 - _JITTER, 1 + _JITTER)
