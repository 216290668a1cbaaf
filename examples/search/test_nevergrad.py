"""A searcher of one's own, over Nevergrad: ``pip install nevergrad``, then ``pytest --sweep examples/search/test_nevergrad.py``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import nevergrad as ng
import numpy as np

from pytest_sweep import loguniform, randint, sweep
from pytest_sweep.model.study import Objective, Observation
from pytest_sweep.search.space import SearchSpace


class Nevergrad:
    """Asks an optimizer of Nevergrad. Dimensions are given as codes, which are plain numbers."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], seed: int, num_samples: int) -> None:
        self.space, self.sign = space, 1.0 if objectives[0].mode == "min" else -1.0
        parameters = ng.p.Dict(**{name: self.parameter(one) for name, one in space.dimensions.items()})
        parameters.random_state = np.random.RandomState(seed)
        self.optimizer = ng.optimizers.TwoPointsDE(parameters, budget=num_samples)
        self.running: dict[str, Any] = {}

    def parameter(self, dimension: Any) -> Any:
        if dimension.kind == "categorical":
            return ng.p.Choice(range(len(dimension.choices)))
        kind = ng.p.Log if dimension.log else ng.p.Scalar
        made = kind(lower=dimension.low, upper=dimension.high)
        return made.set_integer_casting() if dimension.kind == "integer" else made

    def ask(self, key: str, slot: int) -> dict[str, Any]:
        self.running[key] = self.optimizer.ask()
        return {name: self.space.dimensions[name].value(code) for name, code in self.running[key].value.items()}

    def tell(self, observation: Observation) -> None:
        if observation.outcome.is_end and observation.key in self.running:
            value = self.sign * observation.values[0]
            self.optimizer.tell(self.running.pop(observation.key), 1e9 if math.isnan(value) else value)


@sweep(
    space={"lr": loguniform(1e-4, 1e-1), "depth": randint(2, 9)},
    num_samples=12,
    search=Nevergrad,
    metric="loss",
    mode="min",
)
def train(lr: float, depth: int) -> dict[str, float]:
    """Stands for a training: a loss that is least at lr=0.01 and depth=5."""
    return {"loss": (math.log10(lr) + 2) ** 2 + (depth - 5) ** 2 / 10}
