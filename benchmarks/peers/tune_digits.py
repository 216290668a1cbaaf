"""The case ``asha-digits`` with Ray Tune: ``python -m benchmarks.peers.tune_digits``."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import ray

from benchmarks import digits


def train(config: dict[str, Any]) -> None:
    """Report the loss of each epoch."""
    tune: Any = import_module("ray.tune")
    for loss in digits.train(config["config"]):
        tune.report({"loss": loss})


if __name__ == "__main__":
    # Else Tune would join a Ray that somebody else runs on this machine.
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    tune: Any = import_module("ray.tune")
    schedulers: Any = import_module("ray.tune.schedulers")
    tuner = tune.Tuner(
        train,
        param_space={"config": tune.grid_search(digits.configurations())},
        tune_config=tune.TuneConfig(
            metric="loss",
            mode="min",
            reuse_actors=True,
            scheduler=schedulers.ASHAScheduler(max_t=digits.EPOCHS, grace_period=1, reduction_factor=3),
        ),
        run_config=tune.RunConfig(storage_path=str(Path.cwd() / "results")),
    )
    results = tuner.fit()
    assert len(results) == digits.TRIALS
    assert not results.errors
    best = min(float(result.metrics_dataframe["loss"].min()) for result in results)
    epochs = sum(int(result.metrics["training_iteration"]) for result in results)
    Path("outcome.json").write_text(json.dumps({"best": best, "epochs": epochs}), encoding="utf-8")
