"""A searcher of one's own, over SMAC: ``pip install smac``, then ``pytest --sweep examples/search/test_smac.py``."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from typing import Any

import ConfigSpace
from smac import HyperparameterOptimizationFacade, Scenario
from smac.runhistory.dataclasses import TrialValue

from pytest_sweep import loguniform, randint, sweep
from pytest_sweep.model.study import Objective, Observation
from pytest_sweep.search.space import SearchSpace


class Smac:
    """Asks SMAC's random forest. Dimensions are given as codes, which are plain numbers."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], seed: int, num_samples: int) -> None:
        self.space, self.sign = space, 1.0 if objectives[0].mode == "min" else -1.0
        parameters = ConfigSpace.ConfigurationSpace(seed=seed)
        parameters.add([self.parameter(one) for one in space.dimensions.values()])
        folder = tempfile.mkdtemp(prefix="smac-")  # SMAC writes what it does.
        scenario = Scenario(
            parameters, deterministic=True, n_trials=num_samples, seed=seed % 2**32, output_directory=folder
        )
        self.smac = HyperparameterOptimizationFacade(scenario, lambda config, seed: 0.0, logging_level=False)
        self.running: dict[str, Any] = {}

    def parameter(self, dimension: Any) -> Any:
        if dimension.kind == "categorical":
            return ConfigSpace.Categorical(dimension.name, range(len(dimension.choices)))
        kind = ConfigSpace.Integer if dimension.kind == "integer" else ConfigSpace.Float
        return kind(dimension.name, (dimension.low, dimension.high), log=dimension.log)

    def ask(self, key: str, slot: int) -> dict[str, Any]:
        self.running[key] = self.smac.ask()
        codes = dict(self.running[key].config)
        return {name: self.space.dimensions[name].value(code) for name, code in codes.items()}

    def tell(self, observation: Observation) -> None:
        if observation.outcome.is_end and observation.key in self.running:
            value = self.sign * observation.values[0]
            self.smac.tell(self.running.pop(observation.key), TrialValue(cost=1e9 if math.isnan(value) else value))


@sweep(
    space={"lr": loguniform(1e-4, 1e-1), "depth": randint(2, 9)},
    num_samples=12,
    search=Smac,
    metric="loss",
    mode="min",
)
def train(lr: float, depth: int) -> dict[str, float]:
    """Stands for a training: a loss that is least at lr=0.01 and depth=5."""
    return {"loss": (math.log10(lr) + 2) ** 2 + (depth - 5) ** 2 / 10}
