"""All private names of Ray in use, each with what it is for. No other module may use one; imports Ray.

Ray has no public way to do these things. Where a version lacks a name, the feature behind it is left out, or the error says so;
``tests/ray/test_private.py`` names what is missing.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import inspect
import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from ray._private import parameter
from ray._private import state as ray_state
from ray._private import worker as ray_worker
from ray._raylet import Config, GcsClient  # type: ignore[attr-defined] # compiled, without stubs

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "ray._private.parameter.RayParams": "start a local Ray without processes that a run does not need",
        "ray._private.state.state": "know which node types an autoscaler could add",
        "ray._private.worker.print_to_stdstream": "keep '(raylet) A worker died' out of our output",
        "ray._private.worker.global_worker": "ask which nodes are being drained",
        "ray._private.worker.shutdown": "run the exit handlers of a worker before Ray ends its process",
        "ray._raylet.Config.initialize": "read Ray's environment again, where a test file has imported Ray first",
        "ray._raylet.GcsClient": "find out within seconds whether a Ray answers at an address",
    }
)
"""The private names, each with what we need it to do."""

ANSWER_SECONDS = 5.0
"""How long Ray is waited for, which has answered other questions."""


_SHUTDOWN = ray_worker.shutdown
"""Ray's exit handler, as it was when this was imported: whoever replaces ``ray.shutdown`` replaces another name."""


@contextlib.contextmanager
def without_exit_handler() -> Iterator[None]:
    """Have Ray's own exit handler left out meanwhile: it would cut a worker off from its driver."""
    atexit.unregister(_SHUTDOWN)
    try:
        yield
    finally:
        atexit.register(_SHUTDOWN, True)


def read_environment_again() -> None:
    """Have Ray read its environment variables again, as it does when it is imported."""
    Config.initialize("")


def silence_raylet() -> None:
    """Keep Ray from printing "(raylet) A worker died" into our output, which it does whatever log_to_driver says."""
    ray_worker.print_to_stdstream = lambda *_, **__: None


def node_types() -> list[dict[str, float]]:
    """Return what a node of each type has that the cluster's autoscaler could add; none where there is no autoscaler."""
    config = ray_state.state.get_cluster_config()
    groups = [] if config is None else config.node_group_configs
    return [dict(group.resources) for group in groups if group.max_count]


def draining_nodes() -> dict[str, float]:
    """Return when each node that is being drained is to be gone, in seconds since the epoch; infinite where nobody has said when.

    Where a version of Ray does not tell it any more, a node is lost without a warning when it goes.
    """
    client = getattr(ray_worker.global_worker, "gcs_client", None)
    ask = getattr(client, "get_draining_nodes", None)
    deadlines = {} if ask is None else ask(timeout=ANSWER_SECONDS)
    return {node: deadline / 1000 if deadline else math.inf for node, deadline in deadlines.items()}


def check_alive(address: str, seconds: float) -> None:
    """Return if a Ray that lets us in answers at `address`; raise whatever Ray says where it does not."""
    GcsClient(address=address).check_alive([], timeout=seconds)


@contextlib.contextmanager
def extra_parameters(arguments: Mapping[str, Any]) -> Iterator[None]:
    """Have Ray's parameters made with `arguments`; a version that does not know one of them starts what it likes."""
    original = parameter.RayParams
    known = inspect.signature(original).parameters
    fixed = {name: value for name, value in arguments.items() if name in known}
    parameter.RayParams = functools.partial(original, **fixed)  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        parameter.RayParams = original  # type: ignore[misc]
