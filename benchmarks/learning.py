"""Configurations and learning curves of the case ``asha``, the same for all contestants. Imports only what costs nothing."""

from __future__ import annotations

import math
import os
import random
import time

TRIALS, EPOCHS = 60, 27
SECONDS = 0.05
"""How long an epoch takes."""


def seed() -> int:
    """Return the seed of this round."""
    return int(os.environ["BENCH_ROUND"]) + 1


def configurations() -> list[dict[str, float]]:
    """Return what the trials of this round are, in order."""
    chance = random.Random(seed())  # noqa: S311 - draws configurations
    return [
        {
            "lr": 10 ** chance.uniform(-4, 0),
            "momentum": chance.uniform(0.5, 1.0),
            "decay": 10 ** chance.uniform(-6, -2),
            "luck": chance.uniform(-1, 1),
        }
        for _ in range(TRIALS)
    ]


def train_epoch(config: dict[str, float], epoch: int) -> float:
    """Return the loss after an epoch, counted from 1, which takes its time: a power law, whose end depends on the configuration."""
    time.sleep(SECONDS)
    off = abs(math.log10(config["lr"]) + 2) / 2
    end = 0.1 + 0.5 * off**2 + 0.4 * (config["momentum"] - 0.9) ** 2 + 0.02 * abs(math.log10(config["decay"]) + 4)
    speed = 0.6 + 0.4 * math.exp(-off) * config["momentum"]
    noise = 0.02 * math.sin(1000 * config["luck"] * epoch)
    return end + (1.0 - end) * math.pow(epoch, -speed) + noise / epoch
