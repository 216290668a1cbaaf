"""What Ray Tune does, for virtual time: its ASHA, defects included, and what its OptunaSearch tells Optuna. Tune is not needed."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from typing import Any

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
from pytest_sweep.search.library import import_optuna, new_study, suggested
from pytest_sweep.search.protocols import Values
from pytest_sweep.search.space import SearchSpace


class TunesAsha:
    """``tune.schedulers.ASHAScheduler``: stopping only, by the percentile of those before; NaN is never stopped.

    Args:
        rungs: the iterations of its rungs, and where trials end.
        reduction_factor: one of so many goes on.
    """

    pauses = False

    def __init__(self, rungs: tuple[int, ...], reduction_factor: int) -> None:
        self._milestones, self._factor = Milestones(at=rungs), reduction_factor
        self._rungs: dict[int, list[float]] = {rung: [] for rung in rungs[:-1]}

    def milestones(self, key: str) -> Milestones:  # noqa: ARG002 - all trials have the same
        """Return the rungs."""
        return self._milestones

    def pause_at(self, key: str) -> int | None:  # noqa: ARG002 - see above
        """Return None: Tune's ASHA does not pause."""
        return None

    def judge(self, observation: Observation, *, can_pause: bool) -> Verdict:  # noqa: ARG002 - see above
        """Stop what is worse than the percentile of those before."""
        rung = self._rungs.get(observation.iteration)
        if rung is None:
            return Verdict(VerdictKind.STOP, "max_t")
        score = -observation.values[0]
        if math.isnan(score):
            return GO_ON
        cutoff = self._percentile(rung)
        bisect.insort(rung, score)
        return Verdict(VerdictKind.STOP, "worse") if cutoff is not None and score < cutoff else GO_ON

    def end(self, observation: Observation) -> None:
        """Learn nothing."""

    def resume(self, *, is_last: bool) -> Resumption | None:  # noqa: ARG002 - see above
        """Return None: nothing is paused."""
        return None

    def dropped(self) -> Mapping[str, str]:
        """Return nothing: nothing is paused."""
        return {}

    def _percentile(self, rung: list[float]) -> float | None:
        if not rung:
            return None
        place = (1 - 1 / self._factor) * (len(rung) - 1)
        low = int(place)
        high = min(low + 1, len(rung) - 1)
        return rung[low] + (rung[high] - rung[low]) * (place - low)


class TunesOptunaSearch:
    """``tune.search.optuna.OptunaSearch``: one study, a trial that was stopped is COMPLETE with its last value, NaN is told nothing.

    Args:
        space: what it chooses from.
        objectives: the metric.
        seed: of Optuna's default sampler.
    """

    def __init__(self, space: SearchSpace, objectives: tuple[Objective, ...], seed: int) -> None:
        optuna = import_optuna("the benchmark")
        self._space = space
        self._study = new_study(optuna, objectives, optuna.samplers.TPESampler(seed=seed))
        self._running: dict[str, Any] = {}

    def ask(self, key: str, slot: int) -> Values:  # noqa: ARG002 - the study counts itself
        """Return what Optuna suggests."""
        trial = self._running[key] = self._study.ask()
        return suggested(trial, self._space.dimensions)

    def tell(self, observation: Observation) -> None:
        """Tell how a trial ended."""
        if observation.outcome is not Outcome.REPORTED and not math.isnan(observation.values[0]):
            self._study.tell(self._running.pop(observation.key), observation.values[0])
