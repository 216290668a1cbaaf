"""Carries out what the engine orders of workers, each in a slot of its own, and tells it what came of that.

For every executor with processes. Knows no process: an executor gives a port for each worker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pytest_sweep import clock
from pytest_sweep.executors.lifecycle import Slot
from pytest_sweep.executors.phases import Limits, Phase, Port
from pytest_sweep.model import commands, events
from pytest_sweep.model.events import Death
from pytest_sweep.model.trials import Task
from pytest_sweep.wire.calls import CallResult
from pytest_sweep.wire.lastwords import Ending
from pytest_sweep.wire.messages import warning
from pytest_sweep.wire.task import PackedTask

Say = Callable[[events.Event], None]


class WorkerPort(Port, Protocol):
    """What a worker's slot can do.

    Attributes:
        slot: the slot, which is told what comes of it.
    """

    slot: Slot

    @property
    def nodes(self) -> tuple[str, ...]:
        """The node of each of its bundles, as far as that is known."""

    def sentence(self, cause: str) -> str:
        """Return why its process could not be started."""

    @property
    def unfit_nodes(self) -> tuple[str, ...]:
        """Those on which no worker can be started where this one cannot; none where no worker can be started anywhere."""


class WorkerOwner:
    """Tells the engine what has become of a worker.

    Args:
        id: the worker's id.
        port: what its slot can do.
        say: tells the engine of an event.
        forget: called when the worker is gone.
    """

    def __init__(self, id: str, port: WorkerPort, say: Say, forget: Callable[[str], None]) -> None:  # noqa: A002
        self.lease = 0
        self._id = id
        self._port = port
        self._say = say
        self._forget = forget

    def on_started(self, result: CallResult) -> None:
        """Say that it waits for trials."""
        self._say(result.of_start(self._id, self._port.nodes))

    def on_not_started(self, failure: CallResult | None, cause: str) -> None:
        """Say that it cannot be started, and where."""
        self._forget(self._id)
        if failure is not None and failure.exit is not None:
            self._say(events.SessionExited(self._id, *failure.exit))
        else:
            text = self._port.sentence(cause) if failure is None else cause
            self._say(events.WorkerFailed(self._id, text, self._port.unfit_nodes))

    def on_answer(self, answer: CallResult) -> None:
        """Say that its batch has ended."""
        self._say(answer.of_run(self._id, self.lease))

    def on_died(self, phase: Phase, ending: Ending) -> None:
        """Say how its process has died."""
        cause = f"the worker died {phase.value}: {ending.cause}"
        self._say(events.WorkerDied(self._id, cause, clock.wall(), ending.kind, ending.stacks, ending.sections))

    def on_overrun(self, phase: Phase, fixture: str, ending: Ending) -> None:
        """Say which tear-down took too long, an error of the trial that used the fixture last; or warn of an exit that did."""
        key = self._port.slot.torn_down
        if phase is not Phase.FINISHING or not key:
            self._say(overrun(f"the worker {self._id}", phase, fixture, ending))
            return
        last = f"TimeoutError: the teardown of {fixture} took too long, and its process was ended"
        error = f"{ending.stacks.rstrip()}\n\n{last}" if ending.stacks else last
        self._say(events.TeardownTimedOut(key, fixture, error))

    def on_lost(self, ending: Ending) -> None:
        """Warn of fixtures that were not torn down, unless their node is lost."""
        if ending.kind is not Death.NODE_LOST:
            what = f" ({self._port.slot.fixture})" if self._port.slot.fixture else ""
            self._say(
                warning(
                    f"the worker {self._id} died while it tore down fixtures{what}: {ending.cause}; what was left of them is not torn down"
                )
            )

    def on_stopped(self) -> None:
        """Say that it is gone."""
        self._forget(self._id)
        self._say(events.WorkerStopped(self._id))


def overrun(who: str, phase: Phase, fixture: str, ending: Ending) -> events.WarningRecorded:
    """Return the warning that a process took too long to end its session, or to exit after that."""
    if phase is Phase.FINISHING:
        what = f"the fixture {fixture}" if fixture else "its fixtures"
        text = f"{who} took too long to tear down {what}, and its process was ended: what was left is not torn down"
    else:
        text = f"{who} did not exit in time after its session had ended, and its process was ended (--sweep-exit-timeout gives it longer)"
    return warning(f"{text}\n{ending.stacks}" if ending.stacks else text)


class Workers:
    """All workers of a run.

    Args:
        say: tells the engine of an event.
        make_port: makes the port of a new worker.
        limits: how long each phase of a process may take.
        reserves: whether a worker's resources have to be reserved before its process can start.
    """

    def __init__(
        self,
        say: Say,
        make_port: Callable[[commands.StartWorker], WorkerPort],
        limits: Limits,
        *,
        reserves: bool = False,
    ) -> None:
        self._say = say
        self._make_port = make_port
        self._limits = limits
        self._reserves = reserves
        self._workers: dict[str, tuple[Slot, WorkerOwner]] = {}

    def execute(
        self, command: commands.WorkerCommand, tasks: Sequence[Task], offers: Mapping[str, Any], now: float
    ) -> None:
        """Carry out an order; `offers` are the shared fixtures that `tasks` use."""
        if isinstance(command, commands.StartWorker):
            self._start(command)
            return
        slot, owner = self._workers.get(command.worker, (None, None))
        if (
            slot is None or owner is None
        ):  # It could not be started, which the engine has not heard of when it ordered this.
            if isinstance(command, commands.StopWorker):
                self._say(events.WorkerStopped(command.worker))
        elif isinstance(command, commands.RunTrials):
            owner.lease = command.lease
            slot.run(("run", ([PackedTask.pack(task) for task in tasks], offers)))
        elif isinstance(command, commands.WithinCall):
            slot.tell(command)
        elif isinstance(command, commands.KillWorker):
            slot.kill(now)
        elif isinstance(command, commands.RestartWorker):
            slot.restart(now, command.within)
        elif isinstance(command, commands.StopWorker):
            slot.stop(now, command.within)

    def tick(self, now: float) -> None:
        """Look at the clock."""
        for slot, _ in list(self._workers.values()):
            slot.tick(now)

    def cut_off(self, now: float) -> None:
        """End the processes that run trials; of each the engine is told that it has died."""
        for slot, _ in list(self._workers.values()):
            slot.cut_off(now)

    @property
    def has_dying(self) -> bool:
        """Whether a process is being killed of which it is not known yet that it has ended."""
        return any(slot.phase is Phase.KILLED for slot, _ in self._workers.values())

    def abandon_all(self) -> None:
        """End all processes at once, without a word."""
        for slot, _ in self._workers.values():
            slot.abandon()
        self._workers.clear()

    def _start(self, command: commands.StartWorker) -> None:
        port = self._make_port(command)
        owner = WorkerOwner(command.worker, port, self._say, self._forget)
        slot = port.slot = Slot(port, owner, self._limits, reserves=self._reserves)
        self._workers[command.worker] = slot, owner
        slot.start()

    def _forget(self, worker: str) -> None:
        self._workers.pop(worker, None)


def note(slot: Slot, event: object) -> None:
    """Take note of what the process of a slot says of itself: which fixture it tears down."""
    if isinstance(event, events.TeardownStarted):
        slot.fixture, slot.torn_down = event.fixture, event.key
