"""The same trials with Optuna's grid sampler: ``python -m benchmarks.peers.optuna_grid 100``, in a database of SQLite."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


def train_model(trial: Any, count: int) -> float:
    """Do what a trial of the project ``trivial`` does."""
    number = int(trial.suggest_int("number", 0, count - 1))
    trial.set_user_attr("name", f"model_{number}")
    return number * 0.5


if __name__ == "__main__":
    optuna: Any = import_module("optuna")
    count = int(sys.argv[1])
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.GridSampler({"number": list(range(count))})
    study = optuna.create_study(sampler=sampler, storage="sqlite:///study.db")
    study.optimize(lambda trial: train_model(trial, count), n_trials=count)
    assert len({trial.params["number"] for trial in study.trials}) == count
