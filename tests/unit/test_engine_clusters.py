"""The engine plans with what is free for it: others use the cluster, nodes break, and an autoscaler adds what is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from pytest_sweep.engine.controller import Controller
from pytest_sweep.engine.demand import LOOKED_AT
from pytest_sweep.engine.policy import Policy
from pytest_sweep.model import Resources, Trial, TrialState, commands, events
from pytest_sweep.model.placement import Placement
from pytest_sweep.testing.fake_executor import FakeExecutor
from pytest_sweep.testing.outcomes import Outcome
from tests.support.driven import ONE_CPU, Engine, make_trials, node, only, records, run
from tests.unit.test_engine_loop import Session, always

EIGHT = Resources(cpu=8)


def used(number: int, cpu: float, taken: float) -> events.Node:
    """Return a machine of which others hold some CPUs."""
    return dataclasses.replace(node(number, cpu), taken=Resources(cpu=taken))


def places(given: Sequence[commands.Command]) -> list[str]:
    return [place for start in only(commands.StartWorker, given) for place in start.nodes]


class TestOthers:
    def test_only_what_is_free(self) -> None:
        """A node that others hold wholly gets no worker, one that they hold in part gets as many as fit."""
        engine = Engine([used(1, 1, 1), used(2, 4, 2.5)])
        assert places(engine.add(make_trials(9))) == ["node-2"]
        given = engine.tell(events.NodesChanged((used(1, 1, 0), used(2, 4, 1))))
        assert sorted(places(given)) == ["node-1", "node-2", "node-2"]

    def test_a_trial_waits_for_them(self) -> None:
        """What fits on an empty node is not refused because others hold it; it is said that they do."""
        engine = Engine([used(1, 2, 2)])
        assert engine.add(make_trials(1)) == []
        (group,) = engine.controller.waiting().groups
        assert group.wait.why == "node 10.0.0.1 has 0 of 2 CPUs free; what is not of this run (2 CPUs) holds the rest"

    def test_a_node_is_not_emptied_in_vain(self) -> None:
        """A node is emptied for a large trial only where that helps, and no more when others have taken it meanwhile."""
        engine = Engine([used(1, 4, 1), node(2, 4)])
        engine.tell(events.Tick(0.0))
        engine.add([*make_trials(40), *make_trials(1, Resources(cpu=4), first=100)])
        engine.start(*(f"worker-{number}" for number in range(1, 8)))
        engine.tell(events.Tick(30.0))
        waits = {group.wait.why for group in engine.controller.waiting().groups}
        assert not any("10.0.0.1 is being emptied" in why for why in waits)
        engine.tell(events.NodesChanged((used(1, 4, 1), used(2, 4, 1))))
        last = next(c for c in engine.all(commands.RunTrials) if c.worker == "worker-4")
        engine.tell(events.TrialFinished(last.trials[0][0], 1, TrialState.TERMINATED, None, None, 5.0, 100.0))
        assert only(commands.RunTrials, engine.tell(events.BatchDone("worker-4"))), "its node is emptied for nobody"


class TestNotGranted:
    def asked(self, count: int = 1, policy: Policy | None = None) -> Engine:
        """Return an engine that has asked for a worker on the first of two nodes; the cluster has not granted it."""
        engine = Engine([node(1, 1), node(2, 1)], policy)
        engine.tell(events.Tick(0.0))
        engine.add(make_trials(count))
        engine.tell(events.WorkerStarting("worker-1", is_granted=False))
        return engine

    def test_it_is_requested_elsewhere(self) -> None:
        """What is not granted in time is withdrawn and requested on another node, not on this one again."""
        engine = self.asked()
        assert engine.tell(events.Tick(4.9)) == []
        given = engine.tell(events.Tick(5.0))
        assert only(commands.StopWorker, given) == [commands.StopWorker("worker-1")]
        assert places(given) == ["node-2"]
        assert engine.tell(events.WorkerStopped("worker-1"), events.Tick(9.0)) == []

    def test_asking_again_and_again_does_not_begin_anew(self) -> None:
        """An executor may say many times that a request is pending."""
        engine = self.asked()
        for now in (1.0, 2.0, 3.0, 4.0):
            engine.tell(events.Tick(now), events.WorkerStarting("worker-1", is_granted=False))
        assert places(engine.tell(events.Tick(5.0))) == ["node-2"]

    def test_it_stays_where_there_is_nothing_else(self) -> None:
        """Where no other node has room it stays pending, and is used when it is granted."""
        engine = self.asked(count=3)
        engine.start("worker-2")
        for now in (5.0, 10.0, 20.0):
            assert engine.tell(events.Tick(now)) == []
        assert only(commands.RunTrials, engine.start("worker-1"))

    def test_others_go_on_meanwhile(self) -> None:
        """The only trial of its kind goes to the next node that has room, though its first worker is still pending."""
        engine = self.asked(count=2)
        engine.start("worker-2")
        assert engine.tell(events.Tick(6.0)) == []
        engine.tell(events.NodesChanged((node(1, 1), node(2, 1), node(3, 1))))
        assert places(engine.given)[-1] == "node-3"

    def test_what_others_have_taken(self) -> None:
        """A request is withdrawn when it turns out that others hold its node: smaller trials use what is left of it."""
        engine = Engine([node(1, 4)])
        engine.tell(events.Tick(0.0))
        engine.add([*make_trials(1, Resources(cpu=4)), *make_trials(1, first=1)])
        engine.tell(events.WorkerStarting("worker-1", is_granted=False), events.NodesChanged((used(1, 4, 2),)))
        engine.tell(events.Tick(5.0))
        assert places(engine.tell(events.WorkerStopped("worker-1"))) == ["node-1"]
        assert engine.all(commands.StartWorker)[-1].resources == ONE_CPU

    def test_it_does_not_fill_the_limit(self) -> None:
        """A request that is not granted does not keep another shape from the only place that the limit leaves."""
        engine = Engine([node(1, 1), node(2, 1, gpu=1)], Policy(max_concurrent=1))
        engine.tell(events.Tick(0.0))
        engine.add(make_trials(1, Resources(cpu=1, gpu=1)))
        engine.tell(events.WorkerStarting("worker-1", is_granted=False))
        engine.add(make_trials(1, first=1))
        assert only(commands.StopWorker, engine.tell(events.Tick(5.0))) == [commands.StopWorker("worker-1")]
        assert places(engine.tell(events.WorkerStopped("worker-1")))[0] in ("node-1", "node-2")


class TestYielding:
    def done(self, engine: Engine, worker: str) -> list[commands.Command]:
        last = [command for command in engine.all(commands.RunTrials) if command.worker == worker][-1]
        for key, attempt in last.trials:
            engine.tell(events.TrialFinished(key, attempt, TrialState.TERMINATED, None, None, 5.0, 100.0))
        return engine.tell(events.BatchDone(worker))

    def waiting(self, large: Resources, policy: Policy | None = None) -> Engine:
        """Return an engine with 16 small workers on one node, and a trial of another shape that has run out of patience."""
        engine = Engine([node(1, 16)], policy)
        engine.tell(events.Tick(0.0))
        engine.add([*make_trials(200), *make_trials(1, large, first=500)])
        engine.start(*(f"worker-{number}" for number in range(1, 17)))
        engine.tell(events.Tick(30.0))
        return engine

    @pytest.mark.parametrize(
        ("large", "policy", "needed"),
        [(Resources(cpu=4), None, 4), (Resources(cpu=0.5), Policy(max_concurrent=16), 1)],
        ids=["for room", "for the limit"],
    )
    def test_only_as_many_as_are_needed(self, large: Resources, policy: Policy | None, needed: int) -> None:
        """Of 16 workers only those stop whose room or place is needed; the others go on with their own shape meanwhile."""
        engine = self.waiting(large, policy)
        for number in range(1, 17):
            self.done(engine, f"worker-{number}")
        stopped = [stop.worker for stop in engine.all(commands.StopWorker)]
        assert stopped == [f"worker-{number}" for number in range(1, needed + 1)]
        for worker in stopped:
            engine.tell(events.WorkerStopped(worker))
        assert engine.all(commands.StartWorker)[-1].resources == large

    def test_idle_ones(self) -> None:
        """Of idle workers, too, only so many are stopped as make room."""
        engine, trials = Engine([node(1, 16)]), make_trials(16)
        engine.add(trials)
        engine.start(*(f"worker-{number}" for number in range(1, 17)))
        for number, trial in enumerate(trials, 1):
            engine.finish(trial)
            engine.tell(events.BatchDone(f"worker-{number}"))
        assert len(only(commands.StopWorker, engine.add(make_trials(1, Resources(cpu=4), first=100)))) == 4


class TestNoCpus:
    NOTHING = Resources(cpu=0)

    def test_one_per_core(self) -> None:
        """Trials that ask for no CPU get as many workers as there are CPUs, at least one on a node, whatever else runs there."""
        engine = Engine([node(1, 2), node(2, 0)])
        engine.add([*make_trials(30, self.NOTHING), *make_trials(2, first=100)])
        starts = engine.all(commands.StartWorker)
        assert [start.nodes for start in starts if not start.resources.cpu] == [("node-1",)] * 2 + [("node-2",)]
        assert len(starts) == 5

    def test_it_is_explained(self) -> None:
        """Those that wait say what for."""
        engine = Engine([node(1, 2)])
        engine.add(make_trials(5, self.NOTHING))
        assert "runs as many trials without CPUs as it has CPUs" in engine.controller.waiting().groups[0].wait.why

    def test_gangs(self) -> None:
        """The workers of a gang count one by one."""
        engine = Engine([node(1, 2), node(2, 2)])
        engine.add(make_trials(3, self.NOTHING, placement=Placement(workers=2)))
        assert len(engine.all(commands.StartWorker)) == 2


class TestAutoscaler:
    HEAD = node(1, cpu=0)

    def requests(self, engine: Engine) -> list[commands.RequestResources]:
        return engine.all(commands.RequestResources)

    def test_what_waits_is_asked_for(self) -> None:
        """The autoscaler is told how much could be used at once, within bounds, and again only when that changes."""
        engine = Engine([self.HEAD], future=[EIGHT])
        engine.add(make_trials(1000))
        engine.tell(events.Tick(0.0))
        assert self.requests(engine) == [commands.RequestResources(((ONE_CPU, 256),))]
        engine.tell(events.Tick(1.0), events.Tick(2.0))
        assert len(self.requests(engine)) == 1
        assert not engine.all(commands.StartWorker)

    def test_it_grows_with_what_runs(self) -> None:
        """What workers hold is in it, too: the request says how large the cluster should be."""
        engine = Engine([self.HEAD], future=[EIGHT])
        engine.add(make_trials(1000))
        engine.tell(events.Tick(0.0), events.NodesChanged((self.HEAD, *(node(n, 8) for n in range(2, 34)))))
        engine.tell(events.Tick(1.0))
        assert self.requests(engine)[-1].bundles == ((ONE_CPU, 512),)

    def test_it_is_withdrawn(self) -> None:
        """When nothing waits any more the request is withdrawn, so that nodes without workers can go."""
        engine, trials = Engine([self.HEAD], future=[EIGHT]), make_trials(2)
        engine.add(trials)
        engine.tell(events.Tick(0.0), events.NodesChanged((self.HEAD, node(2, 8))), events.Tick(1.0))
        engine.start("worker-1", "worker-2")
        assert self.requests(engine)[-1] == commands.RequestResources(())
        for number, trial in enumerate(trials, 1):
            engine.finish(trial)
            engine.tell(events.BatchDone(f"worker-{number}"))
        assert len(only(commands.StopWorker, engine.tell(events.Tick(40.0)))) == 2

    def test_the_end_withdraws_it(self) -> None:
        """A run that ends while something waits asks for nothing any more."""
        engine = Engine([self.HEAD], future=[EIGHT])
        engine.add(make_trials(2))
        engine.tell(events.Tick(0.0), events.RunEnding("enough"))
        assert engine.stop_workers() == [commands.RequestResources(())]

    def test_without_an_autoscaler(self) -> None:
        """Where there is none nothing is asked for."""
        engine = Engine([self.HEAD])
        engine.add(make_trials(2))
        assert engine.tell(events.Tick(0.0)) == []

    def test_max_concurrent(self) -> None:
        """No more is asked for than may run at once."""
        engine = Engine([self.HEAD], Policy(max_concurrent=5), future=[EIGHT])
        engine.add(make_trials(1000))
        engine.tell(events.Tick(0.0))
        assert self.requests(engine)[-1].bundles == ((ONE_CPU, 5),)

    @pytest.mark.parametrize(
        ("placement", "bundles"),
        [
            (Placement(workers=4), ((Resources(cpu=2), 4),)),
            (Placement(workers=4, strategy="STRICT_PACK"), ((EIGHT, 1),)),
            (Placement(workers=4, strategy="STRICT_SPREAD"), ((EIGHT, 4),)),
            (Placement(workers=4, nodes=2), ((EIGHT, 2),)),
        ],
    )
    def test_gangs(self, placement: Placement, bundles: tuple[tuple[Resources, int], ...]) -> None:
        """A gang is asked for as it is to be laid out: whole nodes where its workers may not share one."""
        engine = Engine([self.HEAD], future=[Resources(cpu=64), EIGHT])
        engine.add(make_trials(1, Resources(cpu=2), placement=placement))
        engine.tell(events.Tick(0.0))
        assert self.requests(engine)[-1].bundles == bundles

    def test_what_no_node_could_hold(self) -> None:
        """What the autoscaler cannot add is not asked for."""
        engine = Engine([node(1, 64)], future=[EIGHT])
        engine.add(make_trials(3, Resources(cpu=64)))
        assert only(commands.RequestResources, engine.tell(events.Tick(0.0))) == []

    def test_from_nothing_to_the_largest(self) -> None:
        """From a head without CPUs the cluster grows to its largest size, all trials run, and no node holds more than it has."""
        trials = make_trials(1000)
        fake = FakeExecutor([self.HEAD], always(Outcome(polls=20)), future=[EIGHT], most_nodes=5)
        session = Session(trials, executor=fake)
        session.run()
        assert len(fake.nodes()) == 5
        assert fake.requested == ()
        assert all(session.audience.became_of(trial) == ["TERMINATED"] for trial in trials)


class TestAddedNodesThatFail:
    """An autoscaler whose nodes are of no use."""

    HEAD = node(1, cpu=1)

    def fail_on(self, engine: Engine, number: int) -> list[commands.Command]:
        """Have a node join, and each worker that is started there fail; return what was decided then."""
        nodes = [self.HEAD, *(node(n, 8) for n in range(2, number + 1))]
        given = engine.tell(events.NodesChanged(tuple(nodes)), events.Tick(float(number)))
        failed = [command for command in only(commands.StartWorker, given) if command.nodes[0] != "node-1"]
        cause = f"no module named torch ({number})"
        return [
            *given,
            *engine.tell(
                *(events.WorkerFailed(command.worker, cause, command.nodes) for command in failed),
                events.Tick(number + 0.5),
                events.Tick(number + 2.0),
            ),
        ]

    def test_no_more_are_asked_for(self) -> None:
        """After five of them no more nodes are asked for, which is said with the first cause; the first nodes go on."""
        engine = Engine([self.HEAD], future=[EIGHT])
        engine.add(make_trials(100))
        engine.tell(events.Tick(0.0))
        engine.start("worker-1")
        for number in range(2, 6):
            given = self.fail_on(engine, number)
            assert not [one for one in records(given) if isinstance(one, events.WarningRecorded)]
        given = self.fail_on(engine, 6)
        (warned,) = [one for one in records(given) if isinstance(one, events.WarningRecorded)]
        assert warned.message == (
            "the autoscaler is asked for no more nodes: no worker could be started on the 5 that it has added. The first cause: "
            "no module named torch (2)"
        )
        assert only(commands.RequestResources, given)[-1] == commands.RequestResources(())
        assert not engine.all(commands.EndRun)
        assert only(commands.RequestResources, self.fail_on(engine, 7)) == []

    def test_the_run_ends_where_nothing_else_is_left(self) -> None:
        """Where only added nodes could hold what waits, the run ends then, and says the causes."""
        engine = Engine([self.HEAD], future=[EIGHT])
        engine.add(make_trials(100, Resources(cpu=2)))
        engine.tell(events.Tick(0.0))
        for number in range(2, 7):
            assert not engine.all(commands.EndRun)
            self.fail_on(engine, number)
        ends = engine.all(commands.EndRun)
        assert ends
        assert "no module named torch (2)" in ends[0].reason

    def test_one_that_works(self) -> None:
        """As long as a worker runs on one of them, others are asked for."""
        engine = Engine([self.HEAD], future=[EIGHT])
        engine.add(make_trials(100))
        given = engine.tell(events.Tick(0.0), events.NodesChanged((self.HEAD, node(99, 1))), events.Tick(0.5))
        engine.start(*(command.worker for command in only(commands.StartWorker, given)))
        works = node(99, 1)
        for number in range(2, 12):
            nodes = (self.HEAD, works, *(node(n, 8) for n in range(2, number + 1)))
            given = engine.tell(events.NodesChanged(nodes), events.Tick(float(number)))
            engine.tell(
                *(
                    events.WorkerFailed(command.worker, "no", command.nodes)
                    for command in only(commands.StartWorker, given)
                )
            )
        assert not [one for one in records(engine.given) if isinstance(one, events.WarningRecorded)]


class TestExcludedNodes:
    def failed(self, worker: str, *nodes: str) -> events.WorkerFailed:
        return events.WorkerFailed(worker, f"no module named torch ({nodes[0]})", nodes)

    def test_the_run_goes_on_elsewhere(self) -> None:
        """A node on which no worker starts is left, which is said once; trials run on the others."""
        engine, trials = Engine([node(1, 2), node(2, 1)]), make_trials(4)
        engine.add(trials)
        given = engine.tell(self.failed("worker-1", "node-1"))
        assert records(given) == [events.NodeExcluded("10.0.0.1", "no module named torch (node-1)")]
        assert only(commands.StopWorker, given) == [commands.StopWorker("worker-2")]
        assert records(engine.tell(self.failed("worker-2", "node-1"))) == []
        engine.start("worker-3")
        for trial in trials:
            engine.finish(trial)
            engine.tell(events.BatchDone("worker-3"))
        assert engine.controller.done
        assert not engine.all(commands.EndRun)
        assert places(engine.given) == ["node-1", "node-1", "node-2"]

    def test_no_node_is_left(self) -> None:
        """The run ends, with the causes, when no node is left that could ever run what waits."""
        engine = Engine([node(1, 1), node(2, 1)])
        engine.add(make_trials(3))
        assert not only(commands.EndRun, engine.tell(self.failed("worker-1", "node-1")))
        (end,) = only(commands.EndRun, engine.tell(self.failed("worker-2", "node-2")))
        assert "no module named torch (node-1)\nno module named torch (node-2)" in end.reason

    def test_what_runs_goes_on(self) -> None:
        """A node that joins late and is of no use disturbs nothing; what only it could have run ends the run when nothing else runs."""
        engine, trials = Engine([node(1, 1)]), make_trials(2)
        engine.add(trials)
        engine.start("worker-1")
        engine.begin(trials[0])
        engine.tell(events.NodesChanged((node(1, 1), node(2, 1))))
        given = engine.tell(self.failed("worker-2", "node-2"))
        assert [type(command) for command in given] == [commands.Record]
        engine.finish(trials[0])
        assert engine.tell(events.BatchDone("worker-1")) == [run("worker-1", trials[1])]

    def test_what_only_it_could_run(self) -> None:
        """Trials for which no node is left wait until the others have ended; then the run ends, and does not wait for ever."""
        engine, small = Engine([node(1, 1), node(2, 8)]), make_trials(1)
        engine.add([*make_trials(1, EIGHT, first=10), *small])
        given = engine.tell(self.failed("worker-1", "node-2"))
        assert not only(commands.EndRun, given)
        engine.start("worker-2")
        engine.finish(small[0])
        engine.tell(events.BatchDone("worker-2"))
        assert only(commands.EndRun, engine.tell(events.Tick(1.0)))

    def test_it_never_was_there(self) -> None:
        """What waits for a node that was lost goes on waiting, though another one was excluded."""
        engine = Engine([node(1, 8), node(2, 1)])
        engine.tell(self.failed("worker-9", "node-2"), events.NodesChanged((node(2, 1),)))
        engine.add(make_trials(1, EIGHT))
        assert engine.tell(events.Tick(1.0)) == []

    def test_without_nodes_it_is_fatal(self) -> None:
        """A worker that could start nowhere ends the run."""
        engine = Engine()
        engine.add(make_trials(1))
        assert engine.tell(events.WorkerFailed("worker-1", "no")) == [commands.EndRun("no")]


class TestManyShapes:
    def shapes(self, count: int) -> list[Trial]:
        """Return trials that all ask for something else."""
        return [
            make_trials(1, Resources(cpu=1 + number % 3, memory=number), first=number)[0] for number in range(count)
        ]

    def test_all_of_them_run(self) -> None:
        """Hundreds of shapes on a small node all run, the large ones too."""
        big = events.Node("node-1", "10.0.0.1", Resources(cpu=4, memory=2**40))
        trials = self.shapes(300)
        session = Session(trials, always(Outcome()), [big], Policy(patience=0.0))
        session.run()
        assert all(session.audience.became_of(trial) == ["TERMINATED"] for trial in trials)

    def test_a_small_one_behind_many_large_ones(self) -> None:
        """Room that only a small shape fits in is not left unused because larger shapes wait before it."""
        engine = Engine([events.Node("node-1", "10.0.0.1", Resources(cpu=4, memory=2**40))])
        large = [make_trials(1, Resources(cpu=4, memory=n), first=n)[0] for n in range(10 * LOOKED_AT)]
        engine.add([make_trials(1, Resources(cpu=3), first=5000)[0], *large, *make_trials(1, first=6000)])
        assert [start.resources.cpu for start in engine.all(commands.StartWorker)] == [3.0, 1.0]

    def test_nothing_is_kept_of_shapes_that_are_done(self) -> None:
        """A shape of which nothing waits, and which has no workers, leaves nothing behind that an event has to look at."""
        engine = Engine([events.Node("node-1", "10.0.0.1", Resources(cpu=4, memory=2**40))])
        for number, trial in enumerate(self.shapes(50)):
            engine.add([trial])
            (start,) = engine.all(commands.StartWorker)[number:]
            engine.start(start.worker)
            engine.finish(trial)
            engine.tell(events.BatchDone(start.worker))
            engine.tell(events.Tick(100.0 * (number + 1)), events.WorkerStopped(start.worker))
        controller: Controller = engine.controller
        assert not controller._ledger.queues
        assert not controller._staffing.demand
        assert not controller.capacity._counts
