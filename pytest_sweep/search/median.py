"""The median stopping rule: a trial stops whose best value is worse than what the others had on average by then. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from pytest_sweep.model.study import GO_ON, Milestones, Objective, Observation, Resumption, Verdict, VerdictKind
from pytest_sweep.search.rungs import Best, Entry, score_of, shown_score


class Median:
    """The scheduler of ``median()``.

    Args:
        objective: what trials are judged by.
        grace_period: before this iteration nothing is looked at.
        min_samples: how many others must have reached an iteration.
        interval: trials are judged at its multiples.
        max_t: where trials end; None leaves that to them.
    """

    pauses = False

    def __init__(
        self, objective: Objective, grace_period: int, min_samples: int, interval: int, max_t: int | None
    ) -> None:
        self._objective, self._grace_period, self._min_samples = objective, grace_period, min_samples
        self._max_t = max_t
        self._milestones = Milestones(() if max_t is None else (max_t,), interval, waits=False)
        self._middles: dict[int, _Middle] = defaultdict(_Middle)
        self._histories: dict[str, _History] = {}

    def milestones(self, key: str) -> Milestones:  # noqa: ARG002 - all trials have the same
        """Return each multiple of the interval, and where trials end."""
        return self._milestones

    def pause_at(self, key: str) -> int | None:  # noqa: ARG002 - see above
        """Return None: no trial pauses."""
        return None

    def judge(self, observation: Observation, *, can_pause: bool) -> Verdict:  # noqa: ARG002 - no trial pauses
        """Compare the best value of a trial with the median of the others' means up to the same iteration."""
        iteration = observation.iteration
        if self._max_t is not None and iteration >= self._max_t:
            return Verdict(VerdictKind.STOP, f"median: iteration {iteration} is max_t")
        history = self._histories.setdefault(observation.key, _History())
        if iteration < self._grace_period or iteration <= history.iteration:
            return GO_ON
        score = score_of(self._objective, observation.values[0])
        history.add(iteration, score)
        middle = self._middles[iteration]
        others, median = middle.count, middle.median
        if history.count:
            middle.add(history.total / history.count)
        if others < self._min_samples or median is None or (score is not None and history.best >= median):
            return GO_ON
        metric = self._objective.metric
        shown = (
            f"{metric} is NaN"
            if score is None
            else f"the best {metric}, {shown_score(self._objective, history.best)}, is worse"
        )
        text = f"median: {shown} at iteration {iteration}, the median of {others} others is {shown_score(self._objective, median)}"
        return Verdict(VerdictKind.STOP, text)

    def end(self, observation: Observation) -> None:
        """Forget what is only needed while the trial runs; what it had by then still counts for the others."""
        self._histories.pop(observation.key, None)

    def resume(self, *, is_last: bool) -> Resumption | None:  # noqa: ARG002 - no trial pauses
        """Return None: no trial pauses."""
        return None

    def dropped(self) -> Mapping[str, str]:
        """Return nothing: no trial pauses."""
        return {}


class _History:
    """What a trial has reported since the grace period: NaN is left out."""

    def __init__(self) -> None:
        self.iteration, self.count, self.total, self.best = -1, 0, 0.0, -math.inf

    def add(self, iteration: int, score: float | None) -> None:
        self.iteration = iteration
        if score is not None and math.isfinite(score):
            self.count += 1
            self.total += score
            self.best = max(self.best, score)


class _Middle:
    """The median of numbers that keep coming."""

    def __init__(self) -> None:
        self.count = 0
        self._upper = Best(lambda count: count // 2)

    def add(self, number: float) -> None:
        self._upper.add(Entry(number, -self.count, ""))
        self.count += 1

    @property
    def median(self) -> float | None:
        low, high = self._upper.best_out, self._upper.worst_in
        if low is None:
            return None
        return low.score if self.count % 2 or high is None else low.score / 2 + high.score / 2
