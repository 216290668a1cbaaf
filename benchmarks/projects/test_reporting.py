"""A trial that reports as fast as it can, and says how long a report keeps it."""

from __future__ import annotations

import os
import statistics
import time
from typing import Any

from pytest_sweep import sweep
from pytest_sweep.worker.trial import ActiveTrial

COUNT = int(os.environ["BENCH_COUNT"])


@sweep(grid={"lr": [0.1]})
def train_model(lr: float, trial: ActiveTrial) -> dict[str, Any]:
    """Report COUNT times."""
    times = []
    began = time.time()
    for step in range(COUNT):
        before = time.perf_counter()
        trial.report({"loss": lr * step, "step": step})
        times.append(time.perf_counter() - before)
    return {"median": statistics.median(times), "began": began, "loop": time.time() - began}
