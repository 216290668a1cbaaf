"""Population based training: bad trials go on from checkpoints of good ones, with changed configurations. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pytest_sweep.model.study import (
    GO_ON,
    Milestones,
    Objective,
    Observation,
    Resumption,
    Verdict,
    VerdictKind,
)
from pytest_sweep.search.mutations import Mutations
from pytest_sweep.search.rungs import score_of, shown_score
from pytest_sweep.space.entropy import Entropy


@dataclass
class _Member:
    """What is known of a trial: its configuration, how far it is, its score there, and whether there is a checkpoint of it.

    Iteration 0 is none; a score of None is NaN, the worst.
    """

    config: Mapping[str, Any]
    score: float | None = None
    has_checkpoint: bool = False
    iteration: int = 0

    @property
    def rank(self) -> float:
        return -math.inf if self.score is None else self.score


class Pbt:
    """The scheduler of ``pbt()``.

    Args:
        objective: what trials are judged by.
        seed: what is drawn depends on it.
        mutations: how configurations change.
        interval: trials are judged at its multiples.
        burn_in: before this iteration nothing is exploited.
        quantile: which share of the trials counts as the best, and as the worst.
        max_t: where trials end; None leaves that to them.
        trials: the configurations, by key.
    """

    pauses = True
    takes_turns = True

    def __init__(  # noqa: PLR0913 - each is an argument of pbt()
        self,
        objective: Objective,
        seed: int,
        mutations: Mutations,
        interval: int,
        burn_in: int,
        quantile: Fraction,
        max_t: int | None,
        *,
        trials: Mapping[str, Mapping[str, Any]],
    ) -> None:
        for config in trials.values():
            mutations.check(config)
        self._objective, self._seed, self._mutations = objective, seed, mutations
        self._burn_in, self._quantile, self._max_t = burn_in, quantile, max_t
        self._milestones = Milestones(() if max_t is None else (max_t,), interval)
        self._members = {key: _Member(config) for key, config in trials.items()}
        self._next: deque[Resumption] = deque()

    def milestones(self, key: str) -> Milestones:  # noqa: ARG002 - all trials have the same
        """Return each multiple of the interval, and where trials end."""
        return self._milestones

    def pause_at(self, key: str) -> int | None:  # noqa: ARG002 - see above
        """Return None: a trial pauses by a verdict only."""
        return None

    def judge(self, observation: Observation, *, can_pause: bool) -> Verdict:
        """Pause a trial that is among the worst, so that it goes on from one of the best; see `resume`."""
        key, iteration = observation.key, observation.iteration
        if self._max_t is not None and iteration >= self._max_t:
            return Verdict(VerdictKind.STOP, f"pbt: iteration {iteration} is max_t")
        member = self._members.get(key)
        if member is None or iteration <= member.iteration:
            return GO_ON
        member.iteration, member.has_checkpoint = iteration, can_pause
        member.score = score_of(self._objective, observation.values[0])
        best, worst = self._quantiles()
        # Nobody goes back: a trial is judged at each iteration once.
        donors = [
            other
            for other in best
            if self._members[other].has_checkpoint and self._members[other].iteration >= iteration
        ]
        if not can_pause or iteration < self._burn_in or key not in worst or key in best or not donors:
            return GO_ON
        return self._exploit(key, iteration, donors)

    def end(self, observation: Observation) -> None:
        """Leave the trial out: as in Tune, only those that run are compared."""
        self._members.pop(observation.key, None)

    def resume(self, *, is_last: bool) -> Resumption | None:  # noqa: ARG002 - who pauses goes on at once
        """Return the next trial that goes on from another's checkpoint."""
        return self._next.popleft() if self._next else None

    def dropped(self) -> Mapping[str, str]:
        """Return nothing: who pauses goes on."""
        return {}

    def _exploit(self, key: str, iteration: int, donors: list[str]) -> Verdict:
        text = f"{self._seed}/pbt/{key}/{iteration}"
        donor = donors[Entropy(f"{text}/donor").below(len(donors))]
        config = self._mutations.explored(self._members[donor].config, text)
        one, other = (shown_score(self._objective, self._members[name].score) for name in (key, donor))
        reason = f"pbt: {one} at iteration {iteration}, goes on from {other} at {self._members[donor].iteration}"
        self._members[key].config = config
        self._members[key].iteration = self._members[donor].iteration
        self._next.append(Resumption(key, donor=donor, config=config, reason=reason))
        return Verdict(VerdictKind.PAUSE, reason)

    def _quantiles(self) -> tuple[list[str], list[str]]:
        """Return the best and the worst trials, as Tune does: none of both where fewer than two have reported."""
        ranked = sorted(
            (key for key, member in self._members.items() if member.iteration), key=lambda key: self._members[key].rank
        )
        if len(ranked) < 2:
            return [], []
        count = min(math.ceil(len(ranked) * self._quantile), len(ranked) // 2)
        return (ranked[-count:] if count else []), ranked[:count]
