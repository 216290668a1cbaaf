"""The case ``asha-digits`` with Optuna and its pruner, in two processes: ``python -m benchmarks.peers.optuna_digits``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import digits

optuna: Any = import_module("optuna")
STUDY = "digits"


def objective(trial: Any) -> float:
    """Report the loss of each epoch."""
    config = {
        "lr": trial.suggest_float("lr", 1e-5, 1.0, log=True),
        "alpha": trial.suggest_float("alpha", 1e-7, 10.0, log=True),
        "width": trial.suggest_int("width", 1, 128),
        "batch": trial.suggest_int("batch", 1, 128),
        "momentum": trial.suggest_float("momentum", 0.0, 1.0),
    }
    loss = 1.0
    for epoch, loss in enumerate(digits.train(config), 1):
        trial.report(loss, epoch)
        if epoch < digits.EPOCHS and trial.should_prune():
            raise optuna.TrialPruned
    return loss


def load() -> Any:
    """Return the study, which all processes share through a file."""
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend("journal.log"))
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
    return optuna.create_study(storage=storage, study_name=STUDY, pruner=pruner, load_if_exists=True)


def work() -> None:
    """Run trials until all that were chosen have ended."""
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.RUNNING)
    stop = optuna.study.MaxTrialsCallback(digits.TRIALS, states=states)
    load().optimize(objective, callbacks=[stop])


if __name__ == "__main__":
    if sys.argv[1:] == ["work"]:
        work()
        sys.exit()
    study = load()
    for config in digits.configurations():
        study.enqueue_trial(config)
    command = [sys.executable, "-m", "benchmarks.peers.optuna_digits", "work"]
    # As the others have it, with one CPU each.
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    workers = [subprocess.Popen(command, env=environ) for _ in range(2)]
    assert [worker.wait() for worker in workers] == [0, 0]
    trials = [trial for trial in load().trials if trial.intermediate_values][: digits.TRIALS]
    best = min(min(trial.intermediate_values.values()) for trial in trials)
    epochs = sum(len(trial.intermediate_values) for trial in trials)
    Path("outcome.json").write_text(json.dumps({"best": best, "epochs": epochs}), encoding="utf-8")
