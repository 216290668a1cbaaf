"""Searchers that need no results: random and quasi-random. Their choices are a function of the seed and the slot."""

from __future__ import annotations

from collections import Counter

from pytest_sweep.model.study import Observation
from pytest_sweep.search.protocols import Values
from pytest_sweep.search.space import SearchSpace
from pytest_sweep.space.sequences import Halton

_STRIDE = 1_000_003
"""Between the points of one slot: a prime, so that all digits of their numbers differ, and more than sweeps have slots."""


class DrawnSearcher:
    """Chooses as ``num_samples=`` does.

    Args:
        space: what it chooses from.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._asked: Counter[str] = Counter()

    def ask(self, key: str, slot: int) -> Values:
        """Return the point to evaluate for the slot, if there is one; nothing else, so that all is drawn."""
        attempt = self._asked[key]
        self._asked[key] += 1
        points = self._space.points_to_evaluate
        return points[slot] if slot < len(points) and not attempt else self._drawn(slot, attempt)

    def tell(self, observation: Observation) -> None:
        """Learn nothing."""
        if observation.outcome.is_end:
            self._asked.pop(observation.key, None)

    def _drawn(self, slot: int, attempt: int) -> Values:  # noqa: ARG002 - the space draws
        return {}


class QuasiRandomSearcher(DrawnSearcher):
    """Chooses the points of a Halton sequence: point number `slot` for a slot.

    Args:
        space: what it chooses from.
        seed: says which sequence.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space)
        self._sequence = Halton(f"{seed}/qmc")

    def _drawn(self, slot: int, attempt: int) -> Values:
        values: dict[str, object] = {}
        for number, dimension in enumerate(self._space.dimensions.values()):
            if all(values.get(other) == value for other, value in dimension.when):
                values[dimension.name] = dimension.at(self._sequence.at(slot + attempt * _STRIDE, number))
        return values
