"""The same trials with Ray Tune: ``python -m benchmarks.peers.ray_tune {defaults,reuse_actors} 100``."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import ray


def train_model(config: dict[str, Any]) -> dict[str, Any]:
    """Do what a trial of the project ``trivial`` does."""
    return {"score": config["number"] * 0.5, "name": f"model_{config['number']}"}


if __name__ == "__main__":
    # Else Tune would join a Ray that somebody else runs on this machine.
    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    tune: Any = import_module("ray.tune")
    how, count = sys.argv[1], int(sys.argv[2])
    tuner = tune.Tuner(
        train_model,
        param_space={"number": tune.grid_search(list(range(count)))},
        tune_config=tune.TuneConfig(reuse_actors=True if how == "reuse_actors" else None),
        run_config=tune.RunConfig(storage_path=str(Path.cwd() / "results")),
    )
    results = tuner.fit()
    assert len(results) == count
    assert not results.errors
