"""Trials that print, as a training does."""

from __future__ import annotations

import os

from pytest_sweep import sweep

COUNT, CHARACTERS = int(os.environ["BENCH_COUNT"]), int(os.environ["BENCH_CHARACTERS"])


@sweep(grid={"number": range(COUNT)})
def train_model(number: int) -> int:
    """Print this many characters, which no other trial prints."""
    line = f"trial {number}, ".ljust(99, "x")
    for _ in range(CHARACTERS // 100):
        print(line)
    return number
