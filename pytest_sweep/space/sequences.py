"""Sequences of points that fill the unit cube more evenly than random ones. Pure, and equal on every machine."""

from __future__ import annotations

import math

from pytest_sweep.space.entropy import Entropy

_BITS = 53


class Halton:
    """The Halton sequence, each digit of which is permuted at random (Owen 2017, "A randomized Halton algorithm").

    Args:
        text: the permutations depend on it.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._bases: list[int] = []
        self._permutations: list[list[list[int]]] = []

    def at(self, number: int, dimension: int) -> float:
        """Return the coordinate of a point, both counted from 0: at least 0 and below 1."""
        while len(self._bases) <= dimension:
            self._add_dimension()
        base, rest, value, scale = self._bases[dimension], number, 0.0, 1.0
        for permutation in self._permutations[dimension]:
            rest, digit = divmod(rest, base)
            scale /= base
            value += permutation[digit] * scale
        return min(value, 1 - 2.0**-_BITS)

    def _add_dimension(self) -> None:
        base = self._bases[-1] + 1 if self._bases else 2
        while any(base % smaller == 0 for smaller in self._bases):
            base += 1
        places = math.ceil(_BITS / math.log2(base))
        dimension = len(self._bases)
        self._permutations.append([self._permutation(f"{dimension}/{place}", base) for place in range(places)])
        self._bases.append(base)

    def _permutation(self, name: str, count: int) -> list[int]:
        order = list(range(count))
        for index in range(count - 1, 0, -1):
            other = Entropy(f"{self._text}/{name}/{index}").below(index + 1)
            order[index], order[other] = order[other], order[index]
        return order
