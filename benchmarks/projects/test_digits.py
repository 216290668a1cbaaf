"""Networks on digits that are stopped early by ASHA; the peers do the same."""

from __future__ import annotations

from typing import Any

from benchmarks import digits
from pytest_sweep import asha, sweep


@sweep(
    configs=digits.configurations(),
    metric="loss",
    mode="min",
    scheduler=asha(max_t=digits.EPOCHS, grace_period=1, reduction_factor=3),
)
def train(lr: float, alpha: float, width: int, batch: int, momentum: float, trial: Any) -> None:
    """Report the loss of each epoch."""
    config = {"lr": lr, "alpha": alpha, "width": width, "batch": batch, "momentum": momentum}
    for loss in digits.train(config):
        trial.report({"loss": loss})
