"""Runs trials in the driver's own process and session, one at a time: for debugging and coverage. Knows no Ray."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import psutil
import pytest

from pytest_sweep import clock
from pytest_sweep.executors.own_shared import OwnSharedFixtures
from pytest_sweep.items.lifetimes import FixtureKeeper
from pytest_sweep.items.private import forget_sections
from pytest_sweep.items.tracing import PYTESTS_OWN, traced
from pytest_sweep.model import commands, events
from pytest_sweep.model.events import Event
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.shared import SharedReady, SharedStopped
from pytest_sweep.model.trials import Task
from pytest_sweep.wire.location import own_location
from pytest_sweep.wire.spec import SessionSpec
from pytest_sweep.worker.holding import run_protocol
from pytest_sweep.worker.judgement import TrialStopped
from pytest_sweep.worker.runner import TrialRunner, with_own_config
from pytest_sweep.worker.usage import Usage

_PROPERTIES = pytest.StashKey[Iterable[tuple[str, object]]]()
"""The properties of an item before its first attempt."""


class Unheard(Protocol):
    """Keeps what the running trial has said until it is stored, also if this process is killed."""

    def open(self, folder: str) -> None:
        """Begin to, in the folder of a run."""

    def write(self, event: object) -> None:
        """Keep an event; it survives the death of this process when this returns."""

    def clear(self) -> None:
        """Forget them: they are stored."""

    def close(self) -> None:
        """End: nothing runs any more, and all are stored."""


class InlineExecutor:
    """An executor without processes of its own.

    Its one worker is the driver: `events` runs the next trial. So what a trial reports is seen when the trial ends, except at milestones,
    and there are neither GPU grants nor fresh processes.

    Args:
        config: the driver's pytest configuration.
        keeper: keeps the fixtures of the driver's session between items.
        interruptible: what a trial runs in, so that Ctrl-C interrupts it at once.
        uninterruptible: what decisions run in while a trial runs, so that Ctrl-C comes after them.
        unheard: keeps what the running trial says; None where nobody would read it.
    """

    name = "inline"
    max_concurrent: int | None = 1
    can_kill = False
    can_gang = False
    starts_slowly = False
    advice = "The executor inline has the CPUs and the memory of this machine; GPUs, custom resources and labels need --sweep-executor=ray."

    def __init__(
        self,
        config: pytest.Config,
        keeper: FixtureKeeper,
        interruptible: Callable[[], AbstractContextManager[None]] = nullcontext,
        uninterruptible: Callable[[], AbstractContextManager[None]] = nullcontext,
        unheard: Unheard | None = None,
    ) -> None:
        self._unheard = unheard
        self._config = config
        self._interruptible = interruptible
        self._uninterruptible = uninterruptible
        self._decide: Callable[[], None] = lambda: None
        self._failure: BaseException | None = None
        self._keeper = keeper
        self._happened: deque[Any] = deque()
        self._waiting: deque[Task] = deque()
        self._worker: str | None = None
        self._lease = 0
        self._items: Mapping[str, pytest.Item] = {}
        self._runner: InlineRunner | None = None
        self._tracer: object | None = None
        self._usage = Usage(str(config.rootpath))
        config.add_cleanup(self._usage.close)

    def prepare(self) -> None:
        """Do nothing: there is nothing to start."""

    def starting(self) -> str:
        """Return nothing: it is up at once."""
        return ""

    def nodes(self) -> Sequence[events.Node]:
        """Return this machine, with its CPUs and its memory."""
        size = Resources(cpu=float(os.cpu_count() or 1), memory=psutil.virtual_memory().total)
        return [events.Node("inline", "127.0.0.1", size)]

    def expected_nodes(self) -> Sequence[Resources]:
        """Return this machine."""
        return [node.resources for node in self.nodes()]

    def future_nodes(self) -> Sequence[Resources]:
        """Return nothing: no machine will be added."""
        return ()

    def unshared(self, path: str) -> Sequence[str]:  # noqa: ARG002 - it is this machine's
        """Return nothing: there is one machine."""
        return ()

    def open(self, spec: SessionSpec, items: Mapping[str, pytest.Item]) -> None:
        """Take the items, which are run as they are, in the session that they were collected in."""
        self._items = items
        if self._unheard is not None:
            self._unheard.open(spec.results)
        self._runner = InlineRunner(
            self._take, own_location(), self._keeper, usage=self._usage, hurry=self._judge, patience=0.0
        )
        self._usage.begin(spec.known)
        self._config.pluginmanager.register(self._usage, "sweep-usage")
        self._config.pluginmanager.register(self._runner, "sweep-inline-runner")
        self._config.pluginmanager.register(self._runner.wide, "sweep-inline-wide-fixtures")
        self._config.pluginmanager.register(
            OwnSharedFixtures(self._runner, self._config.rootpath), "sweep-inline-shared"
        )
        self._tracer = self._config.pluginmanager.unregister(name=PYTESTS_OWN)

    def judge_by(self, decide: Callable[[], None]) -> None:
        """Take what is called when the trial has reported at a milestone."""
        self._decide = decide

    def execute(self, command: commands.ExecutorCommand, tasks: Sequence[Task] = ()) -> None:
        """Answer at once, but for trials, which `events` runs."""
        if isinstance(command, commands.Tell):
            if self._runner is not None:
                self._runner.tell(command)
        elif isinstance(command, commands.RunTrials):
            self._worker, self._lease = command.worker, command.lease
            self._waiting.extend(tasks)
        elif isinstance(command, commands.ReturnTrials):
            self._return_waiting(command)
        elif isinstance(command, commands.KillWorker):
            # No trial runs now, for it would run in `events`: what waits behind it is given back.
            self._waiting.clear()
            self._happened.append(events.WorkerDied(command.worker, "ended with the run", clock.wall()))
        elif isinstance(command, commands.StopWorker):
            self._happened.append(events.WorkerStopped(command.worker))
        elif isinstance(command, commands.BuildShared):  # By pytest, when the first trial asks for it.
            self._happened.append(SharedReady(command.fixture.id))
        elif isinstance(command, commands.StopShared):
            self._happened.append(SharedStopped(command.fixture))
        elif not isinstance(command, commands.RequestResources):  # There is no autoscaler to ask.
            self._happened.append(events.WorkerStarted(command.worker, own_location()))

    def events(self, timeout: float) -> Sequence[events.Event]:  # noqa: ARG002 - a trial takes its time
        """Run the next trial, if one waits, and return what happened."""
        if not self._happened and self._waiting and self._runner is not None and self._worker is not None:
            task = self._waiting.popleft()
            if self._unheard is not None:
                self._unheard.clear()
            try:
                with self._interruptible():
                    self._runner.run(self._items[task.trial.key], task)
                if self._failure is not None:
                    raise self._failure
            except BaseException:  # The session's end, not the trial's: it is cut off, and has not failed.
                said = [event for event in self.arrived() if not isinstance(event, events.TrialFinished)]
                self._happened.extend(said)
                raise
            if not self._waiting:
                self._happened.append(events.BatchDone(self._worker, self._lease))
        return self.arrived()

    def _return_waiting(self, command: commands.ReturnTrials) -> None:
        """Give back what waits, and end its call."""
        while self._waiting and command.lease == self._lease:
            task = self._waiting.pop()
            self._happened.append(events.TrialReturned(task.trial.key, task.attempt, lease=task.lease))
            if not self._waiting:
                self._happened.append(events.BatchDone(command.worker, command.lease))

    def _judge(self) -> None:
        """Have a report handled while its trial runs; where that fails the run cannot go on, and the trial is ended."""
        __tracebackhide__ = True
        if threading.current_thread() is not threading.main_thread():
            return  # The loop is the main thread's; the trial obeys later.
        if self._failure is None:
            with self._uninterruptible():
                try:
                    self._decide()
                except BaseException as error:
                    self._failure = error
        if self._failure is not None:
            raise TrialStopped("the run cannot go on")

    def arrived(self) -> Sequence[Event]:
        """Return what the trial has said that has run last, or so far."""
        happened: list[Event] = []
        while self._happened:  # One by one: other threads of a trial that waits for a verdict go on reporting.
            happened.append(self._happened.popleft())
        return happened

    def cut_off(self) -> Sequence[Event]:
        """Return what the trial has said that has run last: none runs now."""
        self._waiting.clear()
        return self.arrived()

    def shutdown(self, *, force: bool) -> None:  # noqa: ARG002 - there is nothing to kill
        """Forget the items; their fixtures are the driver's to tear down."""
        if self._runner is not None:
            self._config.pluginmanager.unregister(self._runner)
            self._config.pluginmanager.unregister(self._runner.wide)
            self._config.pluginmanager.unregister(name="sweep-inline-shared")
            self._config.pluginmanager.unregister(self._usage)
            self._runner = None
            if self._unheard is not None:
                self._unheard.close()
        if self._tracer is not None:
            self._config.pluginmanager.register(self._tracer, PYTESTS_OWN)
            self._tracer = None

    def join(self) -> None:
        """Do nothing: there is nothing to wait for."""

    def describe(self) -> str:
        """Return what the status block says of it."""
        return "inline (this process)"

    def _take(self, event: object) -> None:
        if self._unheard is not None:
            self._unheard.write(event)
        self._happened.append(event)


class InlineRunner(TrialRunner):
    """Runs an item without showing its reports: they are shown when they have been stored. Those of subtests are shown at once."""

    _before: pytest.Item | None = None

    def run(self, item: pytest.Item, task: Task) -> None:
        """Run `item` with a configuration of its own, and without what an earlier attempt has left: elsewhere each has its own item."""
        item.user_properties[:] = item.stash.setdefault(_PROPERTIES, tuple(item.user_properties))
        forget_sections(item)
        # Fixtures of wider scope are torn down before the next trial, or with the session: their output belongs to the last one.
        before, self._before = self._before, item
        super().run(item, with_own_config(task))
        if before is not None and before is not item:
            forget_sections(before)

    def body_of(self, item: pytest.Function) -> Callable[..., Any]:
        """Return the item's function, which ``--trace`` stops at the start of."""
        return traced(item.obj, item.config)

    def run_protocol(self, item: pytest.Item, nextitem: Any) -> None:
        """Run an item; what is logged of it is taken, and shown later."""
        run_protocol(item, nextitem, self.take)
