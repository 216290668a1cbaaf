"""The executor processes: hosted sessions in processes of this machine, over execnet, as pytest-xdist's. Knows no Ray."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_sweep import clock
from pytest_sweep.executors.awake import AwakeClock
from pytest_sweep.executors.phases import CUT_OFF_SECONDS, Limits
from pytest_sweep.executors.processes.ports import NODE, BuilderProcessPort, ProcessPort, Starter
from pytest_sweep.executors.processes.told import Told
from pytest_sweep.executors.shared import Builders
from pytest_sweep.executors.workers import Workers
from pytest_sweep.model import commands, events
from pytest_sweep.model.events import Event
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.shared import SharedFixture
from pytest_sweep.model.trials import Task
from pytest_sweep.wire.lastwords import delete_last_words
from pytest_sweep.wire.spec import SessionSpec

PREPARED = 4
"""How many processes are started at the most while nobody knows yet how many trials there are."""

MOST_STARTS = 10
"""How many processes of a worker in a row may die before their session has started: on this machine a start costs little."""

MOST_HEARD = 1000
"""After how many events the engine has its turn: in a tenth of a second it has handled them, and looks at the clock."""


class ProcessesExecutor:
    """Runs trials in processes of this machine, each of which hosts a pytest session.

    Args:
        count: how many trials run at once.
        limits: how long each phase of a process may take.
    """

    name = "processes"
    can_kill = True
    can_gang = False
    starts_slowly = False
    advice = "The executor processes has the CPUs of this machine; GPUs, memory, custom resources and labels need --sweep-executor=ray."

    def __init__(self, count: int, limits: Limits | None = None) -> None:
        self.max_concurrent: int | None = count
        self._count = count
        self._limits = limits or Limits(starts=MOST_STARTS)
        self._happened: queue.SimpleQueue[events.Event] = queue.SimpleQueue()
        self._told = Told()
        self._starter = Starter(count)
        self._clock = AwakeClock()
        self._workers: Workers | None = None
        self._builders: Builders | None = None
        self._spec: SessionSpec | None = None
        self._is_prepared = False

    def start_ahead(self, most: int = 1) -> None:
        """Begin to start processes until there are `most`; they import what they need while the driver does, and collects."""
        self._starter.start_ahead(min(self._count, most))

    def prepare(self) -> None:
        """Begin to start the first processes."""
        if not self._is_prepared:
            self._is_prepared = True
            self.start_ahead(PREPARED)

    def starting(self) -> str:
        """Return nothing: it is up at once."""
        return ""

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
        self._workers = Workers(self._happened.put, self._worker_port, self._limits)
        self._builders = Builders(self._happened.put, self._builder_port, self._limits)

    def judge_by(self, decide: Callable[[], None]) -> None:
        """Do nothing: what trials report arrives while they run."""

    def execute(self, command: commands.ExecutorCommand, tasks: Sequence[Task] = ()) -> None:
        """Pass an order on to a process."""
        assert self._builders is not None
        assert self._workers is not None
        now = self._clock.look()
        if isinstance(command, commands.BuildShared):
            self._builders.build(command.fixture, command.within)
        elif isinstance(command, commands.StopShared):
            self._builders.stop(command.fixture, now, command.within)
        elif not isinstance(command, commands.RequestResources):  # There is no autoscaler to ask.
            self._workers.execute(command, tasks, self._builders.offers(tasks), now)

    def events(self, timeout: float) -> Sequence[events.Event]:
        """Return what the processes have said."""
        deadline = clock.monotonic() + timeout
        while self._happened.empty() and (rest := deadline - clock.monotonic()) > 0:
            self._hear(rest)
        # Before limits are looked at: who has ended in time is not ended. But one that talks without a pause does not keep others from it.
        while self._happened.qsize() < MOST_HEARD and self._hear():
            pass
        self._tick()
        return self._take_happened()

    def arrived(self) -> Sequence[Event]:
        """Return what the processes have said by now."""
        while self._hear():
            pass
        return self._take_happened()

    def cut_off(self) -> Sequence[Event]:
        """End the processes that run trials, and return what they have said by then."""
        assert self._workers is not None
        self._workers.cut_off(self._clock.look())
        deadline = clock.monotonic() + CUT_OFF_SECONDS
        while self._workers.has_dying and (rest := deadline - clock.monotonic()) > 0:
            self._hear(rest)
        return self.arrived()

    def shutdown(self, *, force: bool) -> None:  # noqa: ARG002 - those that are stopped have ended
        """Begin to end all processes."""
        if self._builders is not None:
            self._builders.abandon_all()
        if self._workers is not None:
            self._workers.abandon_all()
        self._starter.end_unused()

    def join(self) -> None:
        """Wait until all processes have ended, and delete what they have left and nobody has read."""
        self._starter.join()
        if self._spec is not None:
            delete_last_words(self._spec.basetemp)

    def describe(self) -> str:
        """Return what the status block says of it."""
        return f"processes, {self._count} on this machine"

    def _tick(self) -> None:
        now = self._clock.look()
        if self._workers is not None:
            self._workers.tick(now)
        if self._builders is not None:
            self._builders.tick(now)

    def _hear(self, timeout: float = 0.0) -> bool:
        """Hear what one process has said next; say whether there was something."""
        what = self._told.take(timeout)
        if what is not None:
            what()
        return what is not None

    def _take_happened(self) -> Sequence[Event]:
        arrived: list[Event] = []
        while not self._happened.empty():
            arrived.append(self._happened.get())
        return arrived

    def _worker_port(self, command: commands.StartWorker) -> ProcessPort:
        return ProcessPort(command.worker, _threads(command.resources), *self._common())

    def _builder_port(self, fixture: SharedFixture, number: int) -> BuilderProcessPort:
        assert self._spec is not None
        folder = Path(self._spec.basetemp, "shared")
        folder.mkdir(exist_ok=True)
        return BuilderProcessPort(
            folder / str(number), f"shared-{number}", _threads(fixture.resources), *self._common()
        )

    def _common(self) -> tuple[Any, ...]:
        return self._spec, self._starter, self._clock, self._told.put, self._happened.put


def _threads(resources: Resources) -> int:
    return max(1, int(resources.cpu))
