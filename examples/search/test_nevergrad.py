"""A searcher of one's own, over Nevergrad: ``pip install nevergrad``, then ``pytest --sweep examples/search/test_nevergrad.py``."""

from __future__ import annotations

import math

import nevergrad as ng
import numpy as np

from pytest_sweep import loguniform, randint, sweep


class Nevergrad:
    """Asks an optimizer of Nevergrad. Dimensions are given as codes, which are plain numbers."""

    def __init__(self, space, objectives, seed, num_samples):
        self.space, self.sign = space, 1.0 if objectives[0].mode == "min" else -1.0
        parameters = ng.p.Dict(**{name: self.parameter(one) for name, one in space.dimensions.items()})
        parameters.random_state = np.random.RandomState(seed)
        self.optimizer = ng.optimizers.TwoPointsDE(parameters, budget=num_samples)
        self.running = {}

    def parameter(self, dimension):
        if dimension.kind == "categorical":
            return ng.p.Choice(range(len(dimension.choices)))
        kind = ng.p.Log if dimension.log else ng.p.Scalar
        made = kind(lower=dimension.low, upper=dimension.high)
        return made.set_integer_casting() if dimension.kind == "integer" else made

    def ask(self, key, slot):
        self.running[key] = self.optimizer.ask()
        return {name: self.space.dimensions[name].value(code) for name, code in self.running[key].value.items()}

    def tell(self, observation):
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
def train(lr, depth):
    """Stands for a training: a loss that is least at lr=0.01 and depth=5."""
    return {"loss": (math.log10(lr) + 2) ** 2 + (depth - 5) ** 2 / 10}
