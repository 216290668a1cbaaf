"""Expanding 10,000 and 100,000 points of each kind of space: seconds, and the ratio of both, which is 10 where it is linear."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from pytest_sweep import derived, grid, loguniform, uniform, zip_
from pytest_sweep.space import Listed, Space, expand

SMALL, LARGE = 10_000, 100_000
SPACES: dict[str, Callable[[int], tuple[Space, int]]] = {
    "grid of two axes": lambda count: (grid(a=range(count // 100), b=[step / 10 for step in range(100)]), 1),
    "grid of five axes, nested": lambda count: (
        grid(a=range(count // 1000), b=list("abcde"), c={"d": [0.1, 0.2], "e": list(range(10))}, f=range(10)),
        1,
    ),
    "pairs": lambda count: (zip_(a=range(count), b=[step / 10 for step in range(count)]), 1),
    "sum of two grids": lambda count: (
        grid(a=range(count // 100), b=range(60)) + grid(a=range(count // 100), b=range(40, 100)),
        1,
    ),
    "listed": lambda count: (Listed([{"a": step, "b": step / 10} for step in range(count)]), 1),
    "two domains, drawn": lambda count: (grid(a=uniform(0, 1), b=loguniform(1e-5, 1e-1)), count),
    "derived": lambda count: (grid(a=range(count), b=derived(lambda config: 2 * config["a"])), 1),
}


def seconds(make: Callable[[int], tuple[Space, int]], count: int) -> float:
    """Return how long it takes to expand a space to `count` points."""
    space, num_samples = make(count)
    began = time.perf_counter()
    points = expand(space, num_samples=num_samples).points
    took = time.perf_counter() - began
    assert len(points) == count
    return took


def main(runs: int) -> None:
    """Expand both sizes of each space in turn and print the medians and the median ratio."""
    for name, make in SPACES.items():
        pairs = [(seconds(make, SMALL), seconds(make, LARGE)) for _ in range(runs)]
        small, large = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(two / one for one, two in pairs)
        print(f"{name}: {SMALL:,} in {small:.3f} s, {LARGE:,} in {large:.2f} s, ratio {ratio:.1f}", flush=True)
