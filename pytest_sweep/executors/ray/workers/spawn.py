"""Starts and ends the processes of a run on Ray. Lives in the conductor's thread, which imports it: importing Ray takes a second."""

from __future__ import annotations

from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy, PlacementGroupSchedulingStrategy

from pytest_sweep.executors.ray.workers.actors import SessionActor
from pytest_sweep.executors.ray.workers.handle import WorkerHandle
from pytest_sweep.executors.ray.workers.helper import NodeHelper
from pytest_sweep.executors.ray.workers.mailbox import Mailbox
from pytest_sweep.executors.ray.workers.remote import ActorClasses
from pytest_sweep.wire.spec import SessionSpec
from pytest_sweep.wire.threads import thread_variables


class Spawner:
    """Starts actors.

    Args:
        spec: what sessions are to be like.

    Attributes:
        mailbox: the actor that holds what workers say until it is taken.
    """

    def __init__(self, spec: SessionSpec) -> None:
        self._spec = spec
        self._classes = ActorClasses()
        here = ray.get_runtime_context().get_node_id()
        # Nowhere else: with the node or the link of another machine the mail of the whole run would be lost.
        self.mailbox = ray.remote(Mailbox).options(num_cpus=0, scheduling_strategy=_on(here)).remote()

    def start_in_group(self, worker: WorkerHandle) -> None:
        """Start the process of a worker in its placement group.

        The actor itself holds no CPU: they are for the Ray tasks that a trial may start, which land in the same group. Where that
        has nothing for tasks, they take what is free in the cluster.
        """
        assert worker.reservation is not None
        has_room = bool(worker.resources.cpu or worker.resources.custom)
        strategy = PlacementGroupSchedulingStrategy(
            worker.reservation.group, 0, placement_group_capture_child_tasks=has_room
        )
        # In a gang, it is the workers beside this process that hold GPUs.
        gpus = worker.resources.gpu if worker.placement.workers is None else 0
        self._start(worker, num_gpus=gpus, scheduling_strategy=strategy)

    def start_on_node(self, worker: WorkerHandle, node: str) -> None:
        """Start the process of a worker on a node, where it holds nothing."""
        self._start(worker, scheduling_strategy=_on(node))

    def start_helper(self, node: str) -> Any:
        """Start a helper on a node and return its handle."""
        helper = self._classes.get(NodeHelper, {})
        return helper.options(num_cpus=0, scheduling_strategy=_on(node)).remote(self._spec)

    def end_process(self, worker: WorkerHandle) -> None:
        """End the process of a worker at once, if it has one."""
        if worker.actor is not None:
            ray.kill(worker.actor)
            worker.actor = None

    def kill(self, actor: Any) -> None:
        """End an actor at once; who waits for one of its calls is told."""
        ray.kill(actor)

    def _start(self, worker: WorkerHandle, **options: Any) -> None:
        threads = max(1, int(worker.resources.cpu))
        actor = self._classes.get(SessionActor, thread_variables(self._spec.environ, threads))
        worker.actor = actor.options(num_cpus=0, **options).remote(worker.name, self._spec, self.mailbox, threads)


def _on(node: str) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node, soft=False)
