"""All private names of Ray in use, each with what it is for. No other module may use one; imports Ray.

Ray has no public way to do these things. Where a version lacks a name, the feature behind it is left out, or the error says so;
``tests/ray/test_private.py`` names what is missing.
"""

from __future__ import annotations

import atexit
import contextlib
import inspect
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import ray
from ray._private import parameter
from ray._private import state as ray_state
from ray._private import worker as ray_worker
from ray._raylet import Config, GcsClient  # type: ignore[attr-defined] # compiled, without stubs
from ray.core.generated.autoscaler_pb2 import GetClusterStatusReply  # type: ignore[attr-defined] # without stubs
from ray.core.generated.gcs_pb2 import PlacementGroupTableData  # type: ignore[attr-defined] # without stubs
from ray.util.placement_group import PlacementGroup, remove_placement_group

from pytest_sweep.executors.ray.cluster.usage import ClusterUsage, PendingGroup, PendingTasks

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "ray._private.parameter.RayParams": "start a local Ray without processes that a run does not need, on the loopback interface only",
        "ray._private.state.state": "know which node types an autoscaler could add",
        "ray._private.state.state._connect_and_get_accessor": "give back placement groups that a dead trial has left behind",
        "ray.core.generated.gcs_pb2.PlacementGroupTableData": "give back placement groups that a dead trial has left behind",
        "ray._private.worker.print_to_stdstream": "keep '(raylet) A worker died' out of our output",
        "ray._private.worker.global_worker": "ask which nodes are being drained",
        "ray._private.worker.RayContext": "give a trial that calls ray.init() the connection that its worker has",
        "ray._private.worker._global_node": "give a trial that calls ray.init() the connection that its worker has",
        "ray.init.__wrapped__": "take the place of ray.init() in workers",
        "ray.shutdown.__wrapped__": "take the place of ray.shutdown() in workers",
        "ray._private.worker.shutdown": "run the exit handlers of a worker before Ray ends its process",
        "ray._raylet.Config.initialize": "read Ray's environment again, where a test file has imported Ray first",
        "ray._raylet.GcsClient": "find out within seconds whether a Ray answers at an address",
        "ray._raylet.InnerGcsClient.get_cluster_status": "know whether the cluster has an autoscaler",
        "ray._raylet.InnerGcsClient.internal_kv_get": "know whether the cluster has an autoscaler",
        "ray.core.generated.autoscaler_pb2.GetClusterStatusReply": "know whether the cluster has an autoscaler",
        "ray.actor.ActorHandle._actor_id": "know which trial has asked for resources that it holds itself",
        "ray._raylet.InnerGcsClient.get_all_resource_usage": "know what others hold on the nodes of a cluster",
    }
)
"""The private names, each with what we need it to do."""

_MIRRORED = re.compile("node_[0-9a-f]{20,}")
"""The type of a node in a cluster without an autoscaler."""

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


def has_autoscaler() -> bool:
    """Say whether an autoscaler adds nodes to the cluster: Ray does not tell what they will be like.

    A cluster that was put together by hand has a monitor, too: it mirrors the nodes, each as a type of its own.
    """
    client: Any = getattr(ray_worker.global_worker, "gcs_client", None)
    status = client.internal_kv_get(b"__autoscaling_status", None)
    if status is not None:  # Of the first version, which is the default of `ray up`.
        report = json.loads(status).get("autoscaler_report") or {}
        types = (report.get("node_type_mapping") or {}).values()
        return any(not _MIRRORED.fullmatch(name) for name in types)
    reply = GetClusterStatusReply.FromString(client.get_cluster_status(timeout_s=ANSWER_SECONDS))
    nodes = reply.cluster_resource_state.node_states
    return bool(reply.autoscaling_state.autoscaler_state_version) and any(
        node.instance_id or node.ray_node_type_name for node in nodes
    )


def draining_nodes() -> dict[str, float]:
    """Return when each node that is being drained is to be gone, in seconds since the epoch; infinite where nobody has said when.

    Where a version of Ray does not tell it any more, a node is lost without a warning when it goes.
    """
    client = getattr(ray_worker.global_worker, "gcs_client", None)
    ask = getattr(client, "get_draining_nodes", None)
    deadlines = {} if ask is None else ask(timeout=ANSWER_SECONDS)
    return {node: deadline / 1000 if deadline else math.inf for node, deadline in deadlines.items()}


def resource_usage() -> ClusterUsage:
    """Return what there is on each node, what is available, and what waits; one snapshot a node, at most a second old.

    A bundle of a placement group shows as ``CPU_group_<id of the group>`` in the totals of its node. Where a version of Ray does not
    tell this any more, nodes count as free of others.
    """
    client = getattr(ray_worker.global_worker, "gcs_client", None)
    ask = getattr(client, "get_all_resource_usage", None)
    if ask is None:
        return ClusterUsage({})
    found = ask(timeout=ANSWER_SECONDS).resource_usage_data
    waiting = [
        PendingGroup(
            group.placement_group_id.hex(),
            group.creator_job_id.hex(),
            group.creator_actor_id.hex(),
            tuple(dict(bundle.unit_resources) for bundle in group.bundles),
        )
        for group in found.placement_group_load.placement_group_data
    ]
    shapes = [
        PendingTasks(dict(demand.shape), demand.num_ready_requests_queued + demand.num_infeasible_requests_queued)
        for demand in found.resource_load_by_shape.resource_demands
    ]
    nodes = {node.node_id.hex(): (node.resources_total, node.resources_available) for node in found.batch}
    return ClusterUsage(nodes, tuple(waiting), tuple(shapes))


def remove_orphaned_groups(job: str) -> None:
    """Give back the placement groups that actors of our job have made which have died since: Ray keeps them until the job ends."""
    state = ray_state.state._connect_and_get_accessor()
    for packed in state.get_placement_group_table():
        group = PlacementGroupTableData.FromString(packed)
        made_by_actor = set(group.creator_actor_id) != {0xFF}
        is_there = group.state != PlacementGroupTableData.REMOVED
        if group.creator_job_id.hex() == job and made_by_actor and group.creator_actor_dead and is_there:
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(group.placement_group_id)))


def actor_id(actor: Any) -> str:
    """Return the id of an actor by its handle."""
    return str(actor._actor_id.hex())


def current_context() -> Any:
    """Return what ``ray.init`` would return in a process that has a connection already."""
    node: Any = ray_worker._global_node
    return ray_worker.RayContext(dict(node.address_info, node_id=ray.get_runtime_context().get_node_id()))


def take_place_of(name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Have ``ray.<name>`` do in this process what `make` returns, which gets the function that Ray would call.

    The function object stays, so that whoever has imported it calls the new one, too. Where a version of Ray wraps it in another
    way, only those that look it up later do.
    """
    public = getattr(ray, name)
    inner: Any = getattr(public, "__wrapped__", None)
    cells = [cell for cell in public.__closure__ or () if inner is not None and cell.cell_contents is inner]
    if cells:
        cells[0].cell_contents = make(inner)
    else:
        replacement = make(public)
        setattr(ray, name, replacement)
        setattr(ray_worker, name, replacement)


def check_alive(address: str, seconds: float) -> None:
    """Return if a Ray that lets us in answers at `address`; raise whatever Ray says where it does not."""
    GcsClient(address=address).check_alive([], timeout=seconds)


@contextlib.contextmanager
def extra_parameters(arguments: Mapping[str, Any]) -> Iterator[None]:
    """Have Ray's parameters made with `arguments`, whatever ``ray.init`` says; one that a version does not know is left out."""
    original = parameter.RayParams
    known = inspect.signature(original).parameters
    fixed = {name: value for name, value in arguments.items() if name in known}
    parameter.RayParams = lambda *args, **given: original(*args, **{**given, **fixed})  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        parameter.RayParams = original  # type: ignore[misc]
