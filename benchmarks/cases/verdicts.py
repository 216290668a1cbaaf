"""How long a report waits at a milestone until its verdict is there: the way to the driver, the decision, its storage, the way back."""

from __future__ import annotations

import json
import sqlite3
import statistics

from benchmarks.contestants import PROCESSES, SWEEP, sweep
from benchmarks.measuring import Sample
from benchmarks.model import Case, Contestant, Mark, figure

_MANY_PROCESSES, _MANY = "pytest --sweep -n32", "pytest --sweep, 32 CPUs"


def judged(name: str, workers: int, pause: float, reports: int, *options: str) -> Contestant:
    """Return a run in which each worker runs one trial, which is judged `reports` times, with `pause` seconds between."""

    def read(connection: sqlite3.Connection) -> Sample:
        found = [json.loads(metrics) for (metrics,) in connection.execute("SELECT metrics FROM trial")]
        waits = sorted(seconds for metrics in found for seconds in metrics["judged"])
        elsewhere = statistics.median(seconds for metrics in found for seconds in metrics["elsewhere"])
        return {
            "median": statistics.median(waits),
            "p99": waits[int(0.99 * len(waits))],
            "longest": waits[-1],
            "elsewhere": elsewhere,
        }

    environ = {"BENCH_SECONDS": str(pause), "BENCH_REPORTS": str(reports)}
    return sweep(name, workers, *options, file="test_verdicts.py", environ=environ, read=read)


def _marks(name: str, words: str, limit: float) -> tuple[Mark, ...]:
    return (
        Mark(f"99 % are there, {words}", figure(name, "p99", 1e3), limit, unit="ms", is_relative=False),
        Mark(f"the median, {words}", figure(name, "median", 1e3), unit="ms", is_relative=False),
        Mark(f"report() elsewhere, {words}", figure(name, "elsewhere", 1e6), 50.0, unit="µs", is_relative=False),
    )


CASES = (
    Case(
        "verdicts",
        "from a report at a milestone to its verdict, once the workers are up",
        (
            judged(PROCESSES, 2, 0.05, 300, "-n2"),
            judged(SWEEP, 2, 0.05, 300, "--sweep-num-cpus=2"),
            judged(_MANY_PROCESSES, 32, 0.5, 40, "-n32"),
            judged(_MANY, 32, 0.5, 40, "--sweep-num-cpus=32"),
        ),
        (
            *_marks(PROCESSES, "-n2", 50.0),
            *_marks(SWEEP, "Ray, 2 workers", 50.0),
            *_marks(_MANY_PROCESSES, "-n32", 200.0),
            *_marks(_MANY, "Ray, 32 workers", 200.0),
        ),
    ),
)
