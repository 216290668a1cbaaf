"""A small sweep for the callback in ``conftest.py`` to listen to: pytest --sweep examples/callback."""

from __future__ import annotations

import math

from pytest_sweep import ActiveTrial, sweep


@sweep(grid={"frequency": [3, 2, 1], "damping": [0.5, 0.1]}, metric="score", mode="max")
def ring(frequency: int, damping: float, trial: ActiveTrial) -> None:
    """Report how far a damped oscillation is from rest, ten times."""
    for step in range(10):
        trial.report({"score": abs(math.cos(frequency * step)) * math.exp(-damping * step)})
