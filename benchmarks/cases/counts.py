"""Many trials that take no time: what is measured is the overhead."""

from __future__ import annotations

from benchmarks.contestants import (
    IN_PROCESS,
    OPTUNA,
    PLAIN_RAY,
    PROCESSES,
    RUNNING,
    SWEEP,
    TUNE,
    TUNE_REUSED,
    XDIST,
    ordinary,
    peer,
    sweep,
)
from benchmarks.model import Case, Mark, Round, figure, ratio

_MANY, _FEW, _EMPTY = "pytest --sweep, 100,000", "pytest --sweep, 10,000", "pytest --sweep, 1"


def _rate_kept(round_: Round) -> float:
    return 10 * round_[_FEW]["seconds"] / round_[_MANY]["seconds"]


def _kilobytes_a_trial(round_: Round) -> float:
    return (round_[_MANY]["memory"] - round_[_EMPTY]["memory"]) / 100_000 / 1024


def _saving(round_: Round) -> float:
    return round_[RUNNING]["seconds"] / round_[SWEEP]["seconds"]


CASES = (
    Case(
        "cold",
        "100 trivial trials, cold",
        (
            sweep(SWEEP, 100),
            peer(PLAIN_RAY, "plain_ray", "100"),
            ordinary(XDIST, 100, "-n2"),
            ordinary(IN_PROCESS, 100),
            peer(OPTUNA, "optuna_grid", "100"),
        ),
        (
            Mark("of plain ray.remote", ratio(SWEEP, PLAIN_RAY), 1.15),
            Mark("of pytest-xdist -n2", ratio(SWEEP, XDIST)),
            Mark("of pytest in process", ratio(SWEEP, IN_PROCESS)),
            Mark("of Optuna, grid, SQLite", ratio(SWEEP, OPTUNA)),
            Mark("from the last result to the prompt", figure(SWEEP, "to_prompt"), 2.0, unit="s", is_relative=False),
        ),
        rounds=5,
    ),
    Case(
        "tune",
        "100 trivial trials, cold, beside Ray Tune",
        (
            sweep(SWEEP, 100),
            peer(TUNE, "ray_tune", "defaults", "100"),
            peer(TUNE_REUSED, "ray_tune", "reuse_actors", "100"),
        ),
        (
            Mark("faster than ray.tune", ratio(TUNE, SWEEP), 25.0, at_least=True),
            Mark("faster than ray.tune with reuse_actors", ratio(TUNE_REUSED, SWEEP), 1.5, at_least=True),
        ),
    ),
    Case(
        "running",
        "100 trivial trials, Ray already running",
        (sweep(SWEEP, 100), sweep(RUNNING, 100, in_ray=True), peer(PLAIN_RAY, "plain_ray", "100", in_ray=True)),
        (
            Mark("of the cold run", _saving, 0.5),
            Mark("of plain ray.remote, Ray running", ratio(RUNNING, PLAIN_RAY)),
            Mark("from the last result to the prompt", figure(RUNNING, "to_prompt"), 0.5, unit="s", is_relative=False),
        ),
    ),
    Case(
        "processes",
        "100 trivial trials on -n2, without Ray",
        (sweep(PROCESSES, 100, "-n2"), ordinary(XDIST, 100, "-n2")),
        (Mark("of pytest-xdist -n2", ratio(PROCESSES, XDIST), 1.2),),
        rounds=5,
    ),
    Case(
        "ten-thousand",
        "10,000 trivial trials, cold, with store and status",
        (
            sweep(SWEEP, 10_000),
            ordinary(XDIST, 10_000, "-n2"),
            peer(PLAIN_RAY, "plain_ray", "10000"),
            sweep(PROCESSES, 10_000, "-n2"),
        ),
        (
            Mark("of pytest-xdist -n2", ratio(SWEEP, XDIST), 1.0),
            Mark("of plain ray.remote", ratio(SWEEP, PLAIN_RAY), 1.0),
            Mark("pytest --sweep -n2, of pytest-xdist -n2", ratio(PROCESSES, XDIST)),
        ),
    ),
    Case(
        "hundred-thousand",
        "100,000 trivial trials",
        (sweep(_EMPTY, 1), sweep(_FEW, 10_000), sweep(_MANY, 100_000)),
        (
            Mark("of the trials a second of 10,000", _rate_kept, 0.8, at_least=True),
            Mark("driver memory a trial above the empty run", _kilobytes_a_trial, 6.0, unit="KB", is_relative=False),
        ),
    ),
)

SHORT = (
    Case(
        "cold",
        "100 trivial trials, cold",
        (sweep(SWEEP, 100), peer(PLAIN_RAY, "plain_ray", "100")),
        (Mark("of plain ray.remote", ratio(SWEEP, PLAIN_RAY)),),
        rounds=1,
    ),
    Case(
        "processes",
        "1,000 trivial trials on -n2, without Ray",
        (sweep(PROCESSES, 1000, "-n2"), ordinary(XDIST, 1000, "-n2")),
        (Mark("of pytest-xdist -n2", ratio(PROCESSES, XDIST)),),
        rounds=2,
    ),
)
