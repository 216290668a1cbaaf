"""Whatever happens in whatever order: no trial is lost, none is finished twice, no node holds more than it has."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pytest_sweep.engine.controller import Controller
from pytest_sweep.engine.policy import Policy
from pytest_sweep.model import Resources, Sweep, TrialState, commands, events
from pytest_sweep.model.placement import Placement
from tests.support.driven import ended, make_trials, node

NODES = tuple(
    dataclasses.replace(machine, labels={"zone": zone})
    for machine, zone in ((node(1, 4, gpu=1), "a"), (node(2, 2), "b"), (node(3, 4), "b"))
)
SHAPES = (Resources(cpu=1), Resources(cpu=2), Resources(cpu=4), Resources(cpu=1, gpu=0.5), Resources(cpu=0.1))
GANGS = (
    Placement(workers=3),
    Placement(workers=6),
    Placement(workers=4, strategy="STRICT_PACK"),
    Placement(workers=2, strategy="STRICT_SPREAD"),
    Placement(workers=4, nodes=2),
    Placement(labels=(("zone", "b"),)),
    Placement(workers=2, labels=(("zone", "b"),), strategy="SPREAD"),
)
SWEEPS = (
    Sweep("test_a.py::train", "train"),
    Sweep("test_a.py::retried", "retried", retries=2, backoff=7.0),
    Sweep("test_a.py::fragile", "fragile", worker_retries=0, retries=1),
    Sweep("test_a.py::fresh", "fresh", fresh_process=True),
)
EXAMPLES = int(os.environ.get("HYPOTHESIS_MAX_EXAMPLES", "40"))
"""How many random runs there are; tox lets the variable through."""

FINISHED = (TrialState.TERMINATED, TrialState.ERROR, TrialState.SKIPPED, TrialState.STOPPED)


@dataclasses.dataclass
class Process:
    """A worker as it would really be: `batch` is what it has, the first of it runs when `runs`."""

    resources: Resources
    nodes: tuple[str, ...]
    is_ready: bool = False
    is_stopping: bool = False
    is_killed: bool = False
    runs: bool = False
    batch: list[tuple[str, int]] = dataclasses.field(default_factory=list)


class EngineMachine(RuleBasedStateMachine):
    """A controller, and an executor that hypothesis plays."""

    @initialize(
        limit=st.sampled_from([None, 1, 3]), abort_after=st.sampled_from([0, 3]), timeout=st.sampled_from([None, 20.0])
    )
    def begin(self, limit: int | None, abort_after: int, timeout: float | None) -> None:
        self.controller = Controller(Policy(max_concurrent=limit, abort_after=abort_after, timeout=timeout))
        self.limit = limit
        self.now = 0.0
        self.processes: dict[str, Process] = {}
        self.added: set[str] = set()
        self.finished: Counter[str] = Counter()
        self.running: dict[str, int] = {}
        self.nodes = NODES
        self.tell(events.NodesChanged(NODES))

    def tell(self, event: events.Event) -> None:
        for command in self.controller.handle(event):
            self.obey(command)

    def obey(self, command: commands.Command) -> None:
        if isinstance(command, commands.Record):
            self.note(command.event)
        elif isinstance(command, commands.StartWorker):
            assert command.worker not in self.processes
            assert command.nodes
            assert set(command.nodes) <= self.usable
            self.processes[command.worker] = Process(command.resources, command.nodes)
        elif isinstance(command, (commands.EndRun, commands.BuildShared, commands.StopShared)):
            raise AssertionError(command)
        else:
            process = self.processes[command.worker]
            assert not process.is_stopping, f"{command} reaches a worker that was told to stop"
            if isinstance(command, commands.StopWorker):
                process.is_stopping, process.is_killed = True, False
            elif isinstance(command, commands.KillWorker):
                assert process.batch, "an idle worker is killed"
                assert not process.is_killed, "a worker is killed twice"
                process.is_killed = True
            elif isinstance(command, commands.RestartWorker):
                assert not process.batch
                assert set(process.nodes) <= self.usable
                process.is_ready = process.is_killed = False
            else:
                assert process.is_ready
                assert not process.batch
                assert set(process.nodes) <= self.usable
                process.batch = list(command.trials)

    def note(self, event: events.Accepted) -> None:
        if isinstance(event, events.TrialStarted):
            assert self.running.get(event.key, 0) < event.attempt, "an attempt was begun twice"
            self.running[event.key] = event.attempt
        elif isinstance(event, (events.TrialFinished, events.TrialNotRun)):
            self.finished[event.key] += 1

    def pick(self, data: st.DataObject, wanted: list[str]) -> tuple[str, Process]:
        name = data.draw(st.sampled_from(wanted))
        return name, self.processes[name]

    @property
    def usable(self) -> set[str]:
        """The nodes on which something may begin."""
        return {machine.id for machine in self.nodes if not machine.is_leaving}

    @property
    def starting(self) -> list[str]:
        return [name for name, process in self.processes.items() if not process.is_ready and not process.is_stopping]

    @property
    def ready(self) -> list[str]:
        return [name for name, process in self.processes.items() if process.is_ready]

    @property
    def busy(self) -> list[str]:
        return [name for name, process in self.processes.items() if process.batch and not process.is_stopping]

    @property
    def stopping(self) -> list[str]:
        return [name for name, process in self.processes.items() if process.is_stopping]

    @rule(count=st.integers(1, 12), resources=st.sampled_from(SHAPES), sweep=st.sampled_from(SWEEPS))
    def add(self, count: int, resources: Resources, sweep: Sweep) -> None:
        trials = make_trials(count, resources, sweep, first=len(self.added))
        self.added |= {trial.key for trial in trials}
        self.tell(events.TrialsAdded(tuple(trials)))

    @rule(count=st.integers(1, 4), placement=st.sampled_from(GANGS))
    def add_gangs(self, count: int, placement: Placement) -> None:
        trials = make_trials(count, Resources(cpu=1), first=len(self.added), placement=placement)
        self.added |= {trial.key for trial in trials}
        self.tell(events.TrialsAdded(tuple(trials)))

    @precondition(lambda self: self.starting)
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        name, process = self.pick(data, self.starting)
        process.is_ready = True
        self.tell(events.WorkerStarted(name, "here", process.nodes))

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), state=st.sampled_from(FINISHED), duration=st.sampled_from([0.0, 0.01, 5.0]))
    def go_on(self, data: st.DataObject, state: TrialState, duration: float) -> None:
        name, _ = self.pick(data, self.busy)
        self.step(name, state, duration)

    def step(self, name: str, state: TrialState, duration: float) -> None:
        """Begin the first trial of a worker's batch, or end it."""
        process = self.processes[name]
        key, attempt = process.batch[0]
        if not process.runs:
            process.runs = True
            self.tell(events.TrialStarted(key, attempt, 100.0, "here"))
            return
        process.batch.pop(0)
        process.runs = False
        self.tell(dataclasses.replace(ended(self.controller.trial(key), state, attempt), duration=duration))
        self.free(name, process)

    def free(self, name: str, process: Process) -> None:
        if not process.batch and not process.is_stopping:
            self.tell(events.BatchDone(name))

    @precondition(lambda self: any(self.processes[name].runs for name in self.busy))
    @rule(data=st.data(), checkpoint=st.sampled_from([None, "1-000001"]))
    def report(self, data: st.DataObject, checkpoint: str | None) -> None:
        _, process = self.pick(data, [name for name in self.busy if self.processes[name].runs])
        self.tell(events.TrialReported(*process.batch[0], {"training_iteration": 1}, checkpoint))

    @rule(states=st.tuples(*[st.sampled_from(["there", "there", "leaves", "gone"])] * len(NODES)))
    def change_nodes(self, states: tuple[str, ...]) -> None:
        """Nodes are drained, are lost, and come back."""
        there = [(machine, state) for machine, state in zip(NODES, states, strict=True) if state != "gone"]
        self.nodes = tuple(dataclasses.replace(machine, is_leaving=state == "leaves") for machine, state in there)
        self.tell(events.NodesChanged(self.nodes))

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def return_waiting(self, data: st.DataObject) -> None:
        name, process = self.pick(data, self.busy)
        while len(process.batch) > (1 if process.runs else 0):
            self.tell(events.TrialReturned(*process.batch.pop()))
        self.free(name, process)

    @precondition(lambda self: self.ready)
    @rule(data=st.data(), kind=st.sampled_from(events.Death))
    def die(self, data: st.DataObject, kind: events.Death) -> None:
        name, process = self.pick(data, self.ready)
        self.bury(name, process, kind)

    def bury(self, name: str, process: Process, kind: events.Death = events.Death.CRASH) -> None:
        """Let a process be dead, whatever it did."""
        if process.is_stopping:
            del self.processes[name]
        process.batch, process.runs, process.is_killed = [], False, False
        self.tell(events.WorkerDied(name, "killed", 100.0, kind))

    @precondition(lambda self: self.stopping)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        name, _ = self.pick(data, self.stopping)
        del self.processes[name]
        self.tell(events.WorkerStopped(name))

    @rule(seconds=st.sampled_from([0.2, 31.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.tell(events.Tick(self.now))

    @precondition(lambda self: self.added)
    @rule(data=st.data(), attempt=st.integers(-1, 0))
    def hear_an_old_attempt(self, data: st.DataObject, attempt: int) -> None:
        """What no attempt that counts has sent is refused."""
        key = data.draw(st.sampled_from(sorted(self.added)))
        before = self.finished[key]
        self.tell(ended(self.controller.trial(key), attempt=attempt))
        assert self.finished[key] == before

    @invariant()
    def no_node_holds_more_than_it_has(self) -> None:
        for machine in NODES:
            held = Resources(cpu=0.0)
            for process in self.processes.values():
                held = held.plus(process.resources.times(process.nodes.count(machine.id)))
            assert held.fits(machine.resources)

    @invariant()
    def no_more_than_the_limit(self) -> None:
        assert self.limit is None or len(self.processes) <= self.limit

    @invariant()
    def nothing_is_finished_twice(self) -> None:
        assert not self.finished or max(self.finished.values()) <= 1

    @invariant()
    def what_waits_is_explained(self) -> None:
        waiting = self.controller.waiting()
        why = [wait.why for key in self.added if (wait := waiting.of(key)) is not None]
        assert all(why)
        assert sum(group.trials for group in waiting.groups) == len(why)

    @invariant()
    def nobody_has_the_same(self) -> None:
        held = [key for process in self.processes.values() for key, _ in process.batch]
        assert len(held) == len(set(held))

    def teardown(self) -> None:
        """Let everything run to its end, and find every trial finished once."""
        if not hasattr(self, "controller"):
            return
        self.nodes = NODES
        self.tell(events.NodesChanged(NODES))
        for _ in range(5000):
            if self.controller.done:
                break
            for name in self.starting:
                self.processes[name].is_ready = True
                self.tell(events.WorkerStarted(name, "here", self.processes[name].nodes))
            for name in self.stopping:
                del self.processes[name]
                self.tell(events.WorkerStopped(name))
            for name in [name for name, process in self.processes.items() if process.is_killed]:
                self.bury(name, self.processes[name])
            for name in self.busy:
                self.step(name, TrialState.TERMINATED, 0.01)
            self.now += 5.0
            self.tell(events.Tick(self.now))
        assert self.controller.done, f"{sorted(self.added - set(self.finished))} were forgotten"
        assert set(self.finished) == self.added
        for command in self.controller.stop_workers():
            self.obey(command)
        for name in list(self.processes):
            self.tell(events.WorkerStopped(name))
        assert not self.controller.capacity.workers


def test_random_runs() -> None:
    """In random runs every trial ends, once, and no resources are granted twice."""
    run_state_machine_as_test(EngineMachine, settings=settings(max_examples=EXAMPLES, stateful_step_count=40))
