"""The peer of examples/quickstart: the same hundred functions as plain Ray tasks, with nothing tracked."""

from __future__ import annotations

from typing import Any

import ray


@ray.remote(num_cpus=1)
def train_model(config: dict[str, Any]) -> dict[str, Any]:
    """Do what a trial of the quickstart does."""
    return {"score": config["model_id"], "other_data": len(config["model_id"])}


if __name__ == "__main__":
    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    results = ray.get([train_model.remote({"model_id": f"model_{number}"}) for number in range(100)])
    assert len(results) == 100
    ray.shutdown()
