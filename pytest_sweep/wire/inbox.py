"""Puts what a worker says back in order, whichever way it came. The counterpart of `outbox`; knows no pytest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_sweep.wire.messages import Packed, unpack
from pytest_sweep.wire.outbox import Numbered


class Inbox:
    """Puts the events of one worker process in order again, whichever way they came."""

    def __init__(self) -> None:
        self._next = 1
        self._early: dict[int, Packed] = {}

    def put(self, numbered: Sequence[Numbered]) -> list[Any]:
        """Take events as bytes and return those, unpickled, whose turn has come; what came twice is dropped."""
        for number, packed in numbered:
            if number >= self._next:
                self._early[number] = packed
        ready = []
        while self._next in self._early:
            ready.append(unpack(self._early.pop(self._next)))
            self._next += 1
        return ready

    def complete(self, last: int) -> bool:
        """Say whether everything up to number `last` has come."""
        return self._next > last
