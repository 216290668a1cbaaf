"""The contract of a searcher, as a suite: subclass `SearcherContract`, make the searcher, and let pytest collect it."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from pytest_sweep.model.study import Objective, Observation, Outcome
from pytest_sweep.search.protocols import Done, Searcher, Wait
from pytest_sweep.search.space import SearchSpace
from pytest_sweep.space.composition import Space, grid
from pytest_sweep.space.sampling import choice, loguniform, quniform, randint, randn, uniform

LOSS = (Objective("loss", "min"),)
TWO = (Objective("loss", "min"), Objective("score", "max"))

MIXED: Mapping[str, Any] = {
    "lr": loguniform(1e-4, 1e-1),
    "model": {"depth": randint(2, 9), "drop": quniform(0, 0.5, 0.1)},
    "optimizer": choice(["adam", "sgd", None]),
    "shift": randn(),
    "units": [16, 32, 64],
}
"""A space with a dimension of each kind."""


def branching() -> Space:
    """Return a space whose parameters depend on a choice."""
    return grid(lr=uniform(0, 1)) * (grid(kind=["a"], momentum=uniform(0, 1)) + grid(kind=["b"], beta=randint(1, 5)))


def loss(config: Mapping[str, Any]) -> float:
    """Return a loss of a configuration of `MIXED`."""
    depth = (config["model"]["depth"] - 5) ** 2 / 16
    return float((math.log10(config["lr"]) + 2.5) ** 2 + depth + config["model"]["drop"] + config["shift"] ** 2 / 4)


class SearcherContract:
    """What every searcher does.

    Attributes:
        objectives: what studies have; a searcher for several objectives may need two.
        takes_branches: whether it takes spaces whose parameters depend on a choice.
    """

    objectives: ClassVar[tuple[Objective, ...]] = LOSS
    takes_branches: ClassVar[bool] = True

    def make(self, space: SearchSpace, objectives: tuple[Objective, ...], seed: int, num_samples: int) -> Searcher:
        """Return a searcher."""
        raise NotImplementedError

    def run(
        self,
        space: SearchSpace,
        count: int = 30,
        *,
        seed: int = 1,
        restored: int = 0,
        known: list[dict[str, Any]] | None = None,
    ) -> list[dict[str, Any]]:
        """Return the values that a searcher chose, one after the other.

        The third trials are NaN, the fourth fail, the fifth are skipped, the sixth stopped early.

        Args:
            space: the space.
            count: how many slots there are.
            seed: of the searcher.
            restored: how many slots a resumed searcher is told of, or asked for again.
            known: the values of these.
        """
        searcher = self.make(space, self.objectives, seed, count)
        chosen: list[dict[str, Any]] = []
        for slot in range(count):
            restore = getattr(searcher, "restore", None) if slot < restored else None
            if restore is not None and known is not None:
                restore(str(slot), slot, known[slot])
                values: Mapping[str, Any] = known[slot]
            else:
                values = self.asked(searcher, space, slot)
            chosen.append(dict(values))
            self.tell(searcher, space, slot, values)
        return chosen

    def asked(self, searcher: Searcher, space: SearchSpace, slot: int) -> Mapping[str, Any]:
        """Return the values that the searcher chooses for a slot, as they run."""
        values = searcher.ask(str(slot), slot)
        assert not isinstance(values, (Wait, Done)), f"it answered {values} for slot {slot}"
        completed = space.complete(values, slot)
        assert completed is not None, f"where= forbids what it chose for slot {slot}: {values}"
        return completed.values

    def tell(self, searcher: Searcher, space: SearchSpace, slot: int, values: Mapping[str, Any]) -> None:
        """Tell the searcher how the trial of a slot went."""
        completed = space.complete(values, slot)
        assert completed is not None
        seen = loss(completed.config) if "shift" in completed.config else float(completed.config["lr"])
        several = tuple(seen if objective.mode == "min" else -seen for objective in self.objectives)
        nothing = (math.nan,) * len(several)
        outcomes = {2: (Outcome.COMPLETED, nothing), 3: (Outcome.FAILED, nothing), 4: (Outcome.SKIPPED, nothing)}
        outcome, found = outcomes.get(slot % 7, (Outcome.STOPPED if slot % 7 == 5 else Outcome.COMPLETED, several))
        if outcome in (Outcome.COMPLETED, Outcome.STOPPED):
            searcher.tell(Observation(str(slot), 1, found))
        searcher.tell(Observation(str(slot), 3, found, outcome))

    def test_values_are_of_the_space(self) -> None:
        """What it chooses are values of the space, whatever was seen of others: good values, NaN, failures, skips."""
        space = SearchSpace(MIXED, seed=1)
        for slot, values in enumerate(self.run(space)):
            assert set(values) == set(space.dimensions)
            completed = space.complete(values, slot)
            assert completed is not None
            assert completed.values == values

    def test_the_same_calls_give_the_same_values(self) -> None:
        """The same seed and the same observations give the same choices; another seed gives others."""
        space = SearchSpace(MIXED, seed=1)
        assert self.run(space) == self.run(space)
        other = self.run(SearchSpace(MIXED, seed=2), seed=2)
        assert other != self.run(space)

    @pytest.mark.parametrize("restored", [1, 17, 29])
    def test_a_resumed_searcher_goes_on(self, restored: int) -> None:
        """A searcher that is told the choices of an earlier run (or asked again) and its observations makes the same further choices."""
        space = SearchSpace(MIXED, seed=1)
        known = self.run(space)
        assert self.run(space, restored=restored, known=known) == known

    def test_global_randomness_is_left_alone(self) -> None:
        """It neither uses nor changes the state of ``random`` and ``numpy.random``."""
        space = SearchSpace(MIXED, seed=1)
        first = self.run(space)
        numpy = sys.modules.get("numpy")
        random.seed(1)
        before, numpy_before = random.getstate(), numpy.random.get_state()[1].tolist() if numpy else None
        assert self.run(space) == first
        assert random.getstate() == before
        assert (numpy.random.get_state()[1].tolist() if numpy else None) == numpy_before

    def test_several_at_once(self) -> None:
        """Several configurations may be asked for before any result is there; keys that it does not know are ignored."""
        space = SearchSpace(MIXED, seed=1)
        searcher = self.make(space, self.objectives, 1, 40)
        running: dict[int, Mapping[str, Any]] = {}
        for slot in range(24):
            running[slot] = self.asked(searcher, space, slot)
            if len(running) == 4:
                oldest = min(running)
                self.tell(searcher, space, oldest, running.pop(oldest))
        searcher.tell(Observation("unknown", 1, (0.5,) * len(self.objectives), Outcome.COMPLETED))
        assert self.asked(searcher, space, 24)

    def test_constraints(self) -> None:
        """Observations may say how far constraints are violated, or that nobody knows (NaN)."""
        space = SearchSpace(MIXED, seed=1)
        searcher = self.make(space, self.objectives, 1, 40)
        for slot in range(24):
            self.asked(searcher, space, slot)
            violations = ((-1.0, 1.0, math.nan)[slot % 3],)
            values = (float(slot),) * len(self.objectives)
            searcher.tell(Observation(str(slot), 3, values, Outcome.COMPLETED, violations))

    def test_where(self) -> None:
        """A searcher may be asked again for a slot, where ``where=`` forbids its choice, and then chooses something else."""
        space = SearchSpace(MIXED, seed=1, where="lr > 0.001 and model.depth < 8")
        searcher = self.make(space, self.objectives, 1, 40)
        for slot in range(20):
            for attempt in range(100):
                values = searcher.ask(str(slot), slot)
                assert not isinstance(values, (Wait, Done))
                completed = space.complete(values, slot, attempt)
                if completed is not None:
                    break
            else:
                pytest.fail("100 choices for one slot are forbidden")
            assert completed.config["lr"] > 0.001
            self.tell(searcher, space, slot, completed.values)

    def test_branches(self) -> None:
        """In a space whose parameters depend on a choice, each configuration has those of its branch."""
        if not self.takes_branches:
            return
        space = SearchSpace(branching(), seed=1)
        kinds = set()
        for slot, values in enumerate(self.run(space, 40)):
            completed = space.complete(values, slot)
            assert completed is not None
            kinds.add(completed.config["kind"])
            assert set(completed.config) == {"lr", "kind", "momentum" if completed.config["kind"] == "a" else "beta"}
        assert kinds == {"a", "b"}

    def test_points_to_evaluate(self) -> None:
        """The first slots get the points to evaluate; what these leave out is filled."""
        points = [{"lr": 0.003, "units": 32}, {"model": {"depth": 4}}]
        space = SearchSpace(MIXED, seed=1, points_to_evaluate=points)
        chosen = self.run(space)
        assert (chosen[0]["lr"], chosen[0]["units"], chosen[1]["model.depth"]) == (0.003, 32, 4)
        assert self.run(space, restored=20, known=chosen) == chosen
