"""Trials that take a known time: how much of the CPUs' time, or of the workers', goes into them once the workers are up."""

from __future__ import annotations

import json
import sqlite3

from benchmarks.contestants import SWEEP, sweep
from benchmarks.measuring import Sample
from benchmarks.model import Case, Mark, figure

_ASLEEP = "pytest --sweep, asleep"


def occupation(connection: sqlite3.Connection) -> Sample:
    """Return ``makespan`` and ``work`` in seconds, from when the last of the workers has begun its first trial, and how many there are.

    A trial that ran at that moment counts with the rest of what it was to take.
    """
    rows = connection.execute("SELECT location, started, finished, config FROM trial").fetchall()
    first: dict[str, float] = {}
    for location, started, _, _ in rows:
        first[location] = min(started, first.get(location, started))
    up, end = max(first.values()), max(finished for _, _, finished, _ in rows)
    wanted = [(started, json.loads(config)["seconds"]) for _, started, _, config in rows]
    work = sum(min(seconds, max(0.0, started + seconds - up)) for started, seconds in wanted)
    return {"makespan": end - up, "work": work, "workers": len(first), "share": work / len(first) / (end - up)}


def _timed(shortest: float, longest: float, **more: str) -> dict[str, str]:
    return {"BENCH_SHORTEST": str(shortest), "BENCH_LONGEST": str(longest), **more}


CASES = (
    Case(
        "makespan",
        "200 trials of 0.1-0.5 s on 2 CPUs, after start-up",
        (
            sweep(
                SWEEP,
                200,
                "--sweep-num-cpus=2",
                file="test_timed.py",
                environ=_timed(0.1, 0.5, BENCH_BUSY="1"),
                read=occupation,
            ),
            sweep(_ASLEEP, 200, "--sweep-num-cpus=2", file="test_timed.py", environ=_timed(0.1, 0.5), read=occupation),
        ),
        (
            Mark("of work / 2, computing", lambda round_: 1 / round_[SWEEP]["share"], 1.05, is_relative=False),
            Mark("of work / 2, asleep", lambda round_: 1 / round_[_ASLEEP]["share"], 1.05, is_relative=False),
        ),
    ),
    Case(
        "concurrent",
        "2,000 sleeping trials of 1 s at --sweep-num-cpus=32, once the workers are up",
        (sweep(SWEEP, 2000, "--sweep-num-cpus=32", file="test_timed.py", environ=_timed(1.0, 1.0), read=occupation),),
        (Mark("of the ideal rate", figure(SWEEP, "share"), 0.9, at_least=True, is_relative=False),),
    ),
)
