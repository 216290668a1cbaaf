"""Shows ends of trials in the order of collection, for plugins that go by it. Knows nothing of how they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_sweep.model.events import TrialFinished


class Turns:
    """Holds an end back until all trials before it have ended.

    ``--stepwise`` remembers the last failure and goes on from there: were a failure shown while a trial before it still runs,
    that one would be passed over the next time.

    Args:
        keys: the keys of the trials, in order.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._next = iter(keys)
        self._turn = next(self._next, None)
        self._early: dict[str, TrialFinished] = {}

    def take(self, event: TrialFinished) -> Iterator[TrialFinished]:
        """Take an end and yield those whose turn has come."""
        self._early[event.key] = event
        while self._turn in self._early:
            yield self._early.pop(self._turn)
            self._turn = next(self._next, None)
