"""Decisions of the engine at their edges, each told and read as events and commands. Mutation testing has asked for them."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_sweep.engine.feasible import check_feasible
from pytest_sweep.engine.policy import Policy
from pytest_sweep.errors import InfeasibleError
from pytest_sweep.model import Resources, TrialState, commands, events
from pytest_sweep.model.placement import Placement
from pytest_sweep.model.shared import SharedBuilding, SharedFixture, SharedReady
from pytest_sweep.model.waiting import Wait
from pytest_sweep.testing.samples import SWEEP
from tests.support.driven import ONE_CPU, Engine, ended, make_trials, node, only, records, run

EIGHT = Resources(cpu=8)


def idle_workers(count: int, cpu: float = 4.0) -> Engine:
    """Return an engine with so many idle workers of one CPU on a node, for which nothing waits."""
    engine, trials = Engine([node(1, cpu)]), make_trials(count)
    engine.add(trials)
    engine.start(*(f"worker-{number}" for number in range(1, count + 1)))
    for number, trial in enumerate(trials, 1):
        engine.finish(trial)
        engine.tell(events.BatchDone(f"worker-{number}"))
    return engine


class TestClearing:
    @pytest.mark.parametrize(("cpus", "count", "stopped"), [(2, 2, 4), (3, 2, 3), (4, 2, 4), (2, 1, 2), (3, 1, 3)])
    def test_as_many_as_are_in_the_way(self, cpus: float, count: int, stopped: int) -> None:
        """Of four idle workers as many stop as make room for those that can be had at once, and no more."""
        engine = idle_workers(4)
        given = engine.add(make_trials(count, Resources(cpu=cpus), first=100))
        assert len(only(commands.StopWorker, given)) == stopped

    def test_on_each_node(self) -> None:
        """Room is made on each node for as many as are wanted together, not for all on each."""
        engine, trials = Engine([node(1, 2), node(2, 2)]), make_trials(4)
        engine.add(trials)
        engine.start(*(f"worker-{number}" for number in range(1, 5)))
        for command in list(engine.all(commands.RunTrials)):
            engine.finish(next(trial for trial in trials if trial.key == command.trials[0][0]))
            engine.tell(events.BatchDone(command.worker))
        assert len(only(commands.StopWorker, engine.add(make_trials(1, Resources(cpu=2), first=100)))) == 2

    def test_again_and_again(self) -> None:
        """Room is made each time that a large trial comes, however often idle workers have stopped for one before."""
        engine, started = Engine([node(1, 2)]), 0
        for turn in range(3):
            small = make_trials(2, first=turn * 10)
            given = engine.add(small)
            if turn:
                assert only(commands.StopWorker, given) == [commands.StopWorker(f"worker-{started}")]
                engine.tell(events.WorkerStopped(f"worker-{started}"))
            names = [f"worker-{started + number}" for number in (1, 2)]
            engine.start(*names)
            for name, trial in zip(names, small, strict=True):
                engine.finish(trial)
                engine.tell(events.BatchDone(name))
            (large,) = make_trials(1, Resources(cpu=2), first=turn * 10 + 5)
            assert [stop.worker for stop in only(commands.StopWorker, engine.add([large]))] == names
            engine.tell(*map(events.WorkerStopped, names))
            started += 3
            engine.start(f"worker-{started}")
            engine.finish(large)
            engine.tell(events.BatchDone(f"worker-{started}"))


class TestReturned:
    def test_it_goes_to_who_is_idle(self) -> None:
        """A trial that a worker gives back goes to an idle worker at once, not when something else happens."""
        sweep = dataclasses.replace(SWEEP)
        first, *others = make_trials(9, sweep=sweep)
        engine = Engine([node(1, 2)])
        engine.add([first])
        engine.start("worker-1")
        engine.begin(first)
        engine.finish(first, duration=0.001)
        engine.add(others)
        (order,) = only(commands.RunTrials, engine.tell(events.BatchDone("worker-1")))
        (second,) = [start.worker for start in engine.all(commands.StartWorker)[1:]]
        engine.start(second)
        by_key = {trial.key: trial for trial in others}
        while orders := [command for command in engine.all(commands.RunTrials) if command.worker == second]:
            left = [key for key, _ in orders[-1].trials if engine.controller._ledger[key].is_open]
            if not left:
                break
            for key in left:
                engine.finish(by_key[key], duration=0.001)
            engine.tell(events.BatchDone(second))
        engine.begin(by_key[order.trials[0][0]])
        returned = order.trials[-1][0]
        given = engine.tell(events.TrialReturned(returned, 1))
        assert only(commands.RunTrials, given) == [run(second, by_key[returned])]

    def test_a_lost_fixture_is_waited_for_from_then_on(self) -> None:
        """A fixture that a trial has found lost is ordered then, and the status says how long that is ago."""
        data = SharedFixture("data", "data", "conftest.py", "test_models.py::train", Resources(cpu=2))
        (trial,) = (dataclasses.replace(trial, shared=(data,)) for trial in make_trials(1))
        engine = Engine()
        engine.add([trial])
        engine.tell(SharedReady("data"))
        engine.start("worker-1")
        engine.pass_time(7.0, events.TrialReturned(trial.key, 1, lost="data"), events.BatchDone("worker-1"))
        engine.pass_time(10.0)
        wait = engine.controller.waiting().of(trial.key)
        assert wait is not None
        assert wait.why == "2 CPUs were asked for 3 s ago, to build it with"


class TestWorkersThatFail:
    def batch(self, worker_retries: int) -> tuple[Engine, list[str]]:
        """Return an engine with a worker that has three trials at once, of which the first runs."""
        sweep = dataclasses.replace(SWEEP, worker_retries=worker_retries)
        first, *others = make_trials(9, sweep=sweep)
        engine = Engine([node(1, 1), node(2, 1)])
        engine.add([first])
        engine.start("worker-1")
        engine.begin(first)
        engine.finish(first, duration=0.001)
        engine.add(others)
        (order,) = only(commands.RunTrials, engine.tell(events.BatchDone("worker-1")))
        keys = [key for key, _ in order.trials]
        assert len(keys) >= 2
        engine.begin(next(trial for trial in others if trial.key == keys[0]))
        return engine, keys

    def test_what_it_had_begun(self) -> None:
        """A worker whose node fails under a trial has used up its attempt: without further ones the trial has ended, and is stored."""
        engine, keys = self.batch(0)
        engine.tell(events.Advanced(3.0))
        given = engine.tell(events.WorkerFailed("worker-1", "no module named torch", ("node-1",)))
        (failed,) = [event for event in records(given) if isinstance(event, events.TrialFinished)]
        assert (failed.key, failed.state) == (keys[0], TrialState.ERROR)
        assert failed.error == "the worker ended its call without saying how the trial ended"
        assert (failed.duration, failed.time) == (3.0, 103.0), "on the clock of the worker, which said 100 at the start"

    @pytest.mark.parametrize("worker_retries", [0, 1])
    def test_what_it_had_not_begun(self, worker_retries: int) -> None:
        """All that it had not begun waits again, in the old order, and none of it is lost."""
        engine, keys = self.batch(worker_retries)
        engine.tell(events.WorkerFailed("worker-1", "no module named torch", ("node-1",)))
        left = [key for queue in engine.controller._ledger.queues.values() for key in queue]
        again = keys if worker_retries else keys[1:]
        assert sorted(left) == sorted({*again, *left})
        assert [key for key in left if key in again] == again


class TestBlame:
    def died(self, idle_since: float, now: float) -> list[events.Accepted]:
        """Return what is recorded when a worker dies with a trial that has not begun."""
        (trial,) = make_trials(1, sweep=dataclasses.replace(SWEEP, worker_retries=0))
        engine = Engine([node(1, 1)])
        engine.pass_time(5.0)
        engine.add(make_trials(1, first=9))
        engine.pass_time(idle_since)
        engine.start("worker-1")
        (other,) = make_trials(1, first=9)
        engine.begin(other)
        engine.finish(other)
        engine.tell(events.BatchDone("worker-1"))
        engine.pass_time(now)
        assert only(commands.RunTrials, engine.add([trial])) == [run("worker-1", trial)]
        return records(engine.tell(events.WorkerDied("worker-1", "killed or crashed", 105.0)))

    def test_a_worker_that_had_not_idled(self) -> None:
        """A worker that got a trial the moment that it was free was alive then: the trial is to blame for its death."""
        (finished,) = self.died(20.0, 20.0)
        assert isinstance(finished, events.TrialFinished)
        assert finished.error == "killed or crashed"

    def test_a_worker_that_had_idled(self) -> None:
        """A worker that had nothing to do may have died meanwhile: nobody is to blame."""
        assert self.died(20.0, 21.0) == []


class TestNotGranted:
    def test_no_other_place_on_a_refused_node(self) -> None:
        """A worker is not withdrawn to be asked for on the node that has just not granted it, though that seems to have room."""
        engine = Engine([node(1, 2)])
        engine.pass_time(0.0)
        engine.add(make_trials(1))
        engine.tell(events.WorkerStarting("worker-1", is_granted=False))
        assert only(commands.StopWorker, engine.wait(0.0, 12.0)) == []

    def test_a_start_clears_the_node(self) -> None:
        """When a worker starts after all on a node that had not granted it, the node is used as before: first, in its turn."""
        engine = Engine([node(1, 1)])
        engine.pass_time(0.0)
        engine.add(make_trials(1))
        engine.tell(events.WorkerStarting("worker-1", is_granted=False))
        engine.wait(0.0, 6.0)
        assert engine.controller.capacity.refused == {"node-1"}
        engine.start("worker-1")
        assert engine.controller.capacity.refused == set()
        engine.tell(events.NodesChanged((node(1, 2), node(2, 2))))
        assert [start.nodes for start in only(commands.StartWorker, engine.add(make_trials(1, first=5)))] == [
            ("node-1",)
        ]

    def test_two_of_them_take_two_places(self) -> None:
        """Of two workers that are not granted only one goes to the one place that is left elsewhere."""
        engine = Engine([node(1, 2)])
        engine.pass_time(0.0)
        engine.add(make_trials(2))
        for worker in ("worker-1", "worker-2"):
            engine.tell(events.WorkerStarting(worker, is_granted=False))
        engine.tell(events.NodesChanged((node(1, 2), node(2, 1))))
        stops = only(commands.StopWorker, engine.wait(0.0, 12.0))
        assert [stop.worker for stop in stops] == ["worker-1"]
        assert engine.all(commands.StartWorker)[-1].nodes == ("node-2",)


class TestAutoscaler:
    HEAD = node(1, cpu=0)

    def test_at_most_once_a_second(self) -> None:
        """What waits is looked at once a second, however often time passes and however fast it grows."""
        engine = Engine([self.HEAD], future=[EIGHT])
        engine.add(make_trials(1))
        assert only(commands.RequestResources, engine.pass_time(10.0))
        for step in range(1, 5):
            engine.add(make_trials(10, first=step * 100))
            assert only(commands.RequestResources, engine.pass_time(10.0 + step * 0.2)) == []
        assert only(commands.RequestResources, engine.pass_time(11.0))

    def test_a_clock_that_goes_back(self) -> None:
        """Where time seems to go back, what waits is looked at again and not only when the old time has come."""
        engine = Engine([self.HEAD], future=[EIGHT])
        engine.add(make_trials(1))
        engine.tell(events.Tick(1000.0))
        engine.add(make_trials(10, first=100))
        assert only(commands.RequestResources, engine.tell(events.Tick(10.0)))

    def test_trials_that_ask_for_nothing(self) -> None:
        """For trials without any resources CPUs are asked for, one each: that is how many run on a node at once."""
        engine = Engine([self.HEAD], future=[EIGHT])
        engine.add(make_trials(4, Resources(cpu=0)))
        (request,) = only(commands.RequestResources, engine.pass_time(1.0))
        assert {resources for resources, _ in request.bundles} == {ONE_CPU}

    @pytest.mark.parametrize(
        ("count", "asked"), [(1, 1), (7, 7), (8, 8), (9, 10), (15, 16), (17, 20), (100, 112), (256, 256)]
    )
    def test_it_is_rounded_up(self, count: int, asked: int) -> None:
        """Many are rounded up by at most a quarter, so that not each trial that ends makes another request."""
        engine = Engine([self.HEAD], future=[EIGHT])
        engine.add(make_trials(count))
        (request,) = only(commands.RequestResources, engine.pass_time(1.0))
        assert request.bundles == ((ONE_CPU, asked),)


class TestRefusals:
    def test_a_trial_and_a_shared_fixture(self) -> None:
        """Who asks for too much is told where to ask for less: at the mark of the trial, or at the shared fixture."""
        (trial,) = make_trials(1, Resources(cpu=9))
        fixture = SharedFixture("data", "data", "conftest.py", "test_models.py::train", Resources(cpu=9))
        for one, who, how in (
            (trial, trial.id, "@pytest.mark.resources"),
            (fixture, "the shared fixture 'data' of conftest.py", "@shared"),
        ):
            with pytest.raises(InfeasibleError) as raised:
                check_feasible([one], [node(1, 2)])
            assert str(raised.value) == (
                f"{who} asks for 9 CPU, and the largest node has 2 CPU: no node can ever run it. "
                f"Ask for less with {how}(...), or run where there is more."
            )

    def test_labels_of_nobody(self) -> None:
        """Where no node has a label that is said, and how one gets one."""
        (trial,) = make_trials(1, placement=Placement(labels=(("zone", "a"),)))
        with pytest.raises(InfeasibleError) as raised:
            check_feasible([trial], [node(1, 2)])
        assert str(raised.value) == (
            f"{trial.id} asks for a node with the label zone=a, and no node has that: no node has any label. "
            "Give one the label (ray start --labels), or ask for another one."
        )


class TestExplaining:
    def test_two_shared_fixtures(self) -> None:
        """Trials that wait for different shared fixtures are different groups, each with its own trials and reason."""
        data = SharedFixture("data", "data", "conftest.py", "test_models.py::train", ONE_CPU)
        model = SharedFixture("model", "model", "conftest.py", "test_models.py::train", ONE_CPU)
        engine = Engine([node(1, 4)])
        engine.add([dataclasses.replace(trial, shared=(data,)) for trial in make_trials(2)])
        engine.add([dataclasses.replace(trial, shared=(model,)) for trial in make_trials(3, first=10)])
        engine.pass_time(1.0, SharedBuilding("model", "10.0.0.1"))
        engine.pass_time(4.0)
        groups = {group.wait.what: (group.trials, group.wait.why) for group in engine.controller.waiting().groups}
        assert groups == {
            "the shared fixture data": (2, "1 CPU was asked for 4 s ago, to build it with"),
            "the shared fixture model": (3, "it is being built on node 10.0.0.1, for 3 s"),
        }

    def test_a_node_that_is_drained(self) -> None:
        """Where the only node leaves, it is not said that it could not hold the trial if it were empty."""
        engine = Engine([node(1, 2)])
        engine.add(make_trials(1))
        engine.tell(events.NodesChanged((dataclasses.replace(node(1, 2), is_leaving=True),)))
        engine.tell(events.WorkerStopped("worker-1"))
        (group,) = engine.controller.waiting().groups
        assert (
            group.wait.why == "no node that is there can hold it (node 10.0.0.1 is drained): it waits for one to join"
        )

    def test_a_node_that_is_too_small(self) -> None:
        """Where a large node has gone, it is said that the others could not hold the trial even if they were empty."""
        engine = Engine([node(1, 2), node(2, 8)])
        engine.add(make_trials(1, Resources(cpu=4)))
        engine.tell(events.NodesChanged((node(1, 2),)), events.WorkerStopped("worker-1"))
        (group,) = engine.controller.waiting().groups
        assert group.wait.why == "no node that is there can hold it, even if empty: it waits for one to join"

    def test_a_slot_for_a_trial_without_cpus(self) -> None:
        """A trial that asks for no CPU waits for one of as many slots as there are CPUs."""
        engine = Engine([node(1, 2)])
        engine.add(make_trials(3, Resources(cpu=0)))
        engine.start("worker-1", "worker-2")
        first, second, third = make_trials(3)
        engine.begin(first)
        engine.begin(second)
        wait = engine.controller.waiting().of(third.key)
        assert wait == Wait(
            "a trial without CPUs to end", "node 10.0.0.1 runs as many trials without CPUs as it has CPUs"
        )

    def test_a_retry_that_waits(self) -> None:
        """A trial that has failed and waits before it is tried again says for how long."""
        (trial,) = make_trials(1, sweep=dataclasses.replace(SWEEP, retries=1, backoff=10.0))
        engine = Engine()
        engine.add([trial])
        engine.start("worker-1")
        engine.begin(trial)
        engine.tell(dataclasses.replace(ended(trial, TrialState.ERROR), error="ValueError: boom"))
        wait = engine.controller.waiting().of(trial.key)
        assert wait is not None
        rest = wait.what.removeprefix("a retry in ")
        assert 7 <= int(rest.removesuffix(" s")) <= 13
        assert wait.why == f"it has failed, and is tried again in {rest}"

    def test_a_gang_on_two_nodes(self) -> None:
        """The worker of a gang that starts is said to be on all of its nodes."""
        engine = Engine([node(1, 1), node(2, 1)])
        engine.add(make_trials(1, placement=Placement(workers=2)))
        engine.pass_time(3.0)
        (group,) = engine.controller.waiting().groups
        assert group.wait.why == "its worker on nodes 10.0.0.1 and 10.0.0.2 has been starting for 3 s"


def test_a_limit_of_workers_is_named() -> None:
    """What waits because no more may run is told the limit and who runs."""
    engine = Engine([node(1, 4)], Policy(max_concurrent=1))
    engine.add(make_trials(2))
    engine.start("worker-1")
    (first, *_) = make_trials(1)
    engine.begin(first)
    waits = [group.wait for group in engine.controller.waiting().groups]
    assert [wait.what for wait in waits] == ["other trials to end"]
    assert "as many run as --sweep-max-concurrent or the executor allows, 1: train[a=0]" in waits[0].why
    engine.tell(ended(first), events.BatchDone("worker-1"))
    assert engine.controller.waiting().groups[0].wait.what != "other trials to end"
