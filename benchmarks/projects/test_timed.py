"""Trials that take a known time, asleep or busy."""

from __future__ import annotations

import os
import time

import pytest

from pytest_sweep import sweep

COUNT = int(os.environ["BENCH_COUNT"])
SHORTEST, LONGEST = float(os.environ["BENCH_SHORTEST"]), float(os.environ["BENCH_LONGEST"])
BUSY = "BENCH_BUSY" in os.environ


@sweep(
    configs=[
        {"seconds": round(SHORTEST + (LONGEST - SHORTEST) * (n * 37 % COUNT) / COUNT, 4), "n": n} for n in range(COUNT)
    ]
)
@pytest.mark.resources(cpu=1)
def train_model(seconds: float, n: int) -> int:
    """Take this time: of the CPU, where the work is busy."""
    if not BUSY:
        time.sleep(seconds)
    end = time.process_time() + seconds
    while BUSY and time.process_time() < end:
        sum(range(1000))
    return n
