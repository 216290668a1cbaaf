"""A searcher of one's own, over Ax: ``pip install ax-platform``, then ``pytest --sweep examples/search/test_ax.py``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

from pytest_sweep import loguniform, randint, sweep
from pytest_sweep.model.study import Objective, Observation
from pytest_sweep.search.space import SearchSpace


class Ax:
    """Asks Ax, which begins with Sobol points and goes on with Bayesian optimization. Dimensions are given as codes."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], seed: int, num_samples: int) -> None:
        self.space, objective = space, objectives[0]
        self.client = Client(random_seed=seed % 2**31)
        self.client.configure_experiment([self.parameter(one) for one in space.dimensions.values()])
        self.client.configure_optimization(objective="value" if objective.mode == "max" else "-value")
        self.running: dict[str, Any] = {}

    def parameter(self, dimension: Any) -> Any:
        if dimension.kind == "categorical":
            codes = list(range(len(dimension.choices)))
            return ChoiceParameterConfig(dimension.name, values=codes, parameter_type="int", is_ordered=False)
        kind, scaling = "int" if dimension.kind == "integer" else "float", "log" if dimension.log else "linear"
        return RangeParameterConfig(dimension.name, (dimension.low, dimension.high), kind, scaling=scaling)

    def ask(self, key: str, slot: int) -> dict[str, Any]:
        ((index, codes),) = self.client.get_next_trials(max_trials=1).items()
        self.running[key] = index
        return {name: self.space.dimensions[name].value(code) for name, code in codes.items()}

    def tell(self, observation: Observation) -> None:
        if observation.outcome.is_end and observation.key in self.running:
            index, value = self.running.pop(observation.key), observation.values[0]
            if math.isnan(value):
                self.client.mark_trial_failed(index)
            else:
                self.client.complete_trial(index, raw_data={"value": value})


@sweep(
    space={"lr": loguniform(1e-4, 1e-1), "depth": randint(2, 9)},
    num_samples=12,
    search=Ax,
    metric="loss",
    mode="min",
)
def train(lr: float, depth: int) -> dict[str, float]:
    """Stands for a training: a loss that is least at lr=0.01 and depth=5."""
    return {"loss": (math.log10(lr) + 2) ** 2 + (depth - 5) ** 2 / 10}
