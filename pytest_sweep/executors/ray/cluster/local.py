"""Starts a Ray of this process's own: on this machine and out of reach of others, with the processes that a run needs and no others."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray

from pytest_sweep.executors.ray import private
from pytest_sweep.executors.ray.options import RayOptions

PARAMETERS: Mapping[str, Any] = {
    "no_monitor": True,  # It adds nodes to clusters that can grow.
    "include_log_monitor": False,  # It sends what workers print to drivers that want it from Ray; ours get it from the workers.
    "node_ip_address": "127.0.0.1",  # `ray.init` takes a loopback address for the address of the machine.
}
"""What no option of ``ray.init`` says: processes that are not wanted, each a Python that imports Ray and takes a second to end; and that
Ray listens on the loopback interface only, not on all."""


LOOPBACK_VARIABLE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""With ``0``, whoever joins a Ray at a loopback address does so there, and does not look for it at another address of the machine."""


def start_local(options: RayOptions, environment: Mapping[str, Any], folder: Path) -> None:
    """Start it, and connect this process to it.

    Args:
        options: how many CPUs and GPUs it has.
        environment: the ``runtime_env`` of its workers; {} for none.
        folder: what it keeps its session in.
    """
    # For workers and what trials start. This process has imported Ray, which read it then.
    os.environ.setdefault(LOOPBACK_VARIABLE, "0")
    with private.extra_parameters(PARAMETERS):
        ray.init(
            address="local",
            num_cpus=options.num_cpus,
            num_gpus=options.num_gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env=dict(environment) or None,
            _temp_dir=str(folder),
        )
