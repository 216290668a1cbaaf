"""Starts a local Ray or joins a cluster, says what there is, and leaves. Every call is made by the conductor's thread."""

from __future__ import annotations

import logging
import queue
import socket
import threading
from collections.abc import Mapping
from typing import Any

import ray
from ray._private import state as ray_state
from ray._private import worker as ray_worker
from ray._raylet import GcsClient  # type: ignore[attr-defined] # compiled, without stubs

from pytest_sweep.errors import ExecutorError
from pytest_sweep.executors.ray.authentication import WANTED
from pytest_sweep.executors.ray.options import RayOptions
from pytest_sweep.model.events import Node
from pytest_sweep.model.resources import Resources

CONNECT_SECONDS = 5
"""How long an address is tried: a wrong one is an error within 15 s, where Ray itself would hang for minutes."""


class Cluster:
    """A connection to Ray."""

    def __init__(self, options: RayOptions) -> None:
        self._options = options
        self._is_ours = False

    def connect(self) -> None:
        """Start or join Ray.

        Raises:
            ExecutorError: it cannot be reached or refuses us; the text says what to do.
        """
        if ray.is_initialized():  # Somebody's Ray in this process: use it, and leave it running.
            return
        # What Ray logs while it starts (a hint on SIGTERM, one on tokens) is for its operators.
        logging.getLogger("ray").setLevel(logging.ERROR)
        try:
            self._init(self._options.address)
        except BaseException:
            ray.shutdown()  # Half of a Ray that stays behind ends this process a minute later.
            raise
        self._is_ours = True
        # Ray prints "(raylet) A worker died" into our output, whatever log_to_driver says; a death is in the trial's report.
        ray_worker.print_to_stdstream = lambda *_, **__: None

    def _init(self, address: str | None) -> None:
        if address is None:
            ray.init(
                address="local",
                num_cpus=self._options.num_cpus,
                num_gpus=self._options.num_gpus,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        else:
            self._join(address)

    def leave(self) -> None:
        """End the local Ray, or the connection to the cluster."""
        if self._is_ours and ray.is_initialized():
            ray.shutdown()

    def nodes(self) -> tuple[Node, ...]:
        """Return the nodes that are alive."""
        return tuple(
            Node(node["NodeID"], node["NodeManagerAddress"], _resources(node["Resources"]))
            for node in ray.nodes()  # type: ignore[no-untyped-call]
            if node["Alive"] and node["Resources"]
        )

    def future_nodes(self) -> tuple[Resources, ...]:
        """Return the node types that the cluster's autoscaler could add; none where there is no autoscaler."""
        config = ray_state.state.get_cluster_config()
        groups = [] if config is None else config.node_group_configs
        return tuple(_resources(dict(group.resources)) for group in groups if group.max_count)

    def _join(self, address: str) -> None:
        if address.startswith("ray://"):
            raise ExecutorError(
                f"{address} is an address of Ray's client, which cannot stream what trials report: use the cluster's own address "
                f"(host:6379) from within it, or send the whole run there with 'ray job submit -- pytest --sweep ...'"
            )
        if address != "auto":
            _probe(address)
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except ConnectionError as error:
            raise ExecutorError(
                f"no Ray runs at {address!r} ({error}): start one with 'ray start --head', or leave --sweep-address and "
                f"RAY_ADDRESS away to start one for this run"
            ) from error


def _probe(address: str) -> None:
    """Raise ExecutorError unless a Ray that lets us in answers at `address`, within CONNECT_SECONDS a step."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ExecutorError(
            f"--sweep-address={address!r} is no address: write host:port (Ray's port is 6379), or 'auto'"
        )
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise ExecutorError(
            f"nothing answers at {address} ({error}): is the Ray cluster up, and its port open?"
        ) from error
    # Ray's client waits 40 s for what is no Ray and takes no limit for that, so it waits in a thread that nobody waits for.
    answers: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
    threading.Thread(target=_ask, args=(address, answers), daemon=True, name="sweep-ray-probe").start()
    try:
        failure = answers.get(timeout=CONNECT_SECONDS)
    except queue.Empty:
        failure = TimeoutError(f"it did not answer as Ray does within {CONNECT_SECONDS} s")
    if failure is not None:
        raise ExecutorError(_refusal(address, str(failure)))


def _ask(address: str, answers: queue.SimpleQueue[Exception | None]) -> None:
    try:
        GcsClient(address=address).check_alive([], timeout=CONNECT_SECONDS)
    except Exception as error:  # Whatever it is, the caller says it.
        answers.put(error)
    else:
        answers.put(None)


def _refusal(address: str, error: str) -> str:
    if "unauthenticated" in error.lower() or "token" in error.lower():
        return f"the Ray cluster at {address} wants a token that we do not have: {WANTED}"
    return f"what answers at {address} is no Ray cluster that we can use ({error}): is it the port of 'ray start --head --port'?"


def _resources(amounts: Mapping[str, Any]) -> Resources:
    # "node:IP" and the object store are Ray's own bookkeeping, not something that a trial asks for.
    hidden = ("CPU", "GPU", "memory", "object_store_memory")
    custom = {
        name: float(amount) for name, amount in amounts.items() if name not in hidden and not name.startswith("node:")
    }
    return Resources(
        cpu=float(amounts.get("CPU", 0)),
        gpu=float(amounts.get("GPU", 0)),
        memory=int(amounts.get("memory", 0)),
        custom=tuple(sorted(custom.items())),
    )
