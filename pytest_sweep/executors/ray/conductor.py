"""The one thread that gives Ray orders: it starts it, takes what comes back, and ends it. Only the watch asks Ray something, too.

It must be one thread, and live until the end: Ray's processes are started with a parent-death signal, and on Linux the parent is
the thread that has started them. It does nothing but this, never SQL nor pytest's hooks, so that it keeps up with the workers.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_sweep.errors import ExecutorError
from pytest_sweep.executors.ray import authentication
from pytest_sweep.executors.ray.builders import SharedBuilders
from pytest_sweep.executors.ray.coroner import Coroner
from pytest_sweep.executors.ray.handle import WorkerHandle, brief, could_not_begin
from pytest_sweep.executors.ray.importing import import_ray
from pytest_sweep.executors.ray.options import RayOptions
from pytest_sweep.executors.ray.placement_groups import PlacementGroups, bundles_of, strategy_of
from pytest_sweep.executors.ray.post import Post
from pytest_sweep.executors.ray.sharing import find_blind_nodes
from pytest_sweep.model import commands, events
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.shared import SharedFixture
from pytest_sweep.model.trials import Task
from pytest_sweep.worker.blackbox import Ending
from pytest_sweep.worker.outbox import Inbox
from pytest_sweep.worker.spec import SessionSpec
from pytest_sweep.worker.wire import PackedTask

if TYPE_CHECKING:  # Importing Ray takes a second or two: it is done in this thread.
    from pytest_sweep.worker.calls import CallResult

MOST_STARTS = 5


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
        self._spec: SessionSpec | None = None
        self._workers: dict[str, WorkerHandle] = {}
        self.has_lost_head = False
        self._leaving = False
        self._hint = ""
        self._is_open = False

    # From the driver's main thread

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
            self.happened.put(events.WorkerFailed("ray", f"Ray failed: {type(error).__name__}: {error}"))

    def _connect(self) -> None:
        self._hint = authentication.turn_on(self._options.address)
        ray = import_ray()
        from ray.util.placement_group import placement_group, placement_group_table, remove_placement_group
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy, PlacementGroupSchedulingStrategy

        from pytest_sweep.executors.ray.actors import SessionActor
        from pytest_sweep.executors.ray.cluster import Cluster
        from pytest_sweep.executors.ray.helper import NodeHelper
        from pytest_sweep.executors.ray.mailbox import Mailbox
        from pytest_sweep.executors.ray.watch import ClusterWatch

        self._ray = ray
        self._groups = PlacementGroups(placement_group, remove_placement_group, placement_group_table, self.when_done)
        self._in_group, self._near_node = PlacementGroupSchedulingStrategy, NodeAffinitySchedulingStrategy
        self._session_class, self._mailbox_class, self._helper_class = SessionActor, Mailbox, NodeHelper
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
        courier = self._cluster.code
        known = None if courier is None else courier.known_blind(folder)
        if known is None:
            find_blind_nodes(self.nodes, folder, answer)
        else:
            answer(known)

    def open(self, spec: SessionSpec) -> None:
        """Take the spec of sessions and open the mailbox."""
        courier = self._cluster.code
        self._spec = spec = spec if courier is None else replace(spec, code=courier.code)
        here = self._ray.get_runtime_context().get_node_id()
        # Nowhere else: with the node or the link of another machine the mail of the whole run would be lost.
        near = self._near_node(here, soft=False)
        actor: Any = self._ray.remote(self._mailbox_class)
        mailbox = actor.options(num_cpus=0, scheduling_strategy=near).remote()
        self._post = Post(mailbox, self._workers, self.happened.put, self.when_done)
        self._post.open()
        self._is_open = True
        helper: Any = self._ray.remote(self._helper_class)
        self._coroner = Coroner(self, helper.options, self._near_node, spec)
        processes = self._workers, self._start_builder, self._end_process
        self.shared = SharedBuilders(self, *processes, self._groups, self._post, self._coroner)
        self.shared.note_nodes(self.nodes)

    def leave(self, force: bool) -> None:
        """End all workers at once, or know that they have ended; then leave Ray, whatever it says to that."""
        self._leaving = True
        if force:
            for worker in self._workers.values():
                self._end_process(worker)
            self._groups.release_all()
        if self._is_open:
            self._post.close()
            self._ray.kill(self._post.mailbox)
            self._coroner.leave(self._ray.kill)

    def start_worker(self, command: commands.StartWorker) -> None:
        """Reserve the worker's resources, then start its process."""
        worker = WorkerHandle(command.worker, command.resources, command.placement)
        self._workers[worker.id] = worker
        bundles = bundles_of(command)
        self.happened.put(events.WorkerStarting(worker.id, is_granted=False))
        worker.reservation = self._groups.reserve(bundles, strategy_of(command), partial(self._on_reserved, worker))

    def restart_worker(self, command: commands.RestartWorker) -> None:
        """Give a worker a new process, after the session of the old one has ended."""
        worker = self._workers[command.worker]
        worker.asked = time.monotonic()
        self._finish(worker, then=self._start_process)

    def stop_worker(self, command: commands.StopWorker) -> None:
        """End a worker's session, then its process."""
        worker = self._workers[command.worker]
        if not worker.has_started:  # It has no fixtures yet, and where its node is gone it never will.
            self._end_process(worker)
            self._forget(worker)
        else:
            self._finish(worker, then=self._forget)

    def kill_worker(self, command: commands.KillWorker) -> None:
        """Have a worker show its stacks, then end its process, at once; its call then ends as after any death.

        Where the call has ended just before, its BatchDone is the only answer: nobody waits for the process any more.
        """
        worker = self._workers[command.worker]
        births = worker.births

        def end() -> None:
            if births == worker.births and worker.actor is not None:
                self._ray.kill(worker.actor)

        if any(node.id == worker.home for node in self.nodes):
            self._coroner.request_stacks(worker, end)
        else:  # Nobody there can be asked.
            end()

    def run_trials(self, command: commands.RunTrials, tasks: Sequence[Task]) -> None:
        """Send trials to a worker, in one call."""
        worker = self._workers[command.worker]
        packed = [PackedTask.pack(task) for task in tasks]
        reference = worker.actor.run.remote(packed, self.shared.offers(tasks))
        self.when_done(reference, self._on_ran, worker, worker.births)

    def build_shared(self, fixture: SharedFixture) -> None:
        """Have a shared fixture built."""
        self.shared.build(fixture)

    def stop_shared(self, fixture: str) -> None:
        """Have a shared fixture torn down."""
        self.shared.stop(fixture)

    # Starting

    def _on_reserved(self, worker: WorkerHandle, error: Exception | None) -> None:
        if error is not None:
            self._fail(worker, f"Ray did not grant a worker ({worker.request}): {error}")
        else:
            self.happened.put(events.WorkerStarting(worker.id, is_granted=True))
            self._start_process(worker)

    def _start_process(self, worker: WorkerHandle) -> None:
        worker.births += 1
        worker.inbox, worker.death, worker.has_started = Inbox(), None, False
        threads = max(1, int(worker.resources.cpu))
        # The actor itself holds no CPU: they are for the Ray tasks that a trial may start, which land in the same group.
        assert worker.reservation is not None
        strategy = self._in_group(worker.reservation.group, 0, placement_group_capture_child_tasks=True)
        actor: Any = self._ray.remote(self._session_class)
        # In a gang, it is the workers beside this process that hold GPUs.
        gpus = worker.resources.gpu if worker.placement.workers is None else 0
        options = {"num_cpus": 0, "num_gpus": gpus, "scheduling_strategy": strategy}
        worker.actor = actor.options(**options).remote(worker.name, self._spec, self._post.mailbox, threads)
        self.when_done(worker.actor.start.remote(), self._on_started, worker, worker.births)

    def _start_builder(self, worker: WorkerHandle, node: str) -> None:
        actor: Any = self._ray.remote(self._session_class)
        options = {"num_cpus": 0, "scheduling_strategy": self._near_node(node, soft=False)}
        threads = max(1, int(worker.resources.cpu))
        worker.actor = actor.options(**options).remote(worker.name, self._spec, self._post.mailbox, threads)

    def _on_started(
        self, worker: WorkerHandle, births: int, started: tuple[CallResult, str] | None, error: Exception | None
    ) -> None:
        if births != worker.births or worker.id not in self._workers:
            return
        result, node = started or (None, "")
        if result is None:
            worker.failed_starts += 1
            if worker.failed_starts < MOST_STARTS and not could_not_begin(error):  # Somebody may have killed it.
                self._start_process(worker)
            else:
                self._fail(worker, f"a worker ({worker.request}) did not start: {brief(error)}{self._hint}")
            return
        worker.failed_starts = 0
        if result.exit is None and result.failure is None:
            worker.has_started, worker.home, worker.pid = True, node, int(result.location.rpartition(":")[2])
            self._post.pass_on(worker, result.rest)
        assert worker.reservation is not None
        self.happened.put(result.of_start(worker.id, self._groups.nodes_of(worker.reservation)))

    def _fail(self, worker: WorkerHandle, cause: str) -> None:
        self.happened.put(events.WorkerFailed(worker.id, cause))

    # Running

    def _on_ran(self, worker: WorkerHandle, births: int, result: CallResult | None, error: Exception | None) -> None:
        if births != worker.births or worker.id not in self._workers:
            return
        if result is None:
            self._coroner.examine(worker, error, partial(self._on_examined, worker, births))
            return
        self._post.complete(worker, result, partial(self._after_run, worker, result))

    def _on_examined(self, worker: WorkerHandle, births: int, ending: Ending) -> None:
        if births == worker.births and worker.id in self._workers:
            if worker.actor is not None:
                # Where only the connection was lost, it lives: it ends as soon as it is reached again.
                self._ray.kill(worker.actor)
            self._post.tell_death(worker, ending)

    def _after_run(self, worker: WorkerHandle, result: CallResult) -> None:
        self.happened.put(result.of_run(worker.id))

    # Ending

    def _finish(self, worker: WorkerHandle, then: Callable[[WorkerHandle], None]) -> None:
        """End the session of a worker, so that its fixtures are torn down, and its process; then do `then`."""
        is_told = worker.then is not None
        worker.then = then  # It may be given up while it finishes in order to be restarted.
        if is_told:
            return
        births = worker.births

        def finished(result: CallResult | None, _: Exception | None) -> None:
            if births != worker.births or worker.id not in self._workers:
                return
            if result is None:  # It was dead already.
                end()
            else:
                self._post.complete(worker, result, end)

        def end() -> None:
            self._end_process(worker)
            chosen, worker.then = worker.then, None
            assert chosen is not None
            chosen(worker)

        self.when_done(worker.actor.finish.remote(), finished)

    def _forget(self, worker: WorkerHandle) -> None:
        self._workers.pop(worker.id, None)
        if worker.reservation is not None:
            self._groups.release(worker.reservation)
            worker.reservation = None
        self.happened.put(events.WorkerStopped(worker.id))

    def _end_process(self, worker: WorkerHandle) -> None:
        if worker.actor is not None:
            self._ray.kill(worker.actor)
            worker.actor = None

    # Ray

    def _on_lost_head(self, seconds: float) -> None:
        self.has_lost_head = True
        where = self._options.address or "of the Ray that was started for this run"
        self.happened.put(
            events.WorkerFailed(
                "ray",
                f"the head of the cluster ({where}) has not answered for {seconds:.0f} s: it has died, or the network to it is cut",
            )
        )

    def _on_nodes(self, nodes: tuple[events.Node, ...]) -> None:
        if nodes != self.nodes:
            self.nodes = nodes
            self.happened.put(events.NodesChanged(nodes))
            if self._is_open:
                self.shared.note_nodes(nodes)

    def when_done(self, reference: Any, message: Callable[..., None], *arguments: Any) -> None:
        """Have `message` called in this thread with the result and the error of `reference`, one of them None."""

        def done(future: Any) -> None:
            error = future.exception()
            self.tell(message, *arguments, None if error else future.result(), error)

        reference.future().add_done_callback(done)
