"""The workers of a run on Ray: their placement groups, their processes, their calls. Lives in the conductor's thread; imports no Ray."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_sweep import clock
from pytest_sweep.executors.ray.desk import Desk
from pytest_sweep.executors.ray.workers.handle import WorkerHandle, brief, could_not_begin
from pytest_sweep.executors.ray.workers.messages import Messages
from pytest_sweep.executors.ray.workers.postmortem import Postmortem
from pytest_sweep.executors.ray.workers.reservations import Reservations, bundles_of, strategy_of
from pytest_sweep.model import commands, events
from pytest_sweep.model.trials import Task
from pytest_sweep.wire.inbox import Inbox
from pytest_sweep.wire.lastwords import Ending
from pytest_sweep.wire.task import PackedTask

if TYPE_CHECKING:  # Imports Ray.
    from pytest_sweep.executors.ray.workers.spawn import Spawner
    from pytest_sweep.wire.calls import CallResult

MOST_STARTS = 5
"""How many processes of a worker in a row may die before their session has started."""


class RayWorkers:
    """Does what the engine commands of workers, and tells it what came of that.

    Args:
        desk: the conductor.
        workers: all that have a process or wait for one, by id; those that others have put in are left alone.
        spawner: starts and ends processes.
        groups: reserves resources.
        messages: brings what the processes say.
        postmortem: finds out how they died.
        hint: what to say beside the error where a worker does not start.
    """

    def __init__(
        self,
        desk: Desk,
        workers: dict[str, WorkerHandle],
        spawner: Spawner,
        groups: Reservations,
        messages: Messages,
        postmortem: Postmortem,
        hint: str,
    ) -> None:
        self._desk = desk
        self._workers = workers
        self._spawner = spawner
        self._groups = groups
        self._messages = messages
        self._postmortem = postmortem
        self._hint = hint

    def start(self, command: commands.StartWorker) -> None:
        """Reserve the worker's resources, then start its process."""
        worker = WorkerHandle(command.worker, command.resources, command.placement)
        self._workers[worker.id] = worker
        bundles = bundles_of(command)
        self._desk.say(events.WorkerStarting(worker.id, is_granted=False))
        worker.reservation = self._groups.reserve(bundles, strategy_of(command), partial(self._on_reserved, worker))

    def restart(self, command: commands.RestartWorker) -> None:
        """Give a worker a new process, after the session of the old one has ended."""
        worker = self._workers[command.worker]
        worker.asked = clock.monotonic()
        self._finish(worker, then=self._start_process)

    def stop(self, command: commands.StopWorker) -> None:
        """End a worker's session, then its process."""
        worker = self._workers[command.worker]
        if not worker.has_started:  # It has no fixtures yet, and where its node is gone it never will.
            self._spawner.end_process(worker)
            self._forget(worker)
        else:
            self._finish(worker, then=self._forget)

    def kill(self, command: commands.KillWorker) -> None:
        """Have a worker show its stacks, then end its process, at once; its call then ends as after any death.

        Where the call has ended just before, its BatchDone is the only answer: nobody waits for the process any more.
        """
        worker = self._workers[command.worker]
        births = worker.births

        def end() -> None:
            if births == worker.births and worker.actor is not None:
                self._spawner.kill(worker.actor)

        if any(node.id == worker.home for node in self._desk.nodes):
            self._postmortem.request_stacks(worker, end)
        else:  # Nobody there can be asked.
            end()

    def run(self, command: commands.RunTrials, tasks: Sequence[Task], offers: Mapping[str, Any]) -> None:
        """Send trials to a worker, in one call, with where the shared fixtures are that they use."""
        worker = self._workers[command.worker]
        worker.lease = command.lease
        reference = worker.actor.run.remote([PackedTask.pack(task) for task in tasks], offers)
        self._desk.when_done(reference, self._on_ran, worker, worker.births)

    def end_all(self) -> None:
        """End all processes at once, and give all resources back."""
        for worker in self._workers.values():
            self._spawner.end_process(worker)
        self._groups.release_all()

    # Starting

    def _on_reserved(self, worker: WorkerHandle, error: Exception | None) -> None:
        if error is not None:
            self._fail(worker, f"Ray did not grant a worker ({worker.request}): {error}")
        else:
            self._desk.say(events.WorkerStarting(worker.id, is_granted=True))
            self._start_process(worker)

    def _start_process(self, worker: WorkerHandle) -> None:
        worker.births += 1
        worker.inbox, worker.death, worker.has_started = Inbox(), None, False
        self._spawner.start_in_group(worker)
        self._desk.when_done(worker.actor.start.remote(), self._on_started, worker, worker.births)

    def _on_started(
        self, worker: WorkerHandle, births: int, started: tuple[CallResult, str] | None, error: Exception | None
    ) -> None:
        if self._is_old(worker, births):
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
            self._messages.pass_on(worker, result.rest)
        assert worker.reservation is not None
        self._desk.say(result.of_start(worker.id, self._groups.nodes_of(worker.reservation)))

    def _fail(self, worker: WorkerHandle, cause: str) -> None:
        self._desk.say(events.WorkerFailed(worker.id, cause))

    # Running

    def _on_ran(self, worker: WorkerHandle, births: int, result: CallResult | None, error: Exception | None) -> None:
        if self._is_old(worker, births):
            return
        if result is None:
            self._postmortem.examine(worker, error, partial(self._on_examined, worker, births))
        else:
            self._messages.complete(worker, result, partial(self._after_run, worker, result))

    def _on_examined(self, worker: WorkerHandle, births: int, ending: Ending) -> None:
        if self._is_old(worker, births):
            return
        if worker.actor is not None:
            # Where only the connection was lost, it lives: it ends as soon as it is reached again.
            self._spawner.kill(worker.actor)
        self._messages.tell_death(worker, ending)

    def _after_run(self, worker: WorkerHandle, result: CallResult) -> None:
        self._desk.say(result.of_run(worker.id, worker.lease))

    # Ending

    def _finish(self, worker: WorkerHandle, then: Callable[[WorkerHandle], None]) -> None:
        """End the session of a worker, so that its fixtures are torn down, and its process; then do `then`."""
        is_told = worker.then is not None
        worker.then = then  # It may be given up while it finishes in order to be restarted.
        if not is_told:
            self._desk.when_done(worker.actor.finish.remote(), self._on_finished, worker, worker.births)

    def _on_finished(self, worker: WorkerHandle, births: int, result: CallResult | None, _: Exception | None) -> None:
        if self._is_old(worker, births):
            return
        if result is None:  # It was dead already.
            self._after_finish(worker)
        else:
            self._messages.complete(worker, result, partial(self._after_finish, worker))

    def _after_finish(self, worker: WorkerHandle) -> None:
        self._spawner.end_process(worker)
        then, worker.then = worker.then, None
        assert then is not None
        then(worker)

    def _forget(self, worker: WorkerHandle) -> None:
        self._workers.pop(worker.id, None)
        if worker.reservation is not None:
            self._groups.release(worker.reservation)
            worker.reservation = None
        self._desk.say(events.WorkerStopped(worker.id))

    def _is_old(self, worker: WorkerHandle, births: int) -> bool:
        return births != worker.births or worker.id not in self._workers
