"""The scheduler alone, with simulated workers: no process, no pytest."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.cases.reports import yardstick
from benchmarks.contestants import YARDSTICK
from benchmarks.measuring import Sample
from benchmarks.model import Case, Contestant, Mark, Round, figure, ratio

_SCHEDULER, _TENTH = "scheduler", "scheduler, a tenth"
_JUDGED = "scheduler, asha"
_FEW, _MANY = "scheduler, 100 shapes", "scheduler, 4,000 shapes"


def simulated(name: str, nodes: int, trials: int, shapes: int = 1, *more: str) -> Contestant:
    """Return a simulation of `trials` that ask for `shapes` different amounts, on `nodes` of eight CPUs; "asha" judges them."""

    def finish(folder: Path, sample: Sample) -> Sample:
        return {**sample, **json.loads((folder / "simulation.json").read_text(encoding="utf-8"))}

    return Contestant(name, ("-m", "benchmarks.simulation", str(nodes), str(trials), str(shapes), *more), finish=finish)


def _flatness(round_: Round) -> float:
    return round_[_MANY]["microseconds"] / round_[_FEW]["microseconds"]


def _linearity(round_: Round) -> float:
    return round_[_SCHEDULER]["bytes_a_trial"] / round_[_TENTH]["bytes_a_trial"]


CASES = (
    Case(
        "scheduler",
        "the scheduler alone, simulated: 1,000 nodes, 1,000,000 trials",
        (
            simulated(_SCHEDULER, 1000, 1_000_000),
            simulated(_TENTH, 1000, 100_000),
            simulated(_FEW, 10, 8_000, 100),
            simulated(_MANY, 10, 8_000, 4_000),
            simulated(_JUDGED, 1000, 300_000, 1, "asha"),
        ),
        (
            Mark("an event", figure(_SCHEDULER, "microseconds"), 20.0, unit="µs", is_relative=False),
            Mark("an event, 100,000 trials", figure(_TENTH, "microseconds"), unit="µs", is_relative=False),
            Mark("of the memory a trial of 100,000", _linearity, 1.1),
            Mark("an event, 4,000 shapes", figure(_MANY, "microseconds"), 200.0, unit="µs", is_relative=False),
            Mark("4,000 shapes, of 100", _flatness, 3.0),
            Mark("an event, asha, 300,000 trials", figure(_JUDGED, "microseconds"), 20.0, unit="µs", is_relative=False),
        ),
    ),
)
SHORT = (
    Case(
        "scheduler",
        "the scheduler alone, simulated: 100 nodes, 50,000 trials",
        (simulated(_SCHEDULER, 100, 50_000), yardstick),
        (Mark("of the yardstick", ratio(_SCHEDULER, YARDSTICK)),),
        rounds=2,
    ),
)
