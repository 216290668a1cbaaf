"""A run that nobody has run: as many trials with learning curves as wanted, stored in seconds, to look at and to measure with."""

from __future__ import annotations

import contextlib
import json
import math
import random
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

BEGAN = 1_700_000_000.0
_WORKERS = 8
_OPTIMIZERS = ("sgd", "adam", "rmsprop")
_ERROR = """Traceback (most recent call last):
  File "test_models.py", line 41, in train
    loss = model.step(batch)
  File "models.py", line 97, in step
    raise {kind}({text!r})
{kind}: {text}"""


class Kind(NamedTuple):
    """What a run is like.

    Attributes:
        trials: how many it has.
        reports: how many each of them reports.
        parameters: how many parameters each has; at least 5.
        replicates: how many trials share a configuration.
        seed: another one gives other noise, and so other values.
        shift: what is added to each loss.
    """

    trials: int
    reports: int = 100
    parameters: int = 5
    replicates: int = 1
    seed: int = 0
    shift: float = 0.0


def store_synthetic(results_dir: Path, kind: Kind) -> Path:
    """Store a run of this kind, and return its folder."""
    from pytest_sweep.model import Sweep, Trial
    from pytest_sweep.store import RunStore

    drawn = random.Random(0)
    configurations = [_configuration(drawn, kind) for _ in range(-(-kind.trials // kind.replicates))]
    sweep = Sweep("test_models.py::train", "train", "loss", "min", varying=tuple(configurations[0]))
    store = RunStore.create(
        results_dir, seed=kind.seed, command="pytest --sweep -n8 test_models.py", executor="processes", rootdir=results_dir,
        versions={"python": "3.13.1", "platform": "Linux-6.1", "numpy": "2.3.1", "torch": "2.9.0"},
        git=("3ebd4703fa1c0b2c88b1d6f5a2e70b94d1f6c001", bool(kind.seed)), now=BEGAN + 86400 * kind.seed,
    )  # fmt: skip
    trials = []
    for number in range(kind.trials):
        config = configurations[number // kind.replicates]
        replicate = number % kind.replicates
        label = "-".join(f"{name}={value}" for name, value in [*config.items()][:5])
        name = f"train[{label}]" + (f"#{replicate + 1}" if kind.replicates > 1 and replicate else "")
        key, first = f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}", number - replicate
        trials.append(
            Trial(
                key,
                f"{sweep.id}{name[5:]}",
                name,
                sweep,
                config,
                seed=number,
                replicate=replicate,
                group=f"{first * 0x9E3779B97F4A7C15 % 2**64:016x}",
            )
        )
    store.add_trials(trials)
    store.finish(1, BEGAN + 86400 * kind.seed + 3600)
    store.close()
    with contextlib.closing(sqlite3.connect(store.path / "run.db")) as connection, connection:
        _write(connection, trials, kind)
    return store.path


def _configuration(drawn: random.Random, kind: Kind) -> dict[str, Any]:
    first = {
        "lr": float(f"{10 ** drawn.uniform(-5, 0):.3g}"),
        "depth": drawn.choice((2, 4, 6, 8)),
        "optimizer": drawn.choice(_OPTIMIZERS),
        "dropout": round(drawn.uniform(0, 0.5), 2),
        "batch_size": drawn.choice((16, 32, 64, 128, 256)),
    }
    return first | {f"extra_{n:03d}": round(drawn.random(), 3) for n in range(kind.parameters - len(first))}


def _write(connection: sqlite3.Connection, trials: Sequence[Any], kind: Kind) -> None:
    noise = random.Random(kind.seed + 1)
    free = [BEGAN + 86400 * kind.seed + 2 + worker * 0.4 for worker in range(_WORKERS)]
    for ordinal, trial in enumerate(trials):
        worker = min(range(_WORKERS), key=free.__getitem__)
        began, reports = free[worker], list(_curve(trial.config, noise, kind))
        state, error, reason, kept = _ending(trial.config, noise, reports)
        reports, last = reports[:kept], (reports[kept - 1] if kept else None)
        took = 0.05 + (last["time_total_s"] if last else 0.02)
        free[worker] = began + took + 0.05
        location = f"10.0.0.{worker % 2 + 1}:{4000 + worker}"
        connection.execute(
            "UPDATE trial SET state = ?, attempts = 1, metrics = ?, error = ?, reason = ?, location = ?, started = ?, finished = ?, "
            "duration = ? WHERE ordinal = ?",
            (state, None if error else json.dumps(last), error, reason, location, began, began + took, took, ordinal),
        )
        connection.execute(
            "INSERT INTO attempt (trial_key, number, state, location, started, finished, duration, error) VALUES (?, 1, ?, ?, ?, ?, ?, ?)",
            (trial.key, state, location, began, began + took, took, error),
        )
        connection.executemany(
            "INSERT INTO report (trial_key, attempt, iteration, metrics) VALUES (?, 1, ?, ?)",
            ((trial.key, its["training_iteration"], json.dumps(its)) for its in reports),
        )
    connection.execute("UPDATE run SET finished = ?", (max(free) + 1,))


def _curve(config: Mapping[str, Any], noise: random.Random, kind: Kind) -> Iterator[dict[str, Any]]:
    best = {"sgd": -1.3, "adam": -3.0, "rmsprop": -2.7}[config["optimizer"]]
    away = (math.log10(config["lr"]) - best) ** 2
    floor = 0.12 + 0.09 * min(away, 8) + 0.25 * (config["dropout"] - 0.2) ** 2 + 0.012 * abs(config["depth"] - 6)
    floor += noise.gauss(0, 0.015) + kind.shift
    speed, step = 6 / (1 + away), 0.02 + 0.002 * config["depth"]
    total = 0.0
    for number in range(1, kind.reports + 1):
        loss = floor + 2.1 * math.exp(-speed * number / kind.reports * 2) + noise.gauss(0, 0.01)
        total += step * noise.uniform(0.8, 1.3)
        yield {
            "loss": loss,
            "accuracy": max(0.0, min(1.0, 1 - loss / 2.6)),
            "training_iteration": number,
            "time_total_s": total,
        }


def _ending(
    config: Mapping[str, Any], noise: random.Random, reports: list[dict[str, Any]]
) -> tuple[str, str | None, str | None, int]:
    """Return the state, the error, the reason and how many reports there were."""
    chance, count = noise.random(), len(reports)
    if config["lr"] > 0.3 and chance < 0.3:
        return "ERROR", _ERROR.format(kind="FloatingPointError", text="loss is nan"), None, count // 3
    if config["batch_size"] == 256 and config["depth"] == 8 and chance < 0.5:
        return "ERROR", _ERROR.format(kind="MemoryError", text="cannot allocate 2.1 GiB"), None, 0
    if count >= 4 and reports[count // 4]["loss"] > 1.2 and chance < 0.7:
        return "STOPPED", None, "stopped by asha at iteration 25", max(count // 4, 1)
    return "TERMINATED", None, None, count
