"""The executor processes: hosted sessions in processes of this machine, over execnet, as pytest-xdist's. Knows no Ray."""

from __future__ import annotations

import contextlib
import os
import queue
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pytest_sweep.executors.processes.process import WorkerProcess
from pytest_sweep.executors.processes.shared import ProcessBuilders
from pytest_sweep.model import commands, events
from pytest_sweep.model.events import Event
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.trials import Task
from pytest_sweep.wire.calls import CallResult
from pytest_sweep.wire.lastwords import Ending
from pytest_sweep.wire.spec import SessionSpec
from pytest_sweep.wire.task import PackedTask

NODE = "processes"

MOST_STARTS = 10
"""How many processes in a row may die before their session has started: some may have been killed, so many have a cause of their own."""

PREPARED = 4
"""How many processes are started at the most while nobody knows yet how many trials there are."""


@dataclass
class _Worker:
    """A worker and the process that it has at the time.

    Attributes:
        id: the worker's id.
        resources: what it holds.
        births: how many processes it has had; what an older one says is passed over.
        process: the process, or None.
        has_started: whether its session has started.
        failed_starts: how many of its processes in a row have died before that.
        starting: the process that is being started for it, or None.
        then: what becomes of it when its session has finished, which it has been told to do; else None.
        lease: of the trials that it runs.
        on_answer: what the answers to the orders mean that have not been answered, in order.
    """

    id: str
    resources: Resources
    births: int = 0
    process: WorkerProcess | None = None
    has_started: bool = False
    failed_starts: int = 0
    starting: Future[WorkerProcess] | None = None
    then: Callable[[_Worker], None] | None = None
    lease: int = 0
    on_answer: deque[Callable[[CallResult | None, Ending], None]] = field(default_factory=deque)


class ProcessesExecutor:
    """Runs trials in processes of this machine, each of which hosts a pytest session.

    Args:
        count: how many trials run at once.
    """

    name = "processes"
    can_kill = True
    can_gang = False
    starts_slowly = False
    advice = "The executor processes has the CPUs of this machine; GPUs, memory, custom resources and labels need --sweep-executor=ray."

    def __init__(self, count: int) -> None:
        self.max_concurrent: int | None = count
        self._count = count
        self._happened: queue.SimpleQueue[events.Event] = queue.SimpleQueue()
        self._told: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._starter = ThreadPoolExecutor(max_workers=count, thread_name_prefix="sweep-processes")
        self._spare: deque[Future[WorkerProcess]] = deque()
        self._workers: dict[str, _Worker] = {}
        self._spec: SessionSpec | None = None
        self._builders: ProcessBuilders | None = None
        self._is_prepared = False

    def start_ahead(self, most: int = 1) -> None:
        """Begin to start processes until there are `most`; they import what they need while the driver does, and collects."""
        while len(self._spare) < min(self._count, most):
            self._spare.append(self._starter.submit(WorkerProcess))

    def prepare(self) -> None:
        """Begin to start the first processes."""
        if not self._is_prepared:
            self._is_prepared = True
            self.start_ahead(PREPARED)

    def nodes(self) -> Sequence[events.Node]:
        """Return this machine. As many trials as were asked for run at once, however few CPUs it has."""
        return [events.Node(NODE, "127.0.0.1", size) for size in self.expected_nodes()]

    def expected_nodes(self) -> Sequence[Resources]:
        """Return what this machine counts as."""
        return [Resources(cpu=float(max(self._count, os.cpu_count() or 1)))]

    def future_nodes(self) -> Sequence[Resources]:
        """Return nothing: no machine will be added."""
        return ()

    def unshared(self, path: str) -> Sequence[str]:  # noqa: ARG002 - it is this machine's
        """Return nothing: there is one machine."""
        return ()

    def open(self, spec: SessionSpec, items: Mapping[str, Any]) -> None:  # noqa: ARG002 - workers collect their own
        """Take the spec of the hosted sessions."""
        self._spec = spec
        self._builders = ProcessBuilders(
            spec,
            start=lambda: self._starter.submit(WorkerProcess),
            end=lambda process: self._starter.submit(process.end),
            tell=self._told.put,
            say=self._happened.put,
        )

    def execute(self, command: commands.ExecutorCommand, tasks: Sequence[Task] = ()) -> None:
        """Pass an order on to a process."""
        assert self._builders is not None
        if isinstance(command, commands.BuildShared):
            self._builders.build(command.fixture)
        elif isinstance(command, commands.StopShared):
            self._builders.stop(command.fixture)
        elif not isinstance(command, commands.RequestResources):  # There is no autoscaler to ask.
            self._execute(command, tasks, self._builders.offers(tasks))

    def _execute(self, command: commands.WorkerCommand, tasks: Sequence[Task], offers: Mapping[str, Any]) -> None:
        if isinstance(command, commands.StartWorker):
            worker = self._workers[command.worker] = _Worker(command.worker, command.resources)
            self._start(worker)
            return
        worker = self._workers[command.worker]
        if isinstance(command, commands.KillWorker):
            if worker.process is not None:  # Else its death is on the way already.
                self._starter.submit(worker.process.kill)
        elif isinstance(command, commands.RunTrials):
            value = [PackedTask.pack(task) for task in tasks], offers
            worker.lease = command.lease
            self._order(worker, "run", value, self._after_run)
        elif isinstance(command, commands.RestartWorker):
            self._finish(worker, then=self._start)
        elif not worker.has_started:
            # It has no fixtures yet. Told to finish, it would be ended by the answer to its start, while it writes what it leaves.
            self._forget(worker)
        else:
            self._finish(worker, then=self._forget)

    def events(self, timeout: float) -> Sequence[events.Event]:
        """Return what the processes have said."""
        deadline = time.monotonic() + timeout
        while self._happened.empty() and (rest := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                self._told.get(timeout=rest)()
                self._take_told()
        return self._take_happened()

    def arrived(self) -> Sequence[Event]:
        """Return what the processes have said by now."""
        self._take_told()
        return self._take_happened()

    def _take_told(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._told.get_nowait()()

    def _take_happened(self) -> Sequence[Event]:
        arrived: list[Event] = []
        while not self._happened.empty():
            arrived.append(self._happened.get())
        return arrived

    def shutdown(self, *, force: bool) -> None:  # noqa: ARG002 - those that are stopped have ended
        """Begin to end all processes."""
        if self._builders is not None:
            self._builders.end()
        for worker in self._workers.values():
            self._leave(worker)
        self._workers.clear()
        while self._spare:
            self._spare.popleft().add_done_callback(_end_unwanted)

    def join(self) -> None:
        """Wait until all processes have ended."""
        self._starter.shutdown(wait=True)

    def describe(self) -> str:
        """Return what the status block says of it."""
        return f"processes, {self._count} on this machine"

    # All below runs in the driver's main thread, as what `events` has taken

    def _start(self, worker: _Worker) -> None:
        self._leave(worker)
        births, worker.has_started = worker.births, False
        worker.on_answer.clear()
        future = self._spare.popleft() if self._spare else self._starter.submit(WorkerProcess)
        worker.starting = future

        def started(future: Future[WorkerProcess]) -> None:
            self._told.put(partial(self._on_process, worker, births, future))

        future.add_done_callback(started)

    def _on_process(self, worker: _Worker, births: int, future: Future[WorkerProcess]) -> None:
        if births != worker.births:
            return
        worker.starting = None
        error = future.exception()
        if error is not None:
            self._start_again(worker, f"a process could not be started: {error}")
            return
        worker.process = future.result()
        assert self._spec is not None
        worker.process.keeps_last_words_in(self._spec.basetemp)
        worker.process.hear_by(lambda word, value: self._told.put(partial(self._on_word, worker, births, word, value)))
        self._order(worker, "start", (worker.id, self._spec, max(1, int(worker.resources.cpu))), self._after_start)

    def _order(
        self, worker: _Worker, word: str, value: object, on_answer: Callable[[_Worker, CallResult | None, Ending], None]
    ) -> None:
        if worker.process is None:  # It is still being started, or has died: then nothing has to be ended.
            on_answer(worker, None, Ending("it is not there"))
        else:
            worker.on_answer.append(partial(on_answer, worker))
            worker.process.send(word, value)

    def _on_word(self, worker: _Worker, births: int, word: str, value: Any) -> None:
        if births != worker.births:
            return
        if word == "events":
            self._pass_on(value)
            return
        if word == "answer":
            self._pass_on(value.rest)
            worker.on_answer.popleft()(value, Ending(""))
            return
        waiting = list(worker.on_answer)
        worker.on_answer.clear()
        if worker.process is not None:
            self._end(worker)
        if not waiting:
            self._die(worker, "while it waited", value)
        for answer in waiting:
            answer(None, value)

    def _pass_on(self, numbered: Sequence[Any]) -> None:
        for _, event in numbered:
            self._happened.put(event)

    def _after_start(self, worker: _Worker, result: CallResult | None, ending: Ending) -> None:
        if result is None:
            stacks = f"\n{ending.stacks}" if ending.stacks else ""
            self._start_again(worker, f"a worker did not start: {ending.cause}{stacks}")
        else:
            worker.failed_starts = 0
            worker.has_started = result.failure is None and result.exit is None
            self._happened.put(result.of_start(worker.id, (NODE,)))

    def _start_again(self, worker: _Worker, cause: str) -> None:
        worker.failed_starts += 1
        if worker.failed_starts < MOST_STARTS:
            self._start(worker)
        else:
            self._happened.put(events.WorkerFailed(worker.id, cause))

    def _after_run(self, worker: _Worker, result: CallResult | None, ending: Ending) -> None:
        if result is None:
            self._die(worker, "while it ran the trial", ending)
        else:
            self._happened.put(result.of_run(worker.id, worker.lease))

    def _die(self, worker: _Worker, when: str, ending: Ending) -> None:
        cause = f"the worker died {when}: {ending.cause}"
        self._happened.put(events.WorkerDied(worker.id, cause, time.time(), ending.kind, ending.stacks))

    def _finish(self, worker: _Worker, then: Callable[[_Worker], None]) -> None:
        is_told = worker.then is not None
        worker.then = then  # It may be given up while it finishes in order to be restarted.
        if not is_told:
            self._order(worker, "finish", None, self._after_finish)

    def _after_finish(self, worker: _Worker, *_: object) -> None:
        self._end(worker)  # However the session ended: what it had to say of its fixtures has been passed on.
        then, worker.then = worker.then, None
        assert then is not None
        then(worker)

    def _forget(self, worker: _Worker) -> None:
        self._leave(worker)
        self._workers.pop(worker.id, None)
        self._happened.put(events.WorkerStopped(worker.id))

    def _leave(self, worker: _Worker) -> None:
        """End the process that a worker has or is to have. Nobody may be there any more to take note of one that starts after that."""
        worker.births += 1
        self._end(worker)
        starting, worker.starting = worker.starting, None
        if starting is not None:
            starting.add_done_callback(_end_unwanted)

    def _end(self, worker: _Worker) -> None:
        process, worker.process = worker.process, None
        if process is not None:
            self._starter.submit(process.end)


def _end_unwanted(future: Future[WorkerProcess]) -> None:
    if future.exception() is None:
        future.result().end()
