"""Expands 10,000 and 100,000 points of each kind of space; the ratio of both times is 10 where it is linear."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

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


if __name__ == "__main__":
    ratios = {name: seconds(make, LARGE) / seconds(make, SMALL) for name, make in SPACES.items()}
    Path("expansion.json").write_text(json.dumps(ratios), encoding="utf-8")
