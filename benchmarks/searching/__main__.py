"""Play all: ``python -m benchmarks.searching [SEEDS] [PROBLEM ...]`` writes search.json, with the regrets of each contestant."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.searching.judging import judged
from benchmarks.searching.playing import CONTESTANTS, Play
from benchmarks.searching.problems import PROBLEMS

SEEDS = 30


def play(job: tuple[str, str, int]) -> tuple[str, str, list[float], float]:
    """Play one contestant on one problem with one seed."""
    problem, contestant, seed = job
    before = time.process_time()
    regrets = Play(PROBLEMS[problem], CONTESTANTS[contestant], seed).run()
    return problem, contestant, regrets, time.process_time() - before


def main(seeds: int, problems: Sequence[str]) -> None:
    """Play all seeds, write what came out, and print it."""
    jobs = [(problem, contestant, seed) for problem in problems for seed in range(seeds) for contestant in CONTESTANTS]
    curves: dict[str, dict[str, list[list[float]]]] = {}
    seconds = dict.fromkeys(CONTESTANTS, 0.0)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # Each process has a processor, and numpy is not imported yet.
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        for problem, contestant, regrets, took in pool.map(play, jobs, chunksize=4):
            curves.setdefault(problem, {}).setdefault(contestant, []).append(regrets)
            seconds[contestant] += took
    result = judged(curves)
    Path("search.json").write_text(json.dumps(result), encoding="utf-8")
    for problem, found in result.items():
        print(f"{problem}: {found['ratio']:.2f} of the budget, at most {found['upper']:.2f}")
        for contestant, medians in found["medians"].items():
            told = ", ".join(f"{medians[at]:.3g}" for at in (24, 49, 99))
            low, high = (found[f"{end} quartiles"][contestant][-1] for end in ("lower", "upper"))
            print(f"  {contestant:<28} {told}   [{low:.3g}-{high:.3g}]")
    print(", ".join(f"{name} {value:.0f} s" for name, value in seconds.items()))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS, sys.argv[2:] or list(PROBLEMS))
