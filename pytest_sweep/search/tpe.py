"""Optuna's tree-structured Parzen estimator with a study for each rung: like is compared with like. Pure, as all searchers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.model.spread import is_nan
from pytest_sweep.model.study import Objective, Observation, Outcome
from pytest_sweep.search.library import TrialMaker, import_optuna, new_study, quietly, reseed, suggested
from pytest_sweep.search.protocols import Values
from pytest_sweep.search.space import ATTEMPTS, SearchSpace
from pytest_sweep.space.entropy import Entropy

if TYPE_CHECKING:
    from types import ModuleType

    from optuna import Study
    from optuna.samplers import TPESampler
    from optuna.trial import FrozenTrial

_END = math.inf
"""The rung of trials that have run to their end."""

_PATIENCE = 30
"""After how many of its suggestions that ``where=`` forbids the estimator is not asked any more for a slot."""

_APART = 1.5
"""Rungs whose iterations are closer than this factor are one: a scheduler that judges at each report would make a study of each."""


@dataclass(frozen=True)
class Options:
    """The arguments of `tpe`, but for ``batch``."""

    n_startup_trials: int
    random_fraction: float
    n_ei_candidates: int
    multivariate: bool


class RungSearcher:
    """The searcher of ``tpe()``.

    Args:
        space: what it chooses from.
        objectives: what trials are judged by.
        seed: the sampler is seeded anew for each choice, from this and the slot: what was chosen before does not matter.
        options: the arguments of `tpe`.

    Raises:
        MissingExtraError: Optuna is not installed.
    """

    def __init__(self, space: SearchSpace, objectives: tuple[Objective, ...], seed: int, options: Options) -> None:
        self._optuna = import_optuna("tpe()")
        self._space, self._objectives, self._seed, self._options = space, objectives, seed, options
        self._trials = TrialMaker(self._optuna, space.dimensions, objectives)
        self._studies: dict[float, _RungStudy] = {}
        self._values: dict[str, Values] = {}
        self._pending: dict[str, Values] = {}
        self._failed: list[str] = []
        self._asked: dict[str, int] = {}

    def ask(self, key: str, slot: int) -> Values:
        """Return the values for a slot: its point to evaluate, random ones, or those of the estimator.

        Raises:
            SpaceError: ``where=`` forbids 1000 of them in a row.
        """
        first = self._asked.get(key, 0)
        self._asked[key] = first + 1
        self._pending.pop(key, None)
        values = self._chosen(slot, first)
        self._values[key] = self._pending[key] = values
        return values

    def restore(self, key: str, slot: int, values: Values) -> None:  # noqa: ARG002 - the slot has its values
        """Take what was chosen for a slot; as `ask`, without choosing."""
        self._asked[key] = self._asked.get(key, 0) + 1
        study = self._study()
        if study is not None:
            study.know_running(self._pending)
        self._values[key] = self._pending[key] = dict(values)

    def tell(self, observation: Observation) -> None:
        """Put what was seen of a trial into the study of its rung."""
        key = observation.key
        if key not in self._values:
            return
        self._pending.pop(key, None)
        if observation.outcome is Outcome.REPORTED:
            self._add(key, float(observation.iteration), observation)
        elif observation.outcome is Outcome.COMPLETED:
            self._add(key, _END, observation)
        elif observation.outcome is Outcome.FAILED:
            self._failed.append(key)
            for study in self._studies.values():
                study.add_failed(key, self._values[key])
        if observation.outcome.is_end:
            self._asked.pop(key, None)

    def recall(self, values: Values, observation: Observation) -> None:
        """Take what another run has seen of a trial."""
        key = f"recalled {observation.key}"
        self._values[key] = {name: value for name, value in values.items() if name in self._space.dimensions}
        self.tell(
            Observation(key, observation.iteration, observation.values, observation.outcome, observation.constraints)
        )

    def _chosen(self, slot: int, first: int) -> Values:
        points, study = self._space.points_to_evaluate, self._study()
        is_random = Entropy(f"{self._seed}/tpe/random/{slot}").unit() < self._options.random_fraction
        refused: dict[str, Values] = {}
        for attempt in range(first, first + ATTEMPTS):
            if study is not None and len(refused) < _PATIENCE:
                # The estimator would come back to what where= forbids: it has no bad values there.
                study.know_running({**self._pending, **refused})
            if slot < len(points) and not attempt:
                proposed: Mapping[str, Any] = points[slot]
            elif study is None or is_random or len(refused) >= _PATIENCE:
                proposed = {}
            else:
                proposed = study.suggest(self._space, f"{self._seed}/tpe/{slot}/{attempt}")
                refused[f"refused {attempt}"] = proposed
            found = self._space.complete(proposed, slot, attempt)
            if found is not None:
                return {**proposed, **found.values}
        raise SpaceError(self._space.too_narrow)

    def _study(self) -> _RungStudy | None:
        """Return the study of the highest rung that has enough values; None where none has."""
        there = [rung for rung, study in self._studies.items() if study.count >= self._options.n_startup_trials]
        return self._studies[max(there)] if there else None

    def _add(self, key: str, rung: float, observation: Observation) -> None:
        if rung not in self._studies:
            if any(one < rung * _APART and rung < one * _APART for one in self._studies if one != _END != rung):
                return
            self._studies[rung] = _RungStudy(self._optuna, self._objectives, self._trials, self._sampler())
            for failed in self._failed:
                self._studies[rung].add_failed(failed, self._values[failed])
        self._studies[rung].add(key, self._values[key], observation)

    def _sampler(self) -> TPESampler:
        """Return a sampler. Where a branch has parameters that others have not, they are modelled in groups."""
        has_branches = any(dimension.when for dimension in self._space.dimensions.values())
        options, optuna = self._options, self._optuna
        several = len(self._objectives) > 1
        sampler: TPESampler = quietly(
            lambda: optuna.samplers.TPESampler(
                n_startup_trials=options.n_startup_trials,
                n_ei_candidates=options.n_ei_candidates,
                multivariate=options.multivariate and not several,
                group=options.multivariate and has_branches and not several,
                constant_liar=True,
            )
        )
        return sampler


class _RungStudy:
    """A study of Optuna that holds the values of one rung.

    Attributes:
        count: how many values it has, NaN left out.
    """

    def __init__(
        self, optuna: ModuleType, objectives: tuple[Objective, ...], trials: TrialMaker, sampler: TPESampler
    ) -> None:
        self.count = 0
        self._sampler, self._trials = sampler, trials
        self._study: Study = new_study(optuna, objectives, sampler)
        self._fail = optuna.trial.TrialState.FAIL
        self._size = 0
        self._there: set[str] = set()
        self._running: dict[str, int] = {}

    def add(self, key: str, values: Values, observation: Observation) -> None:
        """Take the values of a trial, the first ones only."""
        if key in self._there:
            return
        self._there.add(key)
        self._put(self._trials.complete(values, observation.values, observation.constraints))
        self.count += not any(map(is_nan, observation.values))

    def add_failed(self, key: str, values: Values) -> None:
        """Take a trial that failed before it got here: it counts as the worst."""
        if key not in self._there:
            self._there.add(key)
            self._put(self._trials.complete(values, None))

    def know_running(self, pending: Mapping[str, Values]) -> None:
        """Have the study know which trials run without a value yet: the estimator keeps away from them."""
        for key in [key for key in self._running if key not in pending]:
            self._study.tell(self._running.pop(key), state=self._fail)
        for key, values in pending.items():
            if key not in self._running:
                self._running[key] = self._size
                self._put(self._trials.running(values))

    def suggest(self, space: SearchSpace, text: str) -> Values:
        """Return what the estimator suggests, seeded by a text. What is asked is not kept: who asks says what becomes of it."""
        reseed(self._sampler, text)
        trial = self._study.ask()
        self._size += 1
        values = suggested(trial, space.dimensions)
        self._study.tell(trial.number, state=self._fail)
        return values

    def _put(self, trial: FrozenTrial) -> None:
        self._study.add_trial(trial)
        self._size += 1
