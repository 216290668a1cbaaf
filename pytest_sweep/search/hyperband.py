"""Hyperband, synchronous: trials pause at a rung until all of their bracket are there. Pure, and independent of who comes first."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial

from pytest_sweep.model.study import (
    GO_ON,
    Milestones,
    Objective,
    Observation,
    Outcome,
    Resumption,
    Verdict,
    VerdictKind,
)
from pytest_sweep.search.rungs import rungs_of, score_of, shown_score


class Hyperband:
    """The scheduler of ``hyperband()``.

    Args:
        objective: what trials are judged by.
        grace_period: the first rung of the first bracket.
        max_t: where trials end.
        reduction_factor: one of so many goes on.
        keys: the trials, in the order in which they begin: the first ones are dealt to the bracket that stops soonest.
    """

    pauses = True

    def __init__(
        self, objective: Objective, grace_period: int, max_t: int, reduction_factor: Fraction, keys: Sequence[str]
    ) -> None:
        self._objective = objective
        self._is_over = False
        rungs = rungs_of(grace_period, max_t, reduction_factor)
        self._brackets: list[_Bracket] = []
        self._bracket_of: dict[str, _Bracket] = {}
        first = 0
        for size, start in _dealt(len(keys), len(rungs), reduction_factor):
            bracket = _Bracket(rungs[start:], reduction_factor, keys[first : first + size])
            self._brackets.append(bracket)
            self._bracket_of |= dict.fromkeys(bracket.members, bracket)
            first += size
        self._late = _Bracket(rungs, reduction_factor, ())

    def milestones(self, key: str) -> Milestones:
        """Return the rungs of the trial's bracket."""
        return self._of(key).milestones

    def pause_at(self, key: str) -> int | None:
        """Return the first rung of the trial's bracket, unless trials end there."""
        at = self.milestones(key).at
        return at[0] if len(at) > 1 else None

    def judge(self, observation: Observation, *, can_pause: bool) -> Verdict:
        """Pause a trial at its rung; one that cannot is stopped unless it is among the best of those that are there so far."""
        self._is_over = False
        bracket = self._of(observation.key)
        score = score_of(self._objective, observation.values[0])
        return bracket.judge(observation, score, can_pause=can_pause)

    def end(self, observation: Observation) -> None:
        """Wait no longer for the trial; one that failed is the worst of the rung that it was on its way to."""
        self._of(observation.key).end(observation.key, failed=observation.outcome is Outcome.FAILED)

    def resume(self, *, is_last: bool) -> Resumption | None:
        """Return the next of those that go on from a complete rung, of the first bracket that has some.

        If no further observation will come, the first bracket with paused trials goes on without those that it waited for.
        """
        for bracket in (*self._brackets, self._late):
            found = bracket.resume(complete=False)
            if found is not None:
                return found
        for bracket in (*self._brackets, self._late) if is_last else ():
            found = bracket.resume(complete=True)
            if found is not None:
                return found
        self._is_over = is_last
        return None

    def dropped(self) -> Mapping[str, str]:
        """Return the trials that are not among the best of a complete rung."""
        gone: dict[str, str] = {}
        for bracket in (*self._brackets, self._late):
            gone |= bracket.dropped(partial(shown_score, self._objective), all_paused=self._is_over)
        return gone

    def _of(self, key: str) -> _Bracket:
        bracket = self._bracket_of.get(key)
        if bracket is None:
            bracket = self._bracket_of[key] = self._late
            bracket.members[key] = None
        return bracket


class _Bracket:
    """Trials that share their rungs. `members` are those that are compared at the current rung: who is there, or on the way.

    A trial without a checkpoint may be ahead of the others: what it has at higher rungs is kept until they are compared there.
    """

    def __init__(self, rungs: tuple[int, ...], reduction_factor: Fraction, keys: Sequence[str]) -> None:
        self.milestones = Milestones(at=rungs)
        self.members: dict[str, None] = dict.fromkeys(keys)
        self._rungs, self._factor = rungs, reduction_factor
        self._level = 0
        self._scores: list[dict[str, float]] = [{} for _ in rungs]
        self._went_on: list[set[str]] = [set() for _ in rungs]
        self._paused: dict[str, int] = {}
        self._left: set[str] = set()
        self._next: deque[Resumption] = deque()
        self._gone: dict[str, tuple[float, int, float, int]] = {}

    def judge(self, observation: Observation, score: float | None, *, can_pause: bool) -> Verdict:
        key, iteration = observation.key, observation.iteration
        if iteration >= self._rungs[-1]:
            return Verdict(VerdictKind.STOP, f"hyperband: iteration {iteration} is max_t")
        reached = [level for level, rung in enumerate(self._rungs) if rung <= iteration]
        new = [level for level in reached if key not in self._scores[level]]
        if not new or key not in self.members:
            return GO_ON
        for level in new:
            self._scores[level][key] = -math.inf if score is None else score
        for level in new[:-1]:
            self._went_on[level].add(key)
        verdict = self._pause(key, new[-1]) if can_pause else self._stop(key, new[-1])
        self._close_if_complete()
        return verdict

    def end(self, key: str, *, failed: bool) -> None:
        self._paused.pop(key, None)
        self._gone.pop(key, None)
        following = next((level for level, scores in enumerate(self._scores) if key not in scores), None)
        if failed and following is not None:
            self._scores[following][key] = -math.inf
        self._left.add(key)
        self._close_if_complete()

    def resume(self, *, complete: bool) -> Resumption | None:
        """Return who goes on next; with `complete`, the current rung counts as complete."""
        if not self._next and complete and self._best():
            self.members = {key: None for key in self.members if key in self._scores[self._level]}
            self._close_if_complete()
        return self._next.popleft() if self._next else None

    def dropped(self, shown: Callable[[float], str], *, all_paused: bool) -> dict[str, str]:
        if all_paused:
            self._drop(list(self._paused))
        gone = {
            key: "hyperband: the metric is not finite"
            if score == -math.inf
            else f"hyperband: {shown(score)} at iteration {iteration}, needed {shown(needed)} of {count}"
            for key, (score, iteration, needed, count) in self._gone.items()
        }
        self._gone.clear()
        return gone

    def _pause(self, key: str, level: int) -> Verdict:
        self._paused[key] = level
        return Verdict(VerdictKind.PAUSE, f"hyperband: iteration {self._rungs[level]}")

    def _stop(self, key: str, level: int) -> Verdict:
        there = sorted(self._scores[level].values(), reverse=True)
        quota, score = self._quota(len(there)), self._scores[level][key]
        if score > -math.inf and score >= there[quota - 1]:
            self._went_on[level].add(key)
            return GO_ON
        text = f"hyperband: not among the best {quota} of {len(there)} at iteration {self._rungs[level]}"
        return Verdict(VerdictKind.STOP, text)

    def _close_if_complete(self) -> None:
        """Once all are there, let the best go on, in the order of their scores, and drop the rest."""
        while self._level + 1 < len(self._rungs):
            scores = self._scores[self._level]
            if len(scores) + len(self._left) < len(self.members):
                return
            self.members = {key: None for key in self.members if key in scores or key not in self._left}
            if not self.members or any(key not in scores for key in self.members):
                return
            best, count = self._best(), len(self.members)
            following = self._rungs[self._level + 1] if self._level + 2 < len(self._rungs) else None
            self._drop([key for key, level in self._paused.items() if level == self._level and key not in best])
            reason = (
                f"hyperband: among the best {self._quota(count)} of {count} at iteration {self._rungs[self._level]}"
            )
            self._next += [Resumption(key, following, reason=reason) for key in best]
            for key in best:
                del self._paused[key]
            going_on = {*best, *self._went_on[self._level]}
            self.members = {key: None for key in self.members if key in going_on}
            self._level += 1

    def _ranked(self) -> list[str]:
        """Return who is at the current rung, the best first; of equal ones, who began first."""
        scores = self._scores[self._level]
        return sorted((key for key in self.members if key in scores), key=lambda key: -scores[key])

    def _best(self) -> list[str]:
        """Return the paused trials that are among the best of those that are there."""
        ranked, scores = self._ranked(), self._scores[self._level]
        best = ranked[: self._quota(len(ranked))]
        return [key for key in best if self._paused.get(key) == self._level and scores[key] > -math.inf]

    def _drop(self, keys: Sequence[str]) -> None:
        ranked, scores = self._ranked(), self._scores[self._level]
        needed = scores[ranked[self._quota(len(ranked)) - 1]] if ranked else -math.inf
        for key in keys:
            level = self._paused.pop(key)
            self._gone[key] = self._scores[level][key], self._rungs[level], needed, len(ranked)

    def _quota(self, count: int) -> int:
        return max(1, math.floor(count / self._factor))


def _dealt(count: int, rungs: int, reduction_factor: Fraction) -> list[tuple[int, int]]:
    """Return how many trials each bracket has, and its first rung; scaled down where there are fewer than Hyperband's sizes."""
    sizes = [math.ceil(Fraction(rungs, halvings + 1) * reduction_factor**halvings) for halvings in range(rungs)][::-1]
    dealt: list[tuple[int, int]] = []
    whole = list(zip(sizes, range(rungs), strict=True))
    while count >= sum(sizes):
        dealt += whole
        count -= sum(sizes)
    ends = [math.floor(Fraction(count * sum(sizes[:number]), sum(sizes))) for number in range(rungs + 1)]
    dealt += [(ends[number + 1] - ends[number], number) for number in range(rungs) if ends[number + 1] > ends[number]]
    return dealt
