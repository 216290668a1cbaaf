"""Trials that are stopped early by ASHA, by Tune's rule unless BENCH_RULE says otherwise; the peers do the same."""

from __future__ import annotations

import os
from typing import Any

from benchmarks.learning import EPOCHS, configurations, train_epoch
from pytest_sweep import asha, sweep


@sweep(
    configs=configurations(),
    metric="loss",
    mode="min",
    scheduler=asha(max_t=EPOCHS, grace_period=1, reduction_factor=3, rule=os.environ.get("BENCH_RULE", "tune")),
)
def train(lr: float, momentum: float, decay: float, luck: float, trial: Any) -> None:
    """Report the loss of each epoch."""
    config = {"lr": lr, "momentum": momentum, "decay": decay, "luck": luck}
    for epoch in range(1, EPOCHS + 1):
        trial.report({"loss": train_epoch(config, epoch)})
