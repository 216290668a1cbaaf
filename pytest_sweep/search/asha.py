"""Asynchronous successive halving: stopping and promotion. Pure; what it costs to decide does not grow with the trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

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
from pytest_sweep.search.rungs import Entry, Rung, score_of, shown_score
from pytest_sweep.space.entropy import Entropy


class Asha:
    """The scheduler of ``asha()``.

    Args:
        objective: what trials are judged by.
        seed: says which trial is in which bracket.
        brackets: the iterations of the rungs of each bracket; the last one is where trials end.
        reduction_factor: one of so many goes on.
        is_strict: whether who is stopped is told by rank (``rule="strict"``), not by percentile (``"tune"``).
        pauses: whether trials that have checkpoints are paused instead of stopped.
    """

    def __init__(
        self,
        objective: Objective,
        seed: int,
        brackets: Sequence[tuple[int, ...]],
        reduction_factor: Fraction,
        *,
        is_strict: bool,
        pauses: bool,
    ) -> None:
        self.pauses = pauses
        self._objective, self._seed = objective, seed
        self._factor, self._is_strict = reduction_factor, is_strict
        self._milestones = [Milestones(at=rungs) for rungs in brackets]
        self._brackets = [[Rung(iteration, reduction_factor) for iteration in rungs] for rungs in brackets]
        self._from_the_top = _from_the_top(self._brackets)
        self._shares = _shares([len(rungs) for rungs in brackets])
        self._filled: dict[str, int] = {}
        self._paused: dict[str, tuple[Rung, Entry]] = {}
        self._hopeless: list[str] = []
        self._is_over = False

    def milestones(self, key: str) -> Milestones:
        """Return the rungs of the trial's bracket."""
        return self._milestones[self._bracket_of(key)]

    def pause_at(self, key: str) -> int | None:
        """Return the first rung of the trial's bracket, unless trials end there."""
        at = self.milestones(key).at
        return at[0] if self.pauses and len(at) > 1 else None

    def judge(self, observation: Observation, *, can_pause: bool) -> Verdict:
        """Put a trial into each rung that it has reached since it was last judged, and decide at the highest one."""
        self._is_over = False
        key, score = observation.key, score_of(self._objective, observation.values[0])
        bracket = self._brackets[self._bracket_of(key)]
        filled = self._filled.get(key, 0)
        reached = filled
        while reached < len(bracket) and bracket[reached].iteration <= observation.iteration:
            reached += 1
        if reached == filled:
            return GO_ON
        for rung in bracket[filled : reached - 1]:
            rung.add(key, score)
        self._filled[key] = reached
        rung = bracket[reached - 1]
        if reached == len(bracket):
            rung.add(key, score)
            return Verdict(VerdictKind.STOP, f"asha: iteration {rung.iteration} is max_t")
        if can_pause and self.pauses:
            return self._pause(rung, key, score)
        return self._stop(rung, key, score)

    def end(self, observation: Observation) -> None:
        """Put a trial that failed last into the next rung, and one that completed into those that it has reached."""
        self._is_over = False
        key = observation.key
        self._paused.pop(key, None)
        bracket = self._brackets[self._bracket_of(key)]
        filled = self._filled.get(key, 0)
        failed = observation.outcome is Outcome.FAILED
        if failed and filled < len(bracket):
            bracket[filled].add(key, None)
            filled += 1
        if observation.outcome is Outcome.COMPLETED:
            score = score_of(self._objective, observation.values[0])
            while filled < len(bracket) and bracket[filled].iteration <= observation.iteration:
                bracket[filled].add(key, score)
                filled += 1
        self._filled[key] = filled

    def resume(self, *, is_last: bool) -> Resumption | None:
        """Return the best paused trial of the highest rung that has one among its best.

        If no further observation will come, the very best of a rung goes on, too, however few are there: so one reaches `max_t`.
        """
        for at_least_one in (False, True)[: 1 + is_last]:
            for rung, following in self._from_the_top:
                entry = rung.promoted(self._paused, at_least_one=at_least_one)
                if entry is not None:
                    del self._paused[entry.key]
                    reason = (
                        f"asha: {shown_score(self._objective, entry.score)} at iteration {rung.iteration} is among the best "
                        f"{rung.quota} of {rung.count}"
                    )
                    return Resumption(entry.key, following, reason=reason)
        self._is_over = is_last
        return None

    def dropped(self) -> Mapping[str, str]:
        """Return the paused trials whose metric is NaN; if no further observation will come, all that are paused."""
        gone = {}
        # Not looked for among all that are paused: it is asked after each observation.
        for key in [*self._paused] if self._is_over else self._hopeless:
            if (waiting := self._paused.pop(key, None)) is not None:
                gone[key] = self._too_bad(*waiting)
        self._hopeless.clear()
        return gone

    def _bracket_of(self, key: str) -> int:
        if len(self._brackets) == 1:
            return 0
        unit = Entropy(f"{self._seed}/asha/{key}").unit()
        return next((number for number, share in enumerate(self._shares) if unit < share), len(self._brackets) - 1)

    def _pause(self, rung: Rung, key: str, score: float | None) -> Verdict:
        entry = rung.add(key, score)
        self._paused[key] = rung, entry
        if entry.score == -math.inf:
            self._hopeless.append(key)
        if score is not None:
            rung.wait(entry)
        return Verdict(VerdictKind.PAUSE, f"asha: {shown_score(self._objective, score)} at iteration {rung.iteration}")

    def _stop(self, rung: Rung, key: str, score: float | None) -> Verdict:
        if self._is_strict:
            entry = rung.add(key, score)
            needed = rung.needed()
        else:
            percentile = rung.percentile() if rung.count + 1 >= self._factor else None
            needed = -math.inf if percentile is None else percentile
            entry = rung.add(key, score)
        if score is not None and score >= needed:
            return GO_ON
        return Verdict(VerdictKind.STOP, self._too_bad(rung, entry, needed))

    def _too_bad(self, rung: Rung, entry: Entry, needed: float | None = None) -> str:
        if entry.score == -math.inf:
            return f"asha: {self._objective.metric} is not finite at iteration {rung.iteration}"
        needed = rung.needed() if needed is None else needed
        value = f"asha: {shown_score(self._objective, entry.score)} at iteration {rung.iteration}"
        return f"{value}, needed {shown_score(self._objective, needed)} of {rung.count}"


def _shares(lengths: Sequence[int]) -> list[float]:
    """Return the cumulative probabilities of the brackets: Tune's softmax over how many rungs each has."""
    weights = [math.exp(length - max(lengths)) for length in lengths]
    return [sum(weights[: number + 1]) / sum(weights) for number in range(len(weights))]


def _from_the_top(brackets: Sequence[Sequence[Rung]]) -> list[tuple[Rung, int | None]]:
    """Return the rungs before the last ones, the highest first, each with where a trial pauses next that goes on from it."""
    found = []
    for bracket in brackets:
        for number, rung in enumerate(bracket[:-1]):
            following = bracket[number + 1].iteration if number + 2 < len(bracket) else None
            found.append((rung, following))
    return sorted(found, key=lambda pair: -pair[0].iteration)
