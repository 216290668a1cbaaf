"""Rungs: the iterations at which trials are compared, and who is among the best of one. Each step costs the logarithm of the trials."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Container
from fractions import Fraction
from typing import NamedTuple

from pytest_sweep.model.spread import is_nan
from pytest_sweep.model.study import Objective


class Entry(NamedTuple):
    """A trial in a rung. Greater is better: a higher score, then an earlier arrival."""

    score: float
    arrival: int
    """Minus how many were there before."""
    key: str


def rungs_of(grace_period: int, max_t: int, reduction_factor: Fraction) -> tuple[int, ...]:
    """Return the iterations of the rungs: ``grace_period * reduction_factor ** k``, rounded down, below `max_t`; then `max_t`.

    Exact: the logarithms by which Tune counts the rungs lose the one at 243 of ``max_t=243, reduction_factor=3``.
    """
    rungs: list[int] = []
    at = Fraction(grace_period)
    while (iteration := math.floor(at)) < max_t:
        if not rungs or iteration > rungs[-1]:
            rungs.append(iteration)
        at *= reduction_factor
    return (*rungs, max_t)


def brackets_of(grace_period: int, max_t: int, reduction_factor: Fraction, brackets: int) -> list[tuple[int, ...]]:
    """Return the rungs of each bracket: the s-th begins at the s-th rung. There are no more than there are rungs."""
    rungs = rungs_of(grace_period, max_t, reduction_factor)
    return [rungs[first:] for first in range(min(brackets, len(rungs)))]


def score_of(objective: Objective, value: float) -> float | None:
    """Return the value so that greater is better; None for NaN."""
    if is_nan(value):
        return None
    return float(value) if objective.mode == "max" else -float(value)


def shown_score(objective: Objective, score: float | None) -> str:
    """Return the value that a score stands for, as people read it; None is NaN."""
    if score is None:
        return "NaN"
    return f"{score if objective.mode == 'max' else -score:.4g}"


class Best:
    """The best of entries that keep coming.

    Args:
        size: how many of n are the best ones; with each further entry the same number, or one more.
    """

    def __init__(self, size: Callable[[int], int]) -> None:
        self._size = size
        self._count = 0
        self._best: list[Entry] = []
        self._rest: list[tuple[float, int, Entry]] = []

    def add(self, entry: Entry) -> None:
        """Take an entry."""
        self._count += 1
        if self._best and entry > self._best[0]:
            heapq.heappush(self._best, entry)
        else:
            self._put_back(entry)
        size = self._size(self._count)
        while len(self._best) > size:
            self._put_back(heapq.heappop(self._best))
        while len(self._best) < size:
            heapq.heappush(self._best, heapq.heappop(self._rest)[-1])

    @property
    def worst_in(self) -> Entry | None:
        """The worst of the best ones; None where there is none."""
        return self._best[0] if self._best else None

    @property
    def best_out(self) -> Entry | None:
        """The best of the others; None where there is none."""
        return self._rest[0][-1] if self._rest else None

    def _put_back(self, entry: Entry) -> None:
        heapq.heappush(self._rest, (-entry.score, -entry.arrival, entry))


class Rung:
    """The trials that have reached one iteration.

    Args:
        iteration: which.
        reduction_factor: one of so many is among the best.
    """

    def __init__(self, iteration: int, reduction_factor: Fraction) -> None:
        self.iteration = iteration
        self.count = 0
        self._factor = reduction_factor
        self._best = Best(self._quota)
        self._above = Best(self._count_above)
        self._waiting: list[tuple[float, int, Entry]] = []

    def add(self, key: str, score: float | None) -> Entry:
        """Take a trial; without a score it is worse than any other."""
        entry = Entry(-math.inf if score is None else score, -self.count, key)
        self.count += 1
        self._best.add(entry)
        self._above.add(entry)
        return entry

    def wait(self, entry: Entry) -> None:
        """Note that a trial that is there waits to go on."""
        heapq.heappush(self._waiting, (-entry.score, -entry.arrival, entry))

    def percentile(self) -> float | None:
        """Return the percentile ``1 - 1 / reduction_factor`` of the scores, interpolated as numpy does; None in an empty rung.

        Nothing lies between a number and an infinity: there it is the lower of the two scores.
        """
        low, high = self._above.best_out, self._above.worst_in
        if low is None:
            return None
        share = float((self.count - 1) * (self._factor - 1) / self._factor % 1)
        if high is None or share == 0 or low.score == high.score:
            return low.score
        if math.isinf(low.score) or math.isinf(high.score):
            return low.score
        gap = high.score - low.score
        if math.isinf(gap):  # It is no float, though what lies between them is.
            return low.score * (1 - share) + high.score * share
        return low.score + gap * share if share < 0.5 else high.score - gap * (1 - share)

    def needed(self) -> float:
        """Return the score of the worst of the best ``max(1, n // reduction_factor)``; of an empty rung, minus infinity."""
        worst = self._best.worst_in
        return -math.inf if worst is None else worst.score

    def promoted(self, paused: Container[str], *, at_least_one: bool) -> Entry | None:
        """Return the best trial that waits, which then waits no more, if it is among the best ``n // reduction_factor``; else None.

        Args:
            paused: who still waits.
            at_least_one: count the very best one, too, however few there are.
        """
        while self._waiting and self._waiting[0][-1].key not in paused:
            heapq.heappop(self._waiting)
        worst = self._best.worst_in
        if not self._waiting or worst is None or not (at_least_one or self.count >= self._factor):
            return None
        if self._waiting[0][-1] < worst:
            return None
        return heapq.heappop(self._waiting)[-1]

    @property
    def quota(self) -> int:
        """How many are among the best."""
        return self._quota(self.count)

    def _quota(self, count: int) -> int:
        return max(1, math.floor(count / self._factor)) if count else 0

    def _count_above(self, count: int) -> int:
        """Return how many are above the position of the percentile among `count`."""
        return count - 1 - math.floor((count - 1) * (self._factor - 1) / self._factor)
