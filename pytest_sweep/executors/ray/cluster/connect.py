"""Starts a local Ray or joins a cluster, says what there is, and leaves. Called by the conductor's thread; `nodes` by the watch's, too."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import ray

from pytest_sweep import clock
from pytest_sweep.errors import ExecutorError
from pytest_sweep.executors.ray import private
from pytest_sweep.executors.ray.cluster.authentication import WANTED
from pytest_sweep.executors.ray.cluster.local import start_local
from pytest_sweep.executors.ray.cluster.nested import NestedRequests, NestedWait, has_foreign_groups
from pytest_sweep.executors.ray.cluster.probe import NobodyThereError, probe
from pytest_sweep.executors.ray.cluster.runtime_env import check_environment, try_environment
from pytest_sweep.executors.ray.cluster.session_folder import SessionFolder
from pytest_sweep.executors.ray.cluster.usage import ForeignUse, to_resources
from pytest_sweep.executors.ray.code.shipping import CodeShipping
from pytest_sweep.executors.ray.options import RayOptions
from pytest_sweep.model.events import Node
from pytest_sweep.model.resources import Resources

CONNECT_SECONDS = 5
"""How long an address is tried: a wrong one is an error within 15 s, where Ray itself would hang for minutes."""

ANY_NODE = Resources(cpu=1e6, gpu=1e4, memory=2**60)
"""A node that an autoscaler may add, where nobody says what it will be like."""

LEAVING_SECONDS = 10.0
"""How long before a node's deadline what still runs there is ended: nodes are asked for every two seconds, and a process takes some."""


class Cluster:
    """A connection to Ray.

    Args:
        options: how Ray is started or joined.
        is_ours: says whether a placement group, by its id, is one of this run.

    Attributes:
        nested_waits: what the last look at the nodes has found that trials wait for in vain.
        code: sees to it that workers have the driver's code; None where they are on this machine.
        warnings: what users are to be told once it is connected.
    """

    def __init__(self, options: RayOptions, is_ours: Callable[[str], bool]) -> None:
        self._options = options
        self._foreign_use = ForeignUse(is_ours)
        self._nested = NestedRequests(is_ours)
        self._is_planned = is_ours
        self.nested_waits: list[NestedWait] = []
        self._is_ours = False
        self._folder: SessionFolder | None = None
        self.warnings: list[str] = []
        self.code = None if options.address is None or options.code is None else CodeShipping(options.code)

    def connect(self) -> None:
        """Start or join Ray, so that workers have the code and the environment that they need.

        Raises:
            ExecutorError: it cannot be reached or refuses us, or has not what workers need; the text says what to do.
        """
        wanted = self._options.runtime_env
        check_environment(wanted)
        # What Ray logs while it starts (a hint on SIGTERM, one on tokens) is for its operators.
        logging.getLogger("ray").setLevel(logging.ERROR)
        try:
            if not ray.is_initialized():  # Else it is somebody's Ray in this process: use it, and leave it running.
                self._is_ours = True
                # Ray reads its environment when it is imported, which a test file may have done before tokens were turned on.
                private.read_environment_again()
                self._init(self._options.address, wanted if self.code is None else {})
            if self.code is not None or not self._is_ours:
                self._equip(wanted)
            if wanted:
                try_environment()
        except BaseException as error:
            if self._is_ours:
                ray.shutdown()  # Half of a Ray that stays behind ends this process a minute later.
            if self.code is not None:
                self.code.close()
            if self._folder is not None and isinstance(error, Exception) and not isinstance(error, ExecutorError):
                raise ExecutorError(f"Ray did not start: {error}; its logs are in {self._folder.keep()}") from error
            self.remove_folder()
            raise
        if self._is_ours:
            private.silence_raylet()  # A death is in the trial's report.

    def _init(self, address: str | None, environment: Mapping[str, Any]) -> None:
        if address is None:
            self._folder = SessionFolder()
            self.warnings += filter(None, [self._folder.warning])
            start_local(self._options, environment, self._folder.path)
        else:
            self._join(address, environment)

    def _equip(self, wanted: Mapping[str, Any]) -> None:
        """Join the cluster once more, where that takes what is wanted, or a copy of the code for nodes that do not see it."""
        context = ray.get_runtime_context()
        blind = [] if self.code is None else self.code.find_blind(self.nodes(), context.get_node_id())
        environment = dict(wanted)
        shipped = str(context.runtime_env.get("working_dir") or "")
        if blind and shipped and self.code is not None:
            self.code.rely_on(shipped, blind)
        elif blind and self.code is not None:
            environment["working_dir"] = self.code.pack(blind)
        if not environment:
            return
        if not self._is_ours:
            raise ExecutorError(
                "this process had joined a Ray before the sweep began, and what its workers need can only be said at that time: give "
                f"ray.init there a runtime_env with {', '.join(sorted(environment))}, or leave the joining to --sweep-address"
            )
        ray.shutdown()
        self._init(self._options.address, environment)

    def leave(self) -> None:
        """End the local Ray, or the connection to the cluster."""
        if self.code is not None:
            self.code.close()
        if self._is_ours and ray.is_initialized():
            ray.shutdown()
        self.remove_folder()

    def remove_folder(self) -> None:
        """Delete what the local Ray has left; called by any thread once its processes have ended."""
        if self._folder is not None:
            self._folder.remove()

    def nodes(self) -> tuple[Node, ...]:
        """Return the nodes that are alive, with what others hold on them, but for those whose deadline to be drained is as good as over."""
        draining, usage, now = private.draining_nodes(), private.resource_usage(), clock.wall()
        taken = self._foreign_use.look(usage)
        job = ray.get_runtime_context().get_job_id()
        self.nested_waits = self._nested.look(usage, taken, job)
        if has_foreign_groups(usage, job, self._is_planned):
            private.remove_orphaned_groups(job)
        return tuple(
            Node(
                node["NodeID"],
                node["NodeManagerAddress"],
                to_resources(node["Resources"]),
                dict(node["Labels"]),
                is_leaving=node["NodeID"] in draining,
                taken=taken.get(node["NodeID"], Resources(cpu=0.0)),
            )
            for node in ray.nodes()  # type: ignore[no-untyped-call]
            if node["Alive"] and node["Resources"] and now < draining.get(node["NodeID"], math.inf) - LEAVING_SECONDS
        )

    def future_nodes(self) -> tuple[Resources, ...]:
        """Return the node types that the cluster's autoscaler could add; none where there is no autoscaler.

        Ray itself does not tell them: then it is one that holds whatever is asked for.
        """
        known = tuple(map(to_resources, private.node_types()))
        if known or self._options.address is None:
            return known
        try:
            has_one = private.has_autoscaler()
        except Exception:  # This version of Ray tells it in another way: trials still run on the nodes that there are.
            return ()
        return (ANY_NODE,) if has_one else ()

    def _join(self, address: str, environment: Mapping[str, Any]) -> None:
        if address.startswith("ray://"):
            raise ExecutorError(
                f"{address} is an address of Ray's client, which cannot stream what trials report: use the cluster's own address "
                f"(host:6379) from within it, or send the whole run there with 'ray job submit --working-dir . -- pytest --sweep ...'"
            )
        if address != "auto":
            _check(address)
        try:
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env=dict(environment) or None,
            )
        except ConnectionError as error:
            raise ExecutorError(
                f"no Ray runs at {address!r} ({error}): start one with 'ray start --head', or leave --sweep-address and "
                f"RAY_ADDRESS away to start one for this run"
            ) from error
        except RuntimeError as error:
            if "mismatch" not in str(error):
                raise
            raise ExecutorError(_mismatch(address, str(error))) from error


def _check(address: str) -> None:
    """Raise ExecutorError unless a Ray that lets us in answers at `address`, within CONNECT_SECONDS a step."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ExecutorError(
            f"--sweep-address={address!r} is no address: write host:port (Ray's port is 6379), or 'auto'"
        )
    try:
        probe(address, CONNECT_SECONDS)
    except NobodyThereError as error:
        raise ExecutorError(
            f"nothing answers at {address} ({error}): is the Ray cluster up, and its port open?"
        ) from error
    except Exception as error:  # Whatever Ray says to us, we say.
        raise ExecutorError(_refusal(address, str(error))) from error


def _mismatch(address: str, error: str) -> str:
    """Return what Ray says of versions that differ, which it does in five lines, in one sentence."""
    said = " ".join(error.partition("The cluster was started with:")[2].split())
    cluster, _, here = said.partition(" This process on ")
    return (
        f"the Ray cluster at {address} has {cluster or 'other versions'}, and this process {here.partition(': ')[2] or 'has not'}: Ray "
        "wants the same on both sides. Run pytest with the Python and the Ray of the cluster"
    )


def _refusal(address: str, error: str) -> str:
    if "unauthenticated" in error.lower() or "token" in error.lower():
        return f"the Ray cluster at {address} wants a token that we do not have: {WANTED}"
    return f"what answers at {address} is no Ray cluster that we can use ({error}): is it the port of 'ray start --head --port'?"
