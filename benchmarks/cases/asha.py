"""The same trials, stopped early by the same rule, here and with Ray Tune: whole processes, from the command to the prompt."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks import digits
from benchmarks.contestants import PROCESSES, SWEEP, TUNE_REUSED, peer, sweep
from benchmarks.learning import TRIALS
from benchmarks.measuring import Sample
from benchmarks.model import Case, Mark, Round, figure, ratio


def _read(connection: sqlite3.Connection) -> Sample:
    (best,) = connection.execute("SELECT min(json_extract(metrics, '$.loss')) FROM report").fetchone()
    (epochs,) = connection.execute("SELECT count(*) FROM report").fetchone()
    return {"best": best, "epochs": epochs}


def _outcome(folder: Path, sample: Sample) -> Sample:
    return {**sample, **json.loads((folder / "outcome.json").read_text(encoding="utf-8"))}


def _best(round_: Round) -> float:
    """Return how much worse the best loss is in processes or on Ray, whichever is worse, than Tune's; at most 0 is as good."""
    return max(round_[PROCESSES]["best"], round_[SWEEP]["best"]) - round_[TUNE_REUSED]["best"]


def _above(name: str, other: str) -> Callable[[Round], float]:
    """Return how much worse the best loss of a contestant is than that of a peer."""
    return lambda round_: round_[name]["best"] - round_[other]["best"]


OPTUNA_PRUNED = "Optuna, its pruner"
STRICT = "pytest --sweep -n2, strict"
_ENDS = ("TERMINATED", "STOPPED")
CASES = (
    Case(
        "asha",
        "60 trials of up to 27 epochs of 0.05 s, ASHA, two at once, beside Ray Tune",
        (
            sweep(PROCESSES, TRIALS, "-n2", file="test_asha.py", read=_read, ends=_ENDS),
            replace(peer(TUNE_REUSED, "tune_asha"), finish=_outcome),
            sweep(SWEEP, TRIALS, "--sweep-num-cpus=2", file="test_asha.py", read=_read, ends=_ENDS),
            sweep(STRICT, TRIALS, "-n2", file="test_asha.py", environ={"BENCH_RULE": "strict"}, read=_read, ends=_ENDS),
        ),
        (
            Mark("-n2, of ray.tune with reuse_actors", ratio(PROCESSES, TUNE_REUSED), 0.5),
            Mark("on Ray, of ray.tune with reuse_actors", ratio(SWEEP, TUNE_REUSED), 0.7),
            Mark("best loss, above Tune's", _best, 0.0, unit="", is_relative=False),
            Mark("-n2 with rule='strict', of ray.tune with reuse_actors", ratio(STRICT, TUNE_REUSED)),
            Mark("best loss with rule='strict', above Tune's", _above(STRICT, TUNE_REUSED), unit="", is_relative=False),
            Mark("epochs, -n2", figure(PROCESSES, "epochs"), unit="epochs", is_relative=False),
            Mark("epochs, -n2, rule='strict'", figure(STRICT, "epochs"), unit="epochs", is_relative=False),
            Mark("epochs, Ray", figure(SWEEP, "epochs"), unit="epochs", is_relative=False),
            Mark("epochs, ray.tune", figure(TUNE_REUSED, "epochs"), unit="epochs", is_relative=False),
        ),
        rounds=6,
    ),
    Case(
        "asha-digits",
        "40 networks of scikit-learn on digits, up to 27 epochs, ASHA, two at once",
        (
            sweep(PROCESSES, digits.TRIALS, "-n2", file="test_digits.py", read=_read, ends=_ENDS),
            replace(peer(TUNE_REUSED, "tune_digits"), finish=_outcome),
            replace(peer(OPTUNA_PRUNED, "optuna_digits"), finish=_outcome),
        ),
        (
            Mark("-n2, of ray.tune with reuse_actors", ratio(PROCESSES, TUNE_REUSED)),
            Mark("-n2, of Optuna with its pruner", ratio(PROCESSES, OPTUNA_PRUNED)),
            Mark("best loss, above Tune's", _above(PROCESSES, TUNE_REUSED), unit="", is_relative=False),
            Mark("best loss, above Optuna's", _above(PROCESSES, OPTUNA_PRUNED), unit="", is_relative=False),
            Mark("epochs, -n2", figure(PROCESSES, "epochs"), unit="epochs", is_relative=False),
            Mark("epochs, ray.tune", figure(TUNE_REUSED, "epochs"), unit="epochs", is_relative=False),
            Mark("epochs, Optuna", figure(OPTUNA_PRUNED, "epochs"), unit="epochs", is_relative=False),
        ),
    ),
)
