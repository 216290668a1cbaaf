"""Starts and ends the processes of a run on Ray. Lives in the conductor's thread, which imports it: importing Ray takes a second."""

from __future__ import annotations

from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy, PlacementGroupSchedulingStrategy

from pytest_sweep.executors.ray.workers.actors import SessionActor
from pytest_sweep.executors.ray.workers.helper import NodeHelper
from pytest_sweep.executors.ray.workers.mailbox import Mailbox
from pytest_sweep.executors.ray.workers.remote import ActorClasses
from pytest_sweep.executors.ray.workers.reservations import Reservation
from pytest_sweep.model.placement import Placement
from pytest_sweep.model.resources import Resources
from pytest_sweep.wire.spec import SessionSpec
from pytest_sweep.wire.threads import thread_variables

MOST_LISTENERS = 10_000
"""How many calls of the mailbox may be under way at once: each worker whose trials are judged keeps one open. Ray's default is 1,000."""


class Spawner:
    """Starts actors.

    Args:
        spec: what sessions are to be like.

    Attributes:
        mailbox: the actor that holds what workers say until it is taken.
        here: the id of the node that the driver is on.
    """

    def __init__(self, spec: SessionSpec) -> None:
        self._spec = spec
        self._classes = ActorClasses()
        self.here = ray.get_runtime_context().get_node_id()
        # Nowhere else: with the node or the link of another machine the mail of the whole run would be lost.
        options = {"num_cpus": 0, "max_concurrency": MOST_LISTENERS, "scheduling_strategy": _on(self.here)}
        self.mailbox = ray.remote(Mailbox).options(**options).remote()

    def start_in_group(self, name: str, reservation: Reservation, resources: Resources, placement: Placement) -> Any:
        """Start the process of a worker in its placement group; return the actor.

        The actor itself holds no CPU: they are for the Ray tasks that a trial may start, which land in the same group. Where that
        has nothing for tasks, they take what is free in the cluster.
        """
        has_room = bool(resources.cpu or resources.custom)
        strategy = PlacementGroupSchedulingStrategy(reservation.group, 0, placement_group_capture_child_tasks=has_room)
        # In a gang, it is the workers beside this process that hold GPUs.
        gpus = resources.gpu if placement.workers is None else 0
        return self._start(name, resources, num_gpus=gpus, scheduling_strategy=strategy)

    def start_on_node(self, name: str, node: str, resources: Resources) -> Any:
        """Start the process of a worker on a node, where it holds nothing; return the actor."""
        return self._start(name, resources, scheduling_strategy=_on(node))

    def start_helper(self, node: str) -> Any:
        """Start a helper on a node and return its handle."""
        helper = self._classes.get(NodeHelper, {})
        return helper.options(num_cpus=0, scheduling_strategy=_on(node)).remote(self._spec)

    def kill(self, actor: Any) -> None:
        """End an actor at once, if it lives; who waits for one of its calls is told."""
        ray.kill(actor)

    def _start(self, name: str, resources: Resources, **options: Any) -> Any:
        threads = max(1, int(resources.cpu))
        actor = self._classes.get(SessionActor, thread_variables(self._spec.environ, threads))
        return actor.options(num_cpus=0, **options).remote(name, self._spec, self.mailbox, threads)


def _on(node: str) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node, soft=False)
