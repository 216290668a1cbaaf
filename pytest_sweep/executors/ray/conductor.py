"""The one thread that gives Ray orders: it starts it, takes what comes back, and ends it. Only the watch asks Ray something, too.

It must be one thread, and live until the end: Ray's processes are started with a parent-death signal, and on Linux the parent is
the thread that has started them. It does nothing but this, never SQL nor pytest's hooks, so that it keeps up with the workers.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_sweep import clock
from pytest_sweep.errors import ExecutorError
from pytest_sweep.executors.awake import AwakeClock
from pytest_sweep.executors.ray.cluster import authentication
from pytest_sweep.executors.ray.cluster.importing import import_ray
from pytest_sweep.executors.ray.cluster.nested import NestedWait, sentence
from pytest_sweep.executors.ray.cluster.processes import end_processes
from pytest_sweep.executors.ray.code.visibility import find_blind_nodes
from pytest_sweep.executors.ray.options import RayOptions
from pytest_sweep.executors.ray.workers.builders import BuilderRayPort
from pytest_sweep.executors.ray.workers.messages import Messages
from pytest_sweep.executors.ray.workers.ports import WorkerRayPort
from pytest_sweep.executors.ray.workers.postmortem import Postmortem
from pytest_sweep.executors.ray.workers.process import wait_for_end
from pytest_sweep.executors.ray.workers.reservations import Reservations
from pytest_sweep.executors.ray.workers.tools import RayTools
from pytest_sweep.executors.shared import Builders
from pytest_sweep.executors.workers import Workers
from pytest_sweep.model import commands, events
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.trials import Task, Trial
from pytest_sweep.wire.lastwords import delete_last_words
from pytest_sweep.wire.spec import SessionSpec

if TYPE_CHECKING:  # Imports Ray.
    from pytest_sweep.executors.ray.cluster.autoscaling import AutoscalerRequests

MOST_UNREAD = 2**20
"""How many bytes of events may wait for the driver's main thread before no more are fetched: it handles them in a second."""

TICK_SECONDS = 0.1
"""How often the deadlines of processes are looked at."""


class Conductor(threading.Thread):
    """Gives Ray orders. What it is told arrives through `tell`, what happens leaves through `happened`.

    Args:
        options: how Ray is started or joined.
    """

    def __init__(self, options: RayOptions) -> None:
        super().__init__(name="sweep-ray", daemon=True)
        self.happened: queue.SimpleQueue[tuple[events.Event, int]] = queue.SimpleQueue()
        self._said = self._read = 0
        self.ready = threading.Event()
        self.failure: ExecutorError | None = None
        self.nodes: tuple[events.Node, ...] = ()
        self.future_nodes: tuple[Resources, ...] = ()
        self.note = ""
        self._options = options
        self._told: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.has_lost_head = False
        self._leaving = False
        self._is_starting = False
        self._hint = ""
        self._is_open = False
        self._exiting: set[int] = set()
        self._cut_off_done: Callable[[], None] | None = None
        self._is_forced = False
        self._ports: dict[str, WorkerRayPort] = {}
        self._handed: dict[str, list[Trial]] = {}
        self._requests: AutoscalerRequests | None = None
        self._next_tick = 0.0
        self._clock = AwakeClock()

    # From any thread

    def say(self, event: events.Event, size: int = 0) -> None:
        """Tell the engine of an event, which came as so many bytes."""
        if isinstance(event, (events.BatchDone, events.WorkerDied, events.WorkerStopped)):
            self._handed.pop(event.worker, None)
        self._said += size  # Only the conductor's thread counts here, and only the driver's main thread in `take`.
        self.happened.put((event, size))

    def take(self, timeout: float | None = None) -> events.Event | None:
        """Return the next event; wait at most `timeout` seconds for it. Called by the driver's main thread."""
        try:
            event, size = self.happened.get_nowait() if timeout is None else self.happened.get(timeout=timeout)
        except queue.Empty:
            return None
        self._read += size
        return event

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be read by the driver's main thread that no more is to be fetched."""
        return self._said - self._read > MOST_UNREAD

    def tell(self, message: Callable[..., None], *arguments: Any) -> None:
        """Have `message` called in this thread, with these arguments."""
        self._told.put(partial(message, *arguments))

    def abandon(self) -> None:
        """Leave no process behind of a Ray that is being started for the run."""
        if self._options.address is None and self._is_starting:
            end_processes()
            self._cluster.remove_folder()

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
            with contextlib.suppress(queue.Empty):
                self._do(self._told.get(timeout=TICK_SECONDS))
            if self._is_open and clock.monotonic() >= self._next_tick:
                self._next_tick = clock.monotonic() + TICK_SECONDS
                self._do(self._tick)
        self._watch.stop()
        limit = clock.monotonic() + self._options.limits.exit
        for pid in () if self._is_forced else self._exiting:
            wait_for_end(pid, max(limit - clock.monotonic(), 0.0))
        self._cluster.leave()
        if self._is_open:
            delete_last_words(self._folder)

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
        self._cluster = Cluster(self._options, self._groups.owns)
        self._is_starting = not ray.is_initialized()
        self._cluster.connect()
        for text in self._cluster.warnings:
            self._warn(text)
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
        messages = self._messages = Messages(spawner.mailbox, self)
        postmortem = self._postmortem = Postmortem(self, spawner, spec.basetemp)
        tools = RayTools(self, spawner, self._groups, messages, postmortem, self._clock, self._hint, self._exiting)
        limits = self._options.limits

        def port_of(command: commands.StartWorker) -> WorkerRayPort:
            port = self._ports[command.worker] = WorkerRayPort.of(tools, command)
            return port

        self._workers = Workers(self.say, port_of, limits, reserves=True)
        self._builders = Builders(self.say, partial(BuilderRayPort, tools, set()), limits, reserves=True)
        messages.open()
        self._folder = spec.basetemp
        self._is_open = True

    def execute(self, command: commands.ExecutorCommand, tasks: Sequence[Task]) -> None:
        """Do what the engine commands."""
        now = self._clock.look()
        if isinstance(command, commands.BuildShared):
            self._builders.build(command.fixture, command.within)
        elif isinstance(command, commands.StopShared):
            self._builders.stop(command.fixture, now, command.within)
        elif isinstance(command, commands.RequestResources):
            self._request_nodes(command)
        else:
            if isinstance(command, commands.RunTrials):
                self._handed[command.worker] = [task.trial for task in tasks]
            self._workers.execute(command, tasks, self._builders.offers(tasks), now)

    def cut_off(self, done: Callable[[], None]) -> None:
        """End the processes that run trials; call `done` when all that they had said has been passed on."""
        if self._is_open:
            self._workers.cut_off(self._clock.look())
        self._cut_off_done = done
        self._tell_cut_off()

    def leave(self, force: bool) -> None:
        """End all workers at once, or know that they have ended; then leave Ray, whatever it says to that."""
        self._leaving, self._is_forced = True, force
        if self._requests is not None:
            self._request_nodes(commands.RequestResources(()))
        if not self._is_open:
            return
        if force:
            self._workers.abandon_all()
            self._builders.abandon_all()
            self._groups.release_all()
        self._messages.close()
        self._spawner.kill(self._spawner.mailbox)
        self._postmortem.leave()

    def _tick(self) -> None:
        now = self._clock.look()
        self._workers.tick(now)
        self._builders.tick(now)
        self._messages.tick()
        self._tell_cut_off()

    def _tell_cut_off(self) -> None:
        if self._cut_off_done is not None and not (self._is_open and self._workers.has_dying):
            done, self._cut_off_done = self._cut_off_done, None
            done()

    # Ray

    def _request_nodes(self, command: commands.RequestResources) -> None:
        from pytest_sweep.executors.ray.cluster.autoscaling import AutoscalerRequests  # Takes half a second.

        self._requests = self._requests or AutoscalerRequests()
        try:
            self._requests.request(command.bundles)
        except Exception as error:  # Whatever Ray raises: what nodes there are run the trials all the same.
            self._warn(f"the cluster's autoscaler could not be asked for nodes ({type(error).__name__}: {error})")

    def _warn(self, text: str) -> None:
        self.say(events.WarningRecorded(text, "pytest:PytestWarning", "ray", 0, "runtest", "", None))

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
        for wait in self._cluster.nested_waits:
            self._tell_nested(wait)
        if nodes != self.nodes:
            self.nodes = nodes
            self.say(events.NodesChanged(nodes))
            if self._is_open:
                self._builders.note_nodes(node.id for node in nodes)

    def _tell_nested(self, wait: NestedWait) -> None:
        """Say that trials wait for what they hold themselves: at once on the terminal, and as a warning."""
        from pytest_sweep.executors.ray.private import actor_id  # Imports Ray.

        alive = {name: self._ports[name].actor for name in self._handed}
        asking = [name for name, actor in alive.items() if actor and wait.actor in ("", actor_id(actor))]
        trials = [trial for name in asking for trial in self._handed.get(name, ())]
        if trials:
            text = sentence(wait, [trial.name for trial in trials])
            self.say(events.OutputWritten(trials[0].key, f"{text}\n"))
            self._warn(text)

    def when_done(self, reference: Any, message: Callable[..., None], *arguments: Any) -> None:
        """Have `message` called in this thread with the result and the error of `reference`, one of them None."""

        def done(future: Any) -> None:
            error = future.exception()
            self.tell(message, *arguments, None if error else future.result(), error)

        reference.future().add_done_callback(done)
