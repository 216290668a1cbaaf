"""Trials that a scheduler judges at every tenth report, and never stops: how long these reports take, and the others."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_sweep import sweep
from pytest_sweep.model.study import GO_ON, Milestones, Observation, Resumption, Verdict

COUNT, REPORTS = int(os.environ["BENCH_COUNT"]), int(os.environ["BENCH_REPORTS"])
SECONDS = float(os.environ["BENCH_SECONDS"])
HERE = Path(__file__).parent


class EveryTenth:
    """A scheduler that lets every trial go on."""

    pauses = False

    def milestones(self, _key: str) -> Milestones:
        """Judge at every tenth report."""
        return Milestones(every=10)

    def pause_at(self, _key: str) -> int | None:
        """Pause nothing."""
        return None

    def judge(self, _observation: Observation, *, can_pause: bool) -> Verdict:  # noqa: ARG002 - nothing is paused
        """Let it go on."""
        return GO_ON

    def end(self, observation: Observation) -> None:
        """Take the end of a trial."""

    def resume(self, *, is_last: bool) -> Resumption | None:  # noqa: ARG002 - nothing is paused
        """Have nothing to resume."""
        return None

    def dropped(self) -> Mapping[str, str]:
        """Have paused nothing."""
        return {}


@sweep(grid={"number": list(range(COUNT))}, metric="loss", mode="min", scheduler=EveryTenth())
def train(number: int, trial: Any) -> dict[str, list[float]]:
    """Report when all workers are up, and say how long each report has taken, in seconds."""
    (HERE / f"{number}.up").touch()
    while len(list(HERE.glob("*.up"))) < COUNT:
        time.sleep(0.1)
    chance, took = random.Random(number), [0.0]  # noqa: S311 - spreads the reports
    for _ in range(REPORTS):
        time.sleep(SECONDS * chance.uniform(0.5, 1.5))
        for _ in range(10):
            began = time.perf_counter()
            trial.report({"loss": 1.0})
            took.append(time.perf_counter() - began)
    return {"judged": took[10::10], "elsewhere": [seconds for place, seconds in enumerate(took) if place % 10]}
