"""Any sampler of Optuna as a searcher, with one study. Pure, as far as the sampler is."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.model.spread import is_nan
from pytest_sweep.model.study import Objective, Observation, Outcome
from pytest_sweep.search.library import (
    TrialMaker,
    fresh_sampler,
    import_optuna,
    new_study,
    reseed,
    suggested,
    violations,
)
from pytest_sweep.search.protocols import Values
from pytest_sweep.search.space import ATTEMPTS, SearchSpace

if TYPE_CHECKING:
    from optuna import Trial


class SamplerSearcher:
    """The searcher of ``optuna(sampler)``.

    Args:
        space: what it chooses from.
        objectives: what trials are judged by.
        seed: the sampler is seeded anew for each choice, from this and the slot.
        sampler: a sampler, or a class or function that makes one.

    Raises:
        MissingExtraError: Optuna is not installed.
        DefinitionError: what was made is no sampler.
    """

    def __init__(self, space: SearchSpace, objectives: tuple[Objective, ...], seed: int, sampler: Any) -> None:
        self._optuna = import_optuna("optuna()")
        self._space, self._objectives, self._seed = space, objectives, seed
        self._sampler = fresh_sampler(sampler)
        self._trials = TrialMaker(self._optuna, space.dimensions, objectives)
        self._study = new_study(self._optuna, objectives, self._sampler)
        self._running: dict[str, Trial] = {}
        self._asked: dict[str, int] = {}

    def ask(self, key: str, slot: int) -> Values:
        """Return the values for a slot: its point to evaluate, or what the sampler suggests.

        Raises:
            SpaceError: ``where=`` forbids 1000 of them in a row.
        """
        first = self._asked.get(key, 0)
        self._asked[key] = first + 1
        self._forget(key)
        for attempt in range(first, first + ATTEMPTS):
            values = self._suggested(key, slot, attempt)
            found = self._space.complete(values, slot, attempt)
            if found is not None:
                return {**values, **found.values}
            self._forget(key)
        raise SpaceError(self._space.too_narrow)

    def tell(self, observation: Observation) -> None:
        """Tell the study what was seen of a trial: its values on the way, or how it ended."""
        trial = self._running.get(observation.key)
        if trial is None:
            return
        is_nan_there = any(map(is_nan, observation.values))
        if observation.outcome is Outcome.REPORTED:
            if len(observation.values) == 1 and not is_nan_there:
                trial.report(observation.values[0], observation.iteration)
            return
        del self._running[observation.key]
        self._asked.pop(observation.key, None)
        self._end(trial, observation, has_values=not is_nan_there)

    def recall(self, values: Values, observation: Observation) -> None:
        """Take the end of a trial of another run."""
        if observation.outcome is Outcome.COMPLETED and not any(map(is_nan, observation.values)):
            self._study.add_trial(self._trials.complete(values, observation.values, observation.constraints))

    def _suggested(self, key: str, slot: int, attempt: int) -> Values:
        points = self._space.points_to_evaluate
        if slot < len(points) and not attempt:
            values = self._space.complete(points[slot], slot) or self._space.complete({}, slot, 1)
            chosen = {} if values is None else values.values
            codes = {name: self._space.dimensions[name].code(value) for name, value in chosen.items()}
            self._study.enqueue_trial(codes)
        # What a sampler remembers besides its study would not be there after a resume.
        self._study.sampler = copy.deepcopy(self._sampler)
        reseed(self._study.sampler, f"{self._seed}/optuna/{slot}/{attempt}")
        trial = self._running[key] = self._study.ask()
        return suggested(trial, self._space.dimensions)

    def _end(self, trial: Trial, observation: Observation, *, has_values: bool) -> None:
        states = self._optuna.trial.TrialState
        for name, value in (violations(observation.constraints) or {}).items():
            trial.set_constraint(name, value)
        if observation.outcome is Outcome.COMPLETED and has_values:
            self._study.tell(trial, list(observation.values))
        elif observation.outcome is Outcome.STOPPED and len(observation.values) == 1:
            self._study.tell(trial, state=states.PRUNED)
        else:
            self._study.tell(trial, state=states.FAIL)

    def _forget(self, key: str) -> None:
        trial = self._running.pop(key, None)
        if trial is not None:
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
