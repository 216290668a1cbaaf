"""The one thread that gives Ray orders: it starts it, takes what comes back, and ends it. Only the watch asks Ray something, too.

It must be one thread, and live until the end: Ray's processes are started with a parent-death signal, and on Linux the parent is
the thread that has started them. It does nothing but this, never SQL nor pytest's hooks, so that it keeps up with the workers.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pytest_sweep.errors import ExecutorError
from pytest_sweep.executors.ray.cluster import authentication
from pytest_sweep.executors.ray.cluster.importing import import_ray
from pytest_sweep.executors.ray.code.visibility import find_blind_nodes
from pytest_sweep.executors.ray.options import RayOptions
from pytest_sweep.executors.ray.workers.handle import WorkerHandle
from pytest_sweep.executors.ray.workers.messages import Messages
from pytest_sweep.executors.ray.workers.postmortem import Postmortem
from pytest_sweep.executors.ray.workers.reservations import Reservations
from pytest_sweep.executors.ray.workers.shared import SharedBuilders
from pytest_sweep.executors.ray.workers.workers import RayWorkers
from pytest_sweep.model import commands, events
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.trials import Task
from pytest_sweep.wire.spec import SessionSpec


class Conductor(threading.Thread):
    """Gives Ray orders. What it is told arrives through `tell`, what happens leaves through `happened`.

    Args:
        options: how Ray is started or joined.
    """

    def __init__(self, options: RayOptions) -> None:
        super().__init__(name="sweep-ray", daemon=True)
        self.happened: queue.SimpleQueue[events.Event] = queue.SimpleQueue()
        self.ready = threading.Event()
        self.failure: ExecutorError | None = None
        self.nodes: tuple[events.Node, ...] = ()
        self.future_nodes: tuple[Resources, ...] = ()
        self.note = ""
        self._options = options
        self._told: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.has_lost_head = False
        self._leaving = False
        self._hint = ""
        self._is_open = False

    # From any thread

    def say(self, event: events.Event) -> None:
        """Tell the engine of an event."""
        self.happened.put(event)

    def tell(self, message: Callable[..., None], *arguments: Any) -> None:
        """Have `message` called in this thread, with these arguments."""
        self._told.put(partial(message, *arguments))

    # In this thread

    def run(self) -> None:
        """Start or join Ray, do what is told, leave."""
        try:
            self._connect()
        except Exception as error:
            self.failure = error if isinstance(error, ExecutorError) else ExecutorError(f"Ray did not start: {error}")
            self.ready.set()
            return
        self.ready.set()
        while not self._leaving:
            self._do(self._told.get())
        self._watch.stop()
        self._cluster.leave()

    def _do(self, message: Callable[[], None]) -> None:
        try:
            message()
        except Exception as error:  # Whatever Ray raises: the run cannot go on, and says why.
            self.say(events.WorkerFailed("ray", f"Ray failed: {type(error).__name__}: {error}"))

    def _connect(self) -> None:
        self._hint = authentication.turn_on(self._options.address)
        ray = import_ray()
        from ray.util.placement_group import placement_group, placement_group_table, remove_placement_group

        from pytest_sweep.executors.ray.cluster.connect import Cluster
        from pytest_sweep.executors.ray.cluster.watch import ClusterWatch
        from pytest_sweep.executors.ray.workers.spawn import Spawner

        self._spawn = Spawner
        self._groups = Reservations(placement_group, remove_placement_group, placement_group_table, self.when_done)
        self._cluster = Cluster(self._options)
        self._cluster.connect()
        self.nodes = self._cluster.nodes()
        self.future_nodes = self._cluster.future_nodes()
        self.note = "" if self._cluster.code is None else self._cluster.code.note
        address = ray.get_runtime_context().gcs_address
        self._watch = ClusterWatch(address, self._cluster.nodes, partial(self.tell, self._on_nodes), self._on_lost_head)
        self._watch.start()

    def find_blind_nodes(self, folder: Path, answer: Callable[[Sequence[str]], None]) -> None:
        """Answer with the addresses of the nodes that do not see `folder`."""
        shipping = self._cluster.code
        known = None if shipping is None else shipping.known_blind(folder)
        if known is None:
            find_blind_nodes(self.nodes, folder, answer)
        else:
            answer(known)

    def open(self, spec: SessionSpec) -> None:
        """Take the spec of sessions and open the mailbox."""
        shipping = self._cluster.code
        spawner = self._spawner = self._spawn(spec if shipping is None else replace(spec, code=shipping.code))
        workers: dict[str, WorkerHandle] = {}
        messages = self._messages = Messages(spawner.mailbox, workers, self.say, self.when_done)
        postmortem = self._postmortem = Postmortem(self, spawner)
        self._workers = RayWorkers(self, workers, spawner, self._groups, messages, postmortem, self._hint)
        self._shared = SharedBuilders(self, workers, spawner, self._groups, messages, postmortem)
        self._shared.note_nodes(self.nodes)
        messages.open()
        self._is_open = True

    def execute(self, command: commands.ExecutorCommand, tasks: Sequence[Task]) -> None:
        """Do what the engine commands."""
        if isinstance(command, commands.RunTrials):
            self._workers.run(command, tasks, self._shared.offers(tasks))
        elif isinstance(command, commands.StartWorker):
            self._workers.start(command)
        elif isinstance(command, commands.KillWorker):
            self._workers.kill(command)
        elif isinstance(command, commands.RestartWorker):
            self._workers.restart(command)
        elif isinstance(command, commands.BuildShared):
            self._shared.build(command.fixture)
        elif isinstance(command, commands.StopShared):
            self._shared.stop(command.fixture)
        elif isinstance(command, commands.RequestResources):
            pass
        else:
            self._workers.stop(command)

    def leave(self, force: bool) -> None:
        """End all workers at once, or know that they have ended; then leave Ray, whatever it says to that."""
        self._leaving = True
        if not self._is_open:
            return
        if force:
            self._workers.end_all()
        self._messages.close()
        self._spawner.kill(self._spawner.mailbox)
        self._postmortem.leave()

    # Ray

    def _on_lost_head(self, seconds: float) -> None:
        self.has_lost_head = True
        where = self._options.address or "of the Ray that was started for this run"
        self.say(
            events.WorkerFailed(
                "ray",
                f"the head of the cluster ({where}) has not answered for {seconds:.0f} s: it has died, or the network to it is cut",
            )
        )

    def _on_nodes(self, nodes: tuple[events.Node, ...]) -> None:
        if nodes != self.nodes:
            self.nodes = nodes
            self.say(events.NodesChanged(nodes))
            if self._is_open:
                self._shared.note_nodes(nodes)

    def when_done(self, reference: Any, message: Callable[..., None], *arguments: Any) -> None:
        """Have `message` called in this thread with the result and the error of `reference`, one of them None."""

        def done(future: Any) -> None:
            error = future.exception()
            self.tell(message, *arguments, None if error else future.result(), error)

        reference.future().add_done_callback(done)
