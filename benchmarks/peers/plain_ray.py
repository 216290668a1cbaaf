"""The same trials as plain Ray tasks, with nothing tracked: ``python -m benchmarks.peers.plain_ray 100``."""

from __future__ import annotations

import os
import sys
from typing import Any

import ray


@ray.remote(num_cpus=1)
def train_model(number: int) -> dict[str, Any]:
    """Do what a trial of the project ``trivial`` does."""
    return {"score": number * 0.5, "name": f"model_{number}"}


if __name__ == "__main__":
    count = int(sys.argv[1])
    address = os.environ.get("RAY_ADDRESS")
    if address:
        ray.init(address=address, log_to_driver=False)
    else:
        ray.init(address="local", include_dashboard=False, log_to_driver=False)
    results = ray.get([train_model.remote(number) for number in range(count)])
    assert len(results) == count
    ray.shutdown()
