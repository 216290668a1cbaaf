"""Whatever happens in whatever order: no trial is lost, begun twice, finished twice, or ended for a limit that it has not exceeded.

Hypothesis plays the executor and the cluster: processes that die and whose last words come late, nodes that are lost, drained, excluded, or
used by others, a driver that stalls while the processes go on.
"""

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
SHAPES = (
    Resources(cpu=0),
    Resources(cpu=1),
    Resources(cpu=2),
    Resources(cpu=4),
    Resources(cpu=1, gpu=0.5),
    Resources(cpu=0.1),
)
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
    Sweep("test_a.py::limited", "limited", retries=1, timeout=5.0),
)
EXAMPLES = int(os.environ.get("HYPOTHESIS_MAX_EXAMPLES", "40"))
"""How many random runs there are; tox lets the variable through."""

FINISHED = (TrialState.TERMINATED, TrialState.ERROR, TrialState.SKIPPED, TrialState.STOPPED)


@dataclasses.dataclass
class Process:
    """A worker as it would really be: `batch` is what it has under `lease`, the first of it runs when `runs`.

    `since` is when it began what it does now: to run, to tear down the fixtures of `tears`, or to wait with what it was handed.
    What `is_asked_back` is given back before it begins.
    """

    resources: Resources
    nodes: tuple[str, ...]
    is_ready: bool = False
    is_stopping: bool = False
    is_killed: bool = False
    is_dead: bool = False
    runs: bool = False
    lease: int = 0
    since: float = 0.0
    last: str | None = None
    tears: str | None = None
    is_asked_back: bool = False
    batch: list[tuple[str, int]] = dataclasses.field(default_factory=list)


class EngineMachine(RuleBasedStateMachine):
    """A controller, and an executor that hypothesis plays."""

    @initialize(
        limit=st.sampled_from([None, 1, 3]), abort_after=st.sampled_from([0, 3]), timeout=st.sampled_from([None, 20.0])
    )
    def begin(self, limit: int | None, abort_after: int, timeout: float | None) -> None:
        self.controller = Controller(Policy(max_concurrent=limit, abort_after=abort_after, timeout=timeout))
        self.limit = limit
        self.timeout = timeout
        self.now = 0.0
        self.processes: dict[str, Process] = {}
        self.added: set[str] = set()
        self.finished: Counter[str] = Counter()
        self.begun: dict[str, int] = {}
        self.given_up: set[str] = set()
        self.excluded: Counter[str] = Counter()
        self.nodes = NODES
        self.taken: dict[str, Resources] = {}
        self.is_stalled = self.is_over = False
        self.mail: list[events.Event] = []
        self.late: list[events.Event] = []
        self.tell(events.Tick(0.0))
        self.tell(events.NodesChanged(NODES))

    def tell(self, event: events.Event) -> None:
        for command in self.controller.handle(event):
            self.obey(command)

    def say(self, event: events.Event) -> None:
        """Tell what a process says; while the driver stalls it is on its way."""
        if isinstance(event, (events.TrialStarted, events.TrialFinished, events.TrialReturned, events.BatchDone)):
            self.late.append(event)  # It may be told again.
        if self.is_stalled:
            self.mail.append(event)
        else:
            self.tell(event)

    def obey(self, command: commands.Command) -> None:
        if isinstance(command, commands.Record):
            self.note(command.event)
        elif isinstance(command, commands.EndRun):
            assert not self.busy
            assert not self.starting
            self.is_over = True
        elif isinstance(command, commands.StartWorker):
            assert command.worker not in self.processes
            assert command.nodes
            assert set(command.nodes) <= self.usable
            self.processes[command.worker] = Process(command.resources, command.nodes, since=self.now)
        else:
            assert isinstance(
                command,
                (
                    commands.StopWorker,
                    commands.KillWorker,
                    commands.RestartWorker,
                    commands.RunTrials,
                    commands.ReturnTrials,
                ),
            )
            process = self.processes.get(command.worker)
            if process is None:  # It has died while it was to stop, and its death is on its way.
                assert self.is_on_its_way(command.worker)
                return
            self.order(process, command)

    def order(self, process: Process, command: commands.WorkerCommand) -> None:
        if isinstance(command, commands.ReturnTrials):
            process.is_asked_back = process.is_asked_back or command.lease == process.lease
            return
        if process.is_dead and isinstance(command, (commands.KillWorker, commands.RunTrials)):
            return  # Its death is on its way, and is the answer to that.
        if isinstance(command, commands.KillWorker):
            self.kill(command.worker, process)
            return
        assert not process.is_stopping, f"{command} reaches a worker that was told to stop"
        if isinstance(command, commands.StopWorker):
            assert command.within is not None
            process.is_stopping, process.is_killed = True, False
            if any(isinstance(event, events.WorkerDied) and event.worker == command.worker for event in self.mail):
                del self.processes[command.worker]  # When its death is heard of it is taken to have stopped.
        elif isinstance(command, commands.RestartWorker):
            assert not process.batch
            assert set(process.nodes) <= self.usable
            process.is_ready = process.is_killed = process.is_dead = False
            process.tears = None
        elif isinstance(command, commands.RunTrials):
            assert process.is_ready
            assert not process.batch
            assert {node.id for node in self.nodes if not node.is_leaving} >= set(process.nodes)
            for key, _ in command.trials:
                assert self.controller.trial(key).sweep.id not in self.given_up
            process.batch, process.lease, process.since = list(command.trials), command.lease, self.now
            process.is_asked_back = False

    def kill(self, name: str, process: Process) -> None:
        assert process.is_stopping or process.batch or process.tears or self.is_on_its_way(name), (
            "an idle worker is killed"
        )
        assert process.is_stopping or not process.is_killed, "a worker is killed twice"
        process.is_killed = True
        is_gone = not set(process.nodes) <= {node.id for node in self.nodes if not node.is_leaving}
        if is_gone or process.is_stopping:
            return
        # It was not for its node: then something has taken too long, and really so.
        key = process.tears or process.batch[0][0]
        own = self.controller.trial(key).sweep.timeout
        limit = self.timeout if own is None else own
        assert limit is not None, f"{name} was killed without a limit"
        assert self.now - process.since >= limit - 1e-6, f"{name} was killed after {self.now - process.since} s"

    def is_on_its_way(self, name: str) -> bool:
        kinds = (events.BatchDone, events.WorkerDied, events.WorkerStopped, events.WorkerFailed)
        return any(isinstance(event, kinds) and event.worker == name for event in self.mail)

    def note(self, event: events.Accepted) -> None:
        if isinstance(event, events.TrialStarted):
            assert self.begun.get(event.key, 0) < event.attempt, "an attempt was begun twice"
            self.begun[event.key] = event.attempt
        elif isinstance(event, (events.TrialFinished, events.TrialInterrupted, events.TrialNotRun)):
            self.finished[event.key] += 1
            if not isinstance(event, events.TrialFinished) and "all failed with" in event.reason:
                self.given_up.add(self.controller.trial(event.key).sweep.id)
        elif isinstance(event, events.NodeExcluded):
            self.excluded[event.address] += 1

    def pick(self, data: st.DataObject, wanted: list[str]) -> tuple[str, Process]:
        name = data.draw(st.sampled_from(wanted))
        return name, self.processes[name]

    def wall(self, process: Process) -> float:
        """Return what the clock of a process says: each node has its own."""
        return 1e9 + self.now + {"node-1": 0.0, "node-2": 500.0, "node-3": -300.0}[process.nodes[0]]

    @property
    def usable(self) -> set[str]:
        """The nodes on which something may begin."""
        return {machine.id for machine in self.nodes if not machine.is_leaving and not self.excluded[machine.address]}

    @property
    def starting(self) -> list[str]:
        return [
            name
            for name, process in self.processes.items()
            if not process.is_ready and not process.is_stopping and not process.is_dead
        ]

    @property
    def ready(self) -> list[str]:
        return [name for name, process in self.processes.items() if process.is_ready]

    @property
    def busy(self) -> list[str]:
        return [name for name, process in self.processes.items() if process.batch and not process.is_stopping]

    @property
    def stopping(self) -> list[str]:
        return [name for name, process in self.processes.items() if process.is_stopping]

    @precondition(lambda self: not self.is_over and not self.is_stalled)
    @rule(count=st.integers(1, 12), resources=st.sampled_from(SHAPES), sweep=st.sampled_from(SWEEPS))
    def add(self, count: int, resources: Resources, sweep: Sweep) -> None:
        trials = make_trials(count, resources, sweep, first=len(self.added))
        self.added |= {trial.key for trial in trials}
        self.tell(events.TrialsAdded(tuple(trials)))

    @precondition(lambda self: not self.is_over and not self.is_stalled)
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
        self.say(events.WorkerStarted(name, "here", process.nodes))

    @precondition(lambda self: self.starting)
    @rule(data=st.data(), is_granted=st.booleans())
    def wait_for_the_cluster(self, data: st.DataObject, is_granted: bool) -> None:
        name, _ = self.pick(data, self.starting)
        self.say(events.WorkerStarting(name, is_granted))

    @precondition(lambda self: self.starting)
    @rule(data=st.data())
    def fail_to_start(self, data: st.DataObject) -> None:
        """No worker can be started on a node, for good."""
        name, process = self.pick(data, self.starting)
        del self.processes[name]
        self.say(events.WorkerFailed(name, "no such module", process.nodes[:1]))

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), state=st.sampled_from(FINISHED), duration=st.sampled_from([0.0, 0.01, 5.0]))
    def go_on(self, data: st.DataObject, state: TrialState, duration: float) -> None:
        name, _ = self.pick(data, self.busy)
        self.step(name, state, duration)

    def step(self, name: str, state: TrialState, duration: float) -> None:
        """Begin the first trial of a worker's batch, or end it."""
        process = self.processes[name]
        key, attempt = process.batch[0]
        if not process.runs and process.is_asked_back:
            self.give_back(name, process)
            return
        if not process.runs:
            process.runs, process.since, process.tears = True, self.now, None
            self.say(events.TrialStarted(key, attempt, self.wall(process), "here", lease=process.lease))
            return
        process.batch.pop(0)
        process.runs, process.since, process.last = False, self.now, key
        end = ended(self.controller.trial(key), state, attempt)
        self.say(dataclasses.replace(end, duration=duration, time=self.wall(process), lease=process.lease))
        self.free(name, process)

    def free(self, name: str, process: Process) -> None:
        if not process.batch and not process.is_stopping:
            process.tears = None
            self.say(events.BatchDone(name, process.lease))

    @precondition(lambda self: any(self.processes[name].runs for name in self.busy))
    @rule(data=st.data(), checkpoint=st.sampled_from([None, "1-000001"]))
    def report(self, data: st.DataObject, checkpoint: str | None) -> None:
        _, process = self.pick(data, [name for name in self.busy if self.processes[name].runs])
        report = events.TrialReported(*process.batch[0], {"training_iteration": 1}, checkpoint, lease=process.lease)
        self.say(report)

    @precondition(lambda self: any(self.processes[name].last for name in self.busy))
    @rule(data=st.data())
    def tear_down(self, data: st.DataObject) -> None:
        """Before its next trial a worker tears down what the last one was the last to use."""
        name, process = self.pick(data, [name for name in self.busy if self.processes[name].last])
        if not process.runs and process.last is not None:
            if process.tears is None:
                process.tears, process.since = process.last, self.now
            self.say(events.TeardownStarted(name, process.last, "db (session scope, test_a.py)"))

    @precondition(lambda self: not self.is_stalled)
    @rule(states=st.tuples(*[st.sampled_from(["there", "there", "leaves", "gone"])] * len(NODES)))
    def change_nodes(self, states: tuple[str, ...]) -> None:
        """Nodes are drained, are lost, and come back."""
        there = [(machine, state) for machine, state in zip(NODES, states, strict=True) if state != "gone"]
        self.nodes = tuple(dataclasses.replace(machine, is_leaving=state == "leaves") for machine, state in there)
        self.tell_nodes()

    @precondition(lambda self: not self.is_stalled)
    @rule(node=st.sampled_from(NODES), cpu=st.sampled_from([0.0, 1.0, 2.0, 4.0]))
    def others_take(self, node: events.Node, cpu: float) -> None:
        """Others use the cluster, too."""
        self.taken[node.id] = Resources(cpu=cpu)
        self.tell_nodes()

    def tell_nodes(self) -> None:
        none = Resources(cpu=0.0)
        self.tell(
            events.NodesChanged(
                tuple(dataclasses.replace(node, taken=self.taken.get(node.id, none)) for node in self.nodes)
            )
        )

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def return_waiting(self, data: st.DataObject) -> None:
        self.give_back(*self.pick(data, self.busy))

    def give_back(self, name: str, process: Process) -> None:
        """What has not begun is given back."""
        while len(process.batch) > (1 if process.runs else 0):
            self.say(events.TrialReturned(*process.batch.pop(), lease=process.lease))
        self.free(name, process)

    @precondition(lambda self: self.ready)
    @rule(data=st.data(), kind=st.sampled_from(events.Death))
    def die(self, data: st.DataObject, kind: events.Death) -> None:
        name, process = self.pick(data, self.ready)
        if not process.is_dead and (process.batch or not self.is_on_its_way(name)):
            self.bury(name, process, kind)

    def bury(self, name: str, process: Process, kind: events.Death = events.Death.CRASH) -> None:
        """Let a process be dead, whatever it did; what it would have said then may come late."""
        if process.is_stopping:
            del self.processes[name]
        for key, attempt in process.batch:
            self.late += [
                events.TrialStarted(key, attempt, self.wall(process), "here", lease=process.lease),
                dataclasses.replace(ended(self.controller.trial(key), attempt=attempt), lease=process.lease),
                events.TrialReturned(key, attempt, lease=process.lease),
            ]
        self.late.append(events.BatchDone(name, process.lease))
        process.batch, process.runs, process.is_killed, process.tears, process.last = [], False, False, None, None
        process.is_ready, process.is_dead = False, True
        self.say(events.WorkerDied(name, "killed", 100.0, kind))

    @precondition(lambda self: self.stopping)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        name, _ = self.pick(data, self.stopping)
        del self.processes[name]
        self.say(events.WorkerStopped(name))

    @rule(seconds=st.sampled_from([0.2, 4.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        if not self.is_stalled:
            self.tell(events.Tick(self.now))

    @precondition(lambda self: not self.is_stalled)
    @rule()
    def stall(self) -> None:
        """The driver sleeps; the processes do not."""
        self.is_stalled = True
        self.stalled_at = self.now

    @precondition(lambda self: self.is_stalled)
    @rule(part=st.floats(0.0, 1.0))
    def wake(self, part: float) -> None:
        """The driver goes on; a part of what has happened meanwhile is told half a second later."""
        first = len(self.mail) if self.now - self.stalled_at < 0.6 else round(part * len(self.mail))
        for count in (first, len(self.mail)):
            self.now += 0.2
            self.tell(events.Advanced(self.now))
            for _ in range(min(count, len(self.mail))):
                event, *self.mail = self.mail
                self.tell(event)
            self.tell(events.Tick(self.now))
        for _ in range(len(self.mail)):
            event, *self.mail = self.mail
            self.tell(event)
        self.is_stalled = False

    @precondition(lambda self: self.late and not self.is_stalled)
    @rule(data=st.data())
    def hear_late(self, data: st.DataObject) -> None:
        """What was said before is not taken a second time, and nothing that a dead process has to say."""
        event = data.draw(st.sampled_from(self.late))
        assert self.controller.handle(event) == []

    @precondition(lambda self: self.added)
    @rule(data=st.data(), attempt=st.integers(-1, 0))
    def hear_an_old_attempt(self, data: st.DataObject, attempt: int) -> None:
        """What no attempt that counts has sent is refused."""
        key = data.draw(st.sampled_from(sorted(self.added)))
        assert self.controller.handle(ended(self.controller.trial(key), attempt=attempt)) == []

    @invariant()
    def no_node_holds_more_than_it_has(self) -> None:
        for machine in NODES:
            held, without = Resources(cpu=0.0), 0
            for process in self.processes.values():
                held = held.plus(process.resources.times(process.nodes.count(machine.id)))
                without += process.nodes.count(machine.id) if not process.resources.cpu else 0
            assert held.fits(machine.resources)
            assert without <= machine.resources.cpu

    @invariant()
    def no_more_than_the_limit(self) -> None:
        assert self.limit is None or len(self.processes) <= self.limit

    @invariant()
    def nothing_is_finished_twice(self) -> None:
        assert not self.finished or max(self.finished.values()) <= 1

    @invariant()
    def no_node_is_excluded_twice(self) -> None:
        assert not self.excluded or max(self.excluded.values()) <= 1

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

    def go_on_everywhere(self) -> None:
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

    def teardown(self) -> None:
        """Let everything run to its end, and find every trial finished once."""
        if not hasattr(self, "controller"):
            return
        if self.is_stalled:
            self.wake(1.0)
        self.nodes, self.taken = NODES, {}
        self.tell_nodes()
        for _ in range(5000):
            if self.controller.done or self.is_over:
                break
            self.go_on_everywhere()
        if self.is_over:
            self.tell(events.RunEnding("no node is left"))
        assert self.controller.done, f"{sorted(self.added - set(self.finished))} were forgotten"
        assert set(self.finished) == self.added
        for command in self.controller.stop_workers():
            self.obey(command)
        for name in list(self.processes):
            self.tell(events.WorkerStopped(name))
        assert not self.controller.capacity.workers


def test_random_runs() -> None:
    """In random runs every trial ends, once, and no resources are granted twice."""
    run_state_machine_as_test(EngineMachine, settings=settings(max_examples=EXAMPLES, stateful_step_count=50))
