"""What a decision of ASHA costs: ``python -m benchmarks.searching.decisions TRIALS`` writes decisions.json, in microseconds."""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

from pytest_sweep.model.study import Objective, Observation, Outcome, VerdictKind
from pytest_sweep.search.settings import asha

LOSS = (Objective("loss", "min"),)


def stopping(trials: int) -> float:
    """Return how long a decision takes where trials are stopped: each reports at its rungs until it is."""
    scheduler = asha(max_t=81, reduction_factor=3, pause="never").make(LOSS, 0, None, {})
    chance, decisions, spent = random.Random(0), 0, 0.0  # noqa: S311 - a simulation
    for number in range(trials):
        key, end = str(number), chance.random()
        for rung in scheduler.milestones(key).at:
            seen = Observation(key, rung, (end + chance.random() / rung,))
            before = time.process_time()
            verdict = scheduler.judge(seen, can_pause=False)
            spent += time.process_time() - before
            decisions += 1
            if verdict.kind is VerdictKind.STOP:
                scheduler.end(Observation(key, rung, seen.values, Outcome.STOPPED))
                break
    return spent / decisions * 1e6


def promotion(trials: int) -> float:
    """Return how long a decision and the choice of who goes on next take where trials pause."""
    scheduler = asha(max_t=81, reduction_factor=3).make(LOSS, 0, None, {})
    chance, decisions, spent = random.Random(0), 0, 0.0  # noqa: S311 - a simulation
    reached: dict[str, int] = {}
    begun = 0
    while begun < trials:
        before = time.process_time()
        found = scheduler.resume(is_last=False)
        spent += time.process_time() - before
        key = str(begun) if found is None else found.key
        begun += found is None
        at = scheduler.milestones(key).at
        rung = reached[key] = at[at.index(reached[key]) + 1] if key in reached else at[0]
        seen = Observation(key, rung, (chance.random(),))
        before = time.process_time()
        verdict = scheduler.judge(seen, can_pause=True)
        spent += time.process_time() - before
        decisions += 1
        if verdict.kind is VerdictKind.STOP:
            scheduler.end(Observation(key, rung, seen.values, Outcome.STOPPED))
    return spent / decisions * 1e6


def main(trials: int) -> None:
    """Simulate, and write what it took."""
    result = {"stopping": stopping(trials), "promotion": promotion(trials)}
    Path("decisions.json").write_text(json.dumps(result), encoding="utf-8")
    print(result)


if __name__ == "__main__":
    main(int(sys.argv[1]))
