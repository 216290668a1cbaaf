"""The engine says what each trial waits for, why it has not got it, and who has."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_sweep.engine.holders import amount_text, joined
from pytest_sweep.engine.policy import Policy
from pytest_sweep.model import Resources, Sweep, Trial, TrialState, events
from pytest_sweep.model.placement import Placement
from pytest_sweep.model.waiting import Wait
from pytest_sweep.testing.samples import SWEEP
from tests.support.driven import ONE_CPU, Engine, ended, make_trials, node

TWO_CPUS = Resources(cpu=2)


def busy(engine: Engine, trials: list[Trial], resources: Resources) -> None:
    """Add trials, and have the workers of all of them run."""
    before = len(engine.controller.capacity.workers)
    engine.add([dataclasses.replace(trial, resources=resources) for trial in trials])
    for number in range(before + 1, before + len(trials) + 1):
        engine.start(f"worker-{number}")
    for trial in trials:
        engine.begin(trial)


def only_wait(engine: Engine) -> Wait:
    """Return what all that waits waits for."""
    (group,) = engine.controller.waiting().groups
    return group.wait


def waits(engine: Engine) -> list[tuple[int, str, str]]:
    return [(group.trials, group.wait.what, group.wait.why) for group in engine.controller.waiting().groups]


class TestRoom:
    def test_a_full_node(self) -> None:
        """What is missing is named with how much of it is free where, and the trials that hold it, with how much they do."""
        engine = Engine([node(cpu=4)])
        busy(engine, make_trials(1, first=50), Resources(cpu=3))
        engine.add(make_trials(12, TWO_CPUS))
        (group,) = engine.controller.waiting().groups
        assert (group.trials, group.sweeps) == (12, (SWEEP.name,))
        assert group.wait == Wait("2 CPUs", "node 10.0.0.1 has 1 of 4 CPUs free; train[a=50] (3 CPUs) holds the rest")

    def test_many_holders(self) -> None:
        """Of many holders those that hold most are named, the others counted."""
        engine = Engine([node(cpu=16)])
        busy(engine, make_trials(14, first=50), ONE_CPU)
        busy(engine, make_trials(1, first=80), TWO_CPUS)
        engine.add(make_trials(1))
        names = "train[a=80] (2 CPUs), train[a=50] (1 CPU), train[a=51] (1 CPU) and 12 more trials"
        assert only_wait(engine).why == f"node 10.0.0.1 has 0 of 16 CPUs free; {names} hold the rest"

    def test_only_what_is_missing(self) -> None:
        """Of a request for CPUs and a GPU only the GPU is missing: who holds nothing but CPUs is not named."""
        engine = Engine([node(cpu=8, gpu=1)])
        busy(engine, make_trials(1, first=50), ONE_CPU)
        busy(engine, make_trials(1, first=51), Resources(cpu=1, gpu=1))
        engine.add(make_trials(1, Resources(cpu=2, gpu=0.5)))
        assert only_wait(engine) == Wait(
            "0.5 GPU", "node 10.0.0.1 has 0 of 1 GPU free; train[a=51] (1 GPU) holds the rest"
        )

    def test_several_kinds(self) -> None:
        """Memory and custom resources have their units; what is missing together is named together."""
        size = Resources(cpu=8, memory=8 * 2**30, custom=(("tape", 2.0),))
        engine = Engine([events.Node("node-1", "10.0.0.1", size)])
        busy(engine, make_trials(1, first=50), Resources(cpu=1, memory=6 * 2**30, custom=(("tape", 1.0),)))
        engine.add(make_trials(1, Resources(cpu=1, memory=4 * 2**30, custom=(("tape", 2.0),))))
        what, why = "4 GiB memory and 2 tape", "node 10.0.0.1 has 2 of 8 GiB memory and 1 of 2 tape free"
        assert only_wait(engine) == Wait(what, f"{why}; train[a=50] (6 GiB memory and 1 tape) holds the rest")

    def test_the_nearest_of_several_nodes(self) -> None:
        """Of several nodes the one is named that lacks least; one that could never hold it is not counted."""
        engine = Engine([node(1, 4), node(2, 4), node(3, 1)])
        busy(engine, make_trials(1, first=50), Resources(cpu=4))
        busy(engine, make_trials(1, first=51), Resources(cpu=3))
        engine.add(make_trials(1, TWO_CPUS))
        free = "node 10.0.0.2 has 1 of 4 CPUs free, the most of 2 nodes"
        assert only_wait(engine).why == f"{free}; train[a=51] (3 CPUs) holds the rest"

    def test_labels(self) -> None:
        """A label narrows the nodes that are looked at, and is named."""
        here = dataclasses.replace(node(1, 1), labels={"zone": "a"})
        engine = Engine([here, node(2, 4)])
        placement = Placement(labels=(("zone", "a"),))
        first, second = make_trials(2, placement=placement)
        engine.add([first, second])
        engine.start("worker-1")
        engine.begin(first)
        assert only_wait(engine) == Wait(
            "1 CPU (label zone=a)", "node 10.0.0.1 has 0 of 1 CPU free; train[a=0] (1 CPU) holds the rest"
        )

    def test_workers_without_a_trial(self) -> None:
        """Who starts or stops holds something, too, and it is said for how long."""
        engine = Engine([node(cpu=2)])
        engine.add(make_trials(2))
        engine.add(make_trials(1, TWO_CPUS, first=5))
        engine.tell(events.Tick(12.0))
        assert (
            1,
            "2 CPUs",
            "node 10.0.0.1 has 0 of 2 CPUs free; 2 workers that have been starting for 12 s hold the rest",
        ) in waits(engine)


class TestGangs:
    def gang(self, strategy: str, cpus: int) -> Wait:
        """Return what a gang of 4 single CPUs waits for, on two nodes of 2 and 4 CPUs of which a trial on the second holds `cpus`."""
        engine = Engine([node(2, 4), node(1, 2)])
        busy(engine, make_trials(1, first=50), Resources(cpu=cpus))
        engine.add(make_trials(1, ONE_CPU, placement=Placement(workers=4, strategy=strategy)))
        return only_wait(engine)

    def test_all_at_once(self) -> None:
        """A gang says how many of its workers would find room."""
        what, rest = "4 workers (PACK) with 1 CPU each", "train[a=50] (4 CPUs) holds the rest"
        assert self.gang("PACK", 4) == Wait(what, f"2 of them would find room now; {rest}")

    def test_laid_out(self) -> None:
        """Where there is room for all, but not as the strategy wants it, that is the reason."""
        why = "there is room for 5 of them now, but not as it is to be laid out; train[a=50] (1 CPU) holds the rest"
        assert self.gang("STRICT_PACK", 1) == Wait("4 workers (STRICT_PACK) with 1 CPU each", why)


class TestWorkers:
    def test_one_that_starts(self) -> None:
        """A worker that does not start says since when."""
        engine = Engine([node(cpu=2)])
        trials = make_trials(5)
        engine.add(trials)
        engine.tell(events.Tick(70.0))
        waiting = engine.controller.waiting()
        why = "its worker on node 10.0.0.1 has been starting for 1 min 10 s"
        room = "2 workers that have been starting for 1 min 10 s hold the rest"
        assert waits(engine) == [
            (3, "1 CPU", f"node 10.0.0.1 has 0 of 2 CPUs free; {room}"),
            (2, "a worker that is starting", why),
        ]
        assert [wait.what for trial in trials if (wait := waiting.of(trial.key))] == [
            *["a worker that is starting"] * 2,
            *["1 CPU"] * 3,
        ]

    def test_one_that_is_not_granted(self) -> None:
        """Where the cluster has not granted what a worker is to hold, others than this run have it."""
        engine = Engine([node(cpu=2)])
        engine.add(make_trials(2, TWO_CPUS))
        engine.tell(events.WorkerStarting("worker-1", is_granted=False), events.Tick(70.0))
        asked = "the cluster was asked for it on node 10.0.0.1 1 min 10 s ago and has not granted it"
        waiting = "a worker that has waited for the cluster for 1 min 10 s"
        assert waits(engine) == [
            (1, "2 CPUs", f"{asked}: what is not of this run may hold it"),
            (1, "2 CPUs", f"node 10.0.0.1 has 0 of 2 CPUs free; {waiting} holds the rest"),
        ]
        engine.tell(events.WorkerStarting("worker-1", is_granted=True), events.Tick(75.0))
        assert waits(engine)[0][2] == "its worker on node 10.0.0.1 has been starting for 5 s"

    def test_a_restart(self) -> None:
        """A new process of a worker starts anew, on the clock, too."""
        engine = Engine([node(cpu=1)])
        first, _ = trials = make_trials(2, sweep=dataclasses.replace(SWEEP, fresh_process=True))
        engine.add(trials)
        engine.start("worker-1")
        engine.begin(first)
        engine.tell(events.Tick(50.0), ended(first), events.BatchDone("worker-1"), events.Tick(53.0))
        assert only_wait(engine).why == "its worker on node 10.0.0.1 has been starting for 3 s"

    def test_behind_another(self) -> None:
        """What a worker was handed waits for the trial before it; that one for its worker, until it has begun."""
        engine, trials = Engine([node(cpu=1)]), make_trials(40)
        engine.add(trials)
        engine.start("worker-1")
        engine.finish(trials[0], duration=0.0)
        engine.tell(events.BatchDone("worker-1"), events.Tick(8.0))
        of = engine.controller.waiting().of
        assert of(trials[0].key) is None
        assert of(trials[1].key) == Wait(
            "its worker", "the worker on node 10.0.0.1 has had it for 8 s, and has not begun it"
        )
        engine.begin(trials[1])
        assert of(trials[1].key) is None
        assert of(trials[2].key) == Wait(
            "the trial before it", "its worker has it already, and runs another one before it"
        )


class TestOtherReasons:
    def test_max_concurrent(self) -> None:
        """Where as many run as may, that is the reason, and not the room that there is."""
        engine = Engine([node(cpu=8)], Policy(max_concurrent=2))
        engine.add(make_trials(5))
        engine.start("worker-1")
        engine.tell(events.Tick(7.0))
        who = "train[a=0] and a worker that has been starting for 7 s"
        assert waits(engine)[0] == (
            3,
            "other trials to end",
            f"as many run as --sweep-max-concurrent or the executor allows, 2: {who}",
        )

    def test_back_off(self) -> None:
        """A trial that has failed says when it is tried again; together they say when the first of them is."""
        sweep = dataclasses.replace(SWEEP, retries=1, backoff=40.0)
        engine, trials = Engine([node(cpu=2)]), make_trials(2, sweep=sweep)
        busy(engine, trials, ONE_CPU)
        engine.finish(trials[0], TrialState.ERROR)
        of = engine.controller.waiting().of(trials[0].key)
        assert of is not None
        assert of.what.startswith("a retry in ")
        assert only_wait(engine).why.startswith("it has failed, and is tried again in ")
        engine.finish(trials[1], TrialState.ERROR)
        (group,) = engine.controller.waiting().groups
        assert (group.trials, group.wait.what) == (2, "another attempt")
        assert group.wait.why.startswith("they have failed; the first of them is tried again in ")

    def test_a_node_that_is_being_emptied(self) -> None:
        """Small trials that find room on a node that is being emptied for a large one say so; the large one says who is still there."""
        engine, (large,) = Engine([node(cpu=4)]), make_trials(1, Resources(cpu=4), first=90)
        small = make_trials(3)
        busy(engine, small, ONE_CPU)
        engine.add([large])
        engine.tell(events.Tick(30.0))
        engine.add(make_trials(2, first=10))
        assert waits(engine) == [
            (2, "1 CPU", "node 10.0.0.1 is being emptied for train[a=90] (4 CPUs), which has waited for longer"),
            (
                1,
                "4 CPUs",
                "node 10.0.0.1 has 1 of 4 CPUs free; train[a=0] (1 CPU), train[a=1] (1 CPU) and train[a=2] (1 CPU) hold the rest",
            ),
        ]

    def test_a_node_for_itself(self) -> None:
        """A trial whose node ran out of memory waits until nobody else is on one."""
        engine, (first, second) = Engine([node(cpu=2)]), make_trials(2)
        busy(engine, [first, second], ONE_CPU)
        engine.tell(events.WorkerDied("worker-1", "killed", 100.0, events.Death.OUT_OF_MEMORY))
        engine.tell(events.WorkerStopped("worker-1"))
        assert only_wait(engine).what == "a node for itself"
        rest = "train[a=1] (1 CPU) holds part of node 10.0.0.1"
        assert only_wait(engine).why == f"a node ran out of memory with it; {rest}"

    def test_an_autoscaler(self) -> None:
        """What only a node to come can hold says that the autoscaler was asked for one."""
        engine = Engine([node(cpu=2)], future=[Resources(cpu=8, gpu=1)])
        engine.add(make_trials(1, Resources(cpu=4)))
        engine.add(make_trials(1, Resources(cpu=8), first=1))
        engine.tell(events.Tick(50.0))
        assert [why for _, _, why in waits(engine)] == [
            "no node that is there can hold 4 CPUs: the autoscaler was asked for one",
            "no node that is there can hold 8 CPUs: the autoscaler was asked for one",
        ]

    def test_the_only_node_is_gone(self) -> None:
        """What could run when the run began, and now cannot, waits for a node, and says so."""
        engine = Engine([node(1, 8), node(2, 2)])
        busy(engine, make_trials(1, first=50), Resources(cpu=8))
        engine.add(make_trials(2, Resources(cpu=8)))
        engine.tell(events.NodesChanged((node(2, 2),)))
        assert (2, "8 CPUs", "no node that is there can hold it, even if empty: it waits for one to join") in waits(
            engine
        )


class TestStall:
    def engine(self) -> tuple[Engine, list[Trial]]:
        engine, trials = Engine([node(cpu=1)], Policy(stall=60.0)), make_trials(3)
        engine.tell(events.Tick(1000.0))
        engine.add(trials)
        engine.start("worker-1")
        return engine, trials

    def test_what_counts_as_progress(self) -> None:
        """Sixty seconds after the last trial began, reported or ended the run has stalled."""
        engine, trials = self.engine()
        happens: list[events.Event] = [
            events.TrialStarted(trials[0].key, 1, 100.0, "10.0.0.1:1"),
            events.TrialReported(trials[0].key, 1, {"training_iteration": 1}),
            ended(trials[0]),
        ]
        now = 1000.0
        for event in happens:
            engine.tell(events.Tick(now + 59.0))
            assert engine.controller.stalled is None
            engine.tell(event)
            now += 59.0
        engine.tell(events.Tick(now + 60.0))
        assert engine.controller.stalled == 60.0
        assert engine.controller.waiting().stalled == 60.0

    def test_what_does_not_count(self) -> None:
        """That workers start, nodes come and time passes is no progress."""
        engine, _ = self.engine()
        engine.tell(
            events.Tick(1059.0), events.NodesChanged((node(1, 1), node(2, 1))), events.WorkerStarted("worker-2", "x")
        )
        engine.tell(events.Tick(1061.0))
        assert engine.controller.stalled == 61.0

    def test_a_run_that_is_over(self) -> None:
        """Where nothing is left to run, nothing stalls."""
        engine, _ = self.engine()
        engine.tell(events.RunEnding("interrupted"), events.Tick(2000.0))
        assert engine.controller.stalled is None
        assert engine.controller.waiting().groups == ()


def test_sweeps_are_named() -> None:
    """Trials of several sweeps that wait for the same are told together; of too many trials the sweeps are not looked up."""
    other = Sweep("test_other.py::tune", "tune")
    engine = Engine([node(cpu=1)])
    engine.add([*make_trials(3), *make_trials(2, sweep=other, first=3)])
    engine.start("worker-1")
    group = engine.controller.waiting().groups[0]
    assert (group.trials, group.sweeps) == (4, ("train_model", "tune"))
    engine.add(make_trials(10_001, first=10))
    assert engine.controller.waiting().groups[0].sweeps == ()


def test_nothing_waits() -> None:
    """An engine without trials has nothing to explain."""
    assert Engine().controller.waiting().groups == ()


@pytest.mark.parametrize(
    ("name", "amount", "total", "text"),
    [
        ("cpu", 1.0, None, "1 CPU"),
        ("cpu", 0.5, None, "0.5 CPU"),
        ("gpu", 2.0, None, "2 GPUs"),
        ("gpu", 0.0, 1.0, "0 of 1 GPU"),
        ("memory", 1.5 * 2**30, None, "1.5 GiB memory"),
        ("tape", 3.0, 4.0, "3 of 4 tape"),
    ],
)
def test_amounts(name: str, amount: float, total: float | None, text: str) -> None:
    """Amounts have their unit, in the plural where there are several."""
    assert amount_text(name, amount, total) == text


@pytest.mark.parametrize(
    ("parts", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_lists(parts: list[str], text: str) -> None:
    """Lists read as people write them."""
    assert joined(parts) == text
