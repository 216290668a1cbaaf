"""A trial that does nothing but report."""

from __future__ import annotations

import json
import sqlite3

from benchmarks.contestants import PROCESSES, SWEEP, YARDSTICK, sweep
from benchmarks.measuring import FailedError, Sample
from benchmarks.model import Case, Contestant, Mark, figure, ratio


def reporting(name: str, count: int, *options: str) -> Contestant:
    """Return a run of one trial that reports `count` times."""

    def read(connection: sqlite3.Connection) -> Sample:
        (stored,) = connection.execute("SELECT count(*) FROM report").fetchone()
        if stored != count:
            raise FailedError(f"{stored} of {count} reports are stored")
        (text,) = connection.execute("SELECT metrics FROM trial").fetchone()
        metrics = json.loads(text)
        # The probe's time is that of the trial's end on the terminal: everything that it has said was stored before.
        return {"microseconds": metrics["median"] * 1e6, "began": metrics["began"], "loop": metrics["loop"]}

    run = sweep(name, 1, *options, file="test_reporting.py", environ={"BENCH_COUNT": str(count)}, read=read)

    def finish(folder: object, sample: Sample) -> Sample:
        sample = run.finish(folder, sample)  # type: ignore[arg-type]
        last = sample["ended"] - sample["to_prompt"]
        return {**sample, "stored_a_second": count / (last - sample["began"])}

    return Contestant(run.name, run.command, run.files, run.environ, finish)


yardstick = Contestant(YARDSTICK, ("-m", "benchmarks.peers.yardstick"))
"""A fixed amount of Python, beside which a figure without a peer can be compared between machines."""

CASES = (
    Case(
        "reports",
        "report() in a loop, 50,000 times",
        (reporting(SWEEP, 50_000), reporting(PROCESSES, 50_000, "-n2")),
        (
            Mark("for the trial, the median", figure(SWEEP, "microseconds"), 50.0, unit="µs", is_relative=False),
            Mark("stored", figure(SWEEP, "stored_a_second"), 5000.0, True, "a second", is_relative=False),
            Mark("stored, on -n2", figure(PROCESSES, "stored_a_second"), None, True, "a second", is_relative=False),
        ),
    ),
)

SHORT = (
    Case(
        "reports",
        "report() in a loop, 20,000 times, on -n1",
        (reporting(PROCESSES, 20_000, "-n1"), yardstick),
        (Mark("of the yardstick", ratio(PROCESSES, YARDSTICK)),),
        rounds=2,
    ),
)
