"""Starts a Ray of this process's own: on this machine, with the processes that a run needs and no others."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import ray

from pytest_sweep.executors.ray import private
from pytest_sweep.executors.ray.options import RayOptions

UNWANTED: Mapping[str, Any] = {
    "no_monitor": True,  # It adds nodes to clusters that can grow.
    "include_log_monitor": False,  # It sends what workers print to drivers that want it from Ray; ours get it from the workers.
}
"""Processes of Ray that no option of ``ray.init`` leaves out: each is a Python that imports Ray, and to end them takes a second."""


def start_local(options: RayOptions, environment: Mapping[str, Any]) -> None:
    """Start it, and connect this process to it.

    Args:
        options: how many CPUs and GPUs it has.
        environment: the ``runtime_env`` of its workers; {} for none.
    """
    with private.extra_parameters(UNWANTED):
        ray.init(
            address="local",
            num_cpus=options.num_cpus,
            num_gpus=options.num_gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env=dict(environment) or None,
        )
