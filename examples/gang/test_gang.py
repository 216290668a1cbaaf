"""Training on several workers at once: each trial has a gang, whose gradients are averaged by torch.distributed.

Run it with ``pytest --sweep --sweep-num-cpus=2 examples/gang``; it needs torch (``pip install torch``), and is skipped without.

* ``workers=2`` gives each trial two workers at the same time, or none: a placement group of Ray's.
* The trial's body runs once. ``trial.gang.run(fit, ...)`` calls ``fit(rank, world_size, ...)`` on every worker, and returns what
  they return, by rank.
* Rank, world size and a free master address are in the environment, where ``init_process_group`` looks for them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from pytest_sweep import ActiveTrial, ResultGrid, sweep

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")

TRUE_SLOPE = 3.0


def fit(rank: int, world_size: int, lr: float, steps: int) -> tuple[float, float]:
    """Fit a line to points of our own, with the mean of all workers' gradients; return the slope and how many points there were."""
    dist = torch.distributed
    dist.init_process_group("gloo")  # Finds RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT.
    try:
        assert (dist.get_rank(), dist.get_world_size()) == (rank, world_size)
        numbers = random.Random(rank)
        x = torch.tensor([numbers.uniform(-1, 1) for _ in range(100)])
        y = TRUE_SLOPE * x
        points = torch.tensor(float(len(x)))
        dist.all_reduce(points)
        slope = torch.zeros((), requires_grad=True)
        optimizer = torch.optim.SGD([slope], lr=lr)
        for _ in range(steps):
            optimizer.zero_grad()
            (slope * x - y).square().mean().backward()
            dist.all_reduce(slope.grad)
            slope.grad /= world_size
            optimizer.step()
        found = float(slope.detach())
        print(f"slope {found:.4f} after {steps} steps on {int(points)} points")
        return found, float(points)
    finally:
        dist.destroy_process_group()


@sweep(grid={"lr": [0.1, 0.5]}, metric="error", mode="min")
@pytest.mark.resources(cpu=1, workers=2)
def train_together(lr: float, trial: ActiveTrial) -> dict[str, float]:
    """Train on two workers, which must agree on the result."""
    answers = trial.gang.run(fit, lr, steps=50)
    assert len(set(answers)) == 1
    slope, points = answers[0]
    return {"slope": slope, "points": points, "error": abs(slope - TRUE_SLOPE)}


def test_the_slope_is_found(sweep_results: Mapping[str, ResultGrid]) -> None:
    best = sweep_results["train_together"].get_best_result().metrics
    assert best is not None
    assert best["points"] == 200
    assert best["error"] < 0.01
