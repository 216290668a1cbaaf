"""Starts a Ray of this process's own: on this machine, with the processes that a run needs and no others."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import ray
from ray._private import parameter

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
    with _leaving_out(UNWANTED):
        ray.init(
            address="local",
            num_cpus=options.num_cpus,
            num_gpus=options.num_gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env=dict(environment) or None,
        )


@contextlib.contextmanager
def _leaving_out(arguments: Mapping[str, Any]) -> Iterator[None]:
    """Have Ray's parameters made with `arguments`; a version that does not know one of them starts what it likes."""
    original = parameter.RayParams
    known = inspect.signature(original).parameters
    fixed = {name: value for name, value in arguments.items() if name in known}
    parameter.RayParams = functools.partial(original, **fixed)  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        parameter.RayParams = original  # type: ignore[misc]
