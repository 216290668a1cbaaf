"""Bayesian optimization by a Gaussian process that learns from unfinished trials, too. Pure, as all searchers. Needs numpy."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from pytest_sweep.errors import SpaceError
from pytest_sweep.model.study import Objective, Observation, Outcome
from pytest_sweep.search.cube import Cube, Floats
from pytest_sweep.search.protocols import Values
from pytest_sweep.search.rungs import score_of
from pytest_sweep.search.space import ATTEMPTS, SearchSpace
from pytest_sweep.search.surrogate import Surrogate
from pytest_sweep.space.entropy import Entropy

_CANDIDATES = 300
"""How many configurations are compared that are drawn, and as many near the best ones."""

_BEST = 8
"""Near how many of the best ones these are."""

_KNOWN = 300
"""The model sees so many trials at most: what a choice costs grows with the cube of it."""

_PATIENCE = 30
"""After how many of its choices that ``where=`` forbids the model is not asked any more for a slot."""

_GROWTH = 1.15
"""Hyperparameters are found anew when there are so many times as many observations."""


@dataclass(frozen=True)
class Options:
    """The arguments of `gp`, but for ``batch``."""

    n_startup_trials: int
    random_fraction: float


@dataclass(frozen=True)
class _Seen:
    """The last that was seen of a trial; the loss is infinite where it failed."""

    iteration: int
    loss: float
    is_end: bool


class GpSearcher:
    """The searcher of ``gp()``.

    Args:
        space: what it chooses from.
        objective: what trials are judged by.
        seed: each choice is made by a generator that is seeded from this and the slot: what was chosen before does not matter.
        options: the arguments of `gp`.
    """

    def __init__(self, space: SearchSpace, objective: Objective, seed: int, options: Options) -> None:
        self._space, self._objective, self._seed, self._options = space, objective, seed, options
        self._cube = Cube(space.dimensions)
        self._surrogate = Surrogate(self._cube.choices)
        self._rows: dict[str, Floats] = {}
        self._tried: set[tuple[tuple[str, Any], ...]] = set()
        self._seen: dict[str, _Seen] = {}
        self._running: dict[str, Floats] = {}
        self._asked: dict[str, int] = {}
        self._told = self._next_fit = 0
        self._to_fit: tuple[Floats, Floats, Floats] | None = None

    def ask(self, key: str, slot: int) -> Values:
        """Return the values for a slot: its point to evaluate, random ones, or those of which the model expects most.

        Raises:
            SpaceError: ``where=`` forbids 1000 of them in a row.
        """
        first = self._asked.get(key, 0)
        self._running.pop(key, None)
        values = self._chosen(slot, first)
        self.restore(key, slot, values)
        return values

    def restore(self, key: str, slot: int, values: Values) -> None:  # noqa: ARG002 - the slot has its values
        """Take what was chosen for a slot; as `ask`, without choosing."""
        self._asked[key] = self._asked.get(key, 0) + 1
        self._running[key] = self._know(key, values)

    def tell(self, observation: Observation) -> None:
        """Note the last that was seen of a trial, and the data when the hyperparameters are due."""
        key, outcome = observation.key, observation.outcome
        if key not in self._rows:
            return
        if outcome.is_end:
            self._asked.pop(key, None)
        self._running.pop(key, None)
        if outcome in (Outcome.STOPPED, Outcome.SKIPPED):
            return
        iteration = max(observation.iteration, 1)
        self._seen.pop(key, None)
        self._seen[key] = _Seen(iteration, self._loss(observation), outcome is Outcome.COMPLETED)
        self._told += 1
        if self._told >= self._next_fit and len(self._seen) >= self._options.n_startup_trials:
            self._next_fit = math.ceil(self._told * _GROWTH)
            self._to_fit = self._data()

    def recall(self, values: Values, observation: Observation) -> None:
        """Take what another run has seen of a trial."""
        key = f"recalled {observation.key}"
        self._know(key, {name: value for name, value in values.items() if name in self._space.dimensions})
        self.tell(
            Observation(key, observation.iteration, observation.values, observation.outcome, observation.constraints)
        )

    def _know(self, key: str, values: Values) -> Floats:
        row = self._rows[key] = self._cube.row(values)
        self._tried.add(self._identity(values))
        return row

    def _identity(self, values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
        return tuple((name, values[name]) for name in self._space.dimensions if name in values)

    def _loss(self, observation: Observation) -> float:
        score = score_of(self._objective, observation.values[0])
        infeasible = any(not violation <= 0 for violation in observation.constraints)
        if observation.outcome is Outcome.FAILED or score is None or infeasible:
            return math.inf
        return -score

    def _chosen(self, slot: int, first: int) -> Values:
        points = self._space.points_to_evaluate
        is_random = Entropy(f"{self._seed}/gp/random/{slot}").unit() < self._options.random_fraction
        if is_random or len(self._seen) < self._options.n_startup_trials:
            proposals: Iterator[Values] = iter(())
        else:
            proposals = self._proposals(f"{self._seed}/gp/{slot}/{first}")
        for attempt in range(first, first + ATTEMPTS):
            proposed = points[slot] if slot < len(points) and not attempt else next(proposals, {})
            found = self._space.complete(proposed, slot, attempt)
            if found is not None:
                return {**proposed, **found.values}
        raise SpaceError(self._space.too_narrow)

    def _proposals(self, text: str) -> Iterator[Values]:
        """Yield what the model expects most of, and nothing that was tried."""
        chance = np.random.default_rng(int(hashlib.sha256(text.encode()).hexdigest()[:16], 16))
        model = self._surrogate
        if self._to_fit is not None:
            model.fit(*self._to_fit)
            self._to_fit = None
        rows, progress, scores = self._data()
        model.condition(rows, progress, scores)
        expected = model.mean(rows)
        best = np.argsort(expected, kind="stable")[:_BEST]
        if self._running:
            # What runs is taken to end as expected: its neighbours are known better, and promise less.
            running = np.stack([*self._running.values()])
            ends = np.ones(len(running))
            model.condition(
                np.vstack([rows, running]), np.append(progress, ends), np.append(scores, model.mean(running))
            )
        near = self._cube.near(rows[chance.choice(best, _CANDIDATES)], chance)
        candidates = np.vstack([self._cube.drawn(chance, _CANDIDATES), near])
        gain = model.log_improvement(candidates, float(expected[best[0]]))
        found = 0
        for number in np.argsort(-gain, kind="stable"):
            values = self._cube.values(candidates[number])
            if self._identity(values) not in self._tried:
                yield values
                found += 1
                if found == _PATIENCE:
                    return

    def _data(self) -> tuple[Floats, Floats, Floats]:
        """Return the rows of trials, how far they have come on a logarithmic scale, and the normal scores of their ranks."""
        known = [*self._seen.items()]
        if len(known) > _KNOWN:
            ahead = sorted(known, key=lambda one: (-one[1].iteration, one[1].loss))
            first = 2 * _KNOWN // 3
            rest = np.linspace(first, len(known) - 1, _KNOWN - first).astype(int).tolist()
            known = ahead[:first] + [ahead[index] for index in rest]
        whole = math.log(max(2, *(seen.iteration for _, seen in known)))
        progress = np.array([1.0 if seen.is_end else math.log(seen.iteration) / whole for _, seen in known])
        return (
            np.stack([self._rows[key] for key, _ in known]),
            progress,
            _normal_scores([seen.loss for _, seen in known]),
        )


def _normal_scores(losses: list[float]) -> Floats:
    """Return the quantiles of a normal distribution for the ranks of losses: equal ones have equal ranks."""
    _, inverse, counts = np.unique(np.array(losses), return_inverse=True, return_counts=True)
    middles = (np.cumsum(counts) - counts / 2) / len(losses)
    quantiles = np.array([NormalDist().inv_cdf(one) for one in middles.tolist()])
    found: Floats = quantiles[inverse]
    return found
