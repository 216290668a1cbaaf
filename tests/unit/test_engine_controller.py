"""The controller starts, feeds and stops workers as its policy says: events in, commands out."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_sweep.engine.policy import Policy
from pytest_sweep.model import Resources, Sweep, Trial, TrialState, commands, events
from pytest_sweep.testing.samples import SWEEP
from tests.support.driven import ONE_CPU, Engine, make_trials, node, only, run

FOUR_CPUS = Resources(cpu=4.0)


class TestWorkers:
    def test_workers_fill_the_nodes(self) -> None:
        """As many workers are started as there is room for, each on a node that has it, and no more."""
        engine = Engine([node(1, 2), node(2, 1)])
        assert engine.add(make_trials(10)) == [
            commands.StartWorker("worker-1", ONE_CPU, ("node-1",)),
            commands.StartWorker("worker-2", ONE_CPU, ("node-1",)),
            commands.StartWorker("worker-3", ONE_CPU, ("node-2",)),
        ]

    def test_no_more_workers_than_trials(self) -> None:
        """A worker that would find nothing to do is not started."""
        assert len(Engine([node(cpu=8)]).add(make_trials(3))) == 3

    def test_fractions_share_a_gpu(self) -> None:
        """Tenths of a GPU add up to exactly one, however the sum is rounded."""
        engine = Engine([node(cpu=32, gpu=1)])
        engine.add(make_trials(20, Resources(cpu=1, gpu=0.1)))
        assert len(engine.all(commands.StartWorker)) == 10

    def test_gpus_are_left_to_those_who_ask_for_them(self) -> None:
        """Who needs no GPU goes to a node without one first, else its CPUs would be gone when somebody needs the GPU."""
        engine = Engine([node(1, 1, gpu=1), node(2, 1)])
        assert [order.nodes for order in engine.add(make_trials(1)) if isinstance(order, commands.StartWorker)] == [
            ("node-2",)
        ]
        with_gpu = engine.add(make_trials(1, Resources(cpu=1, gpu=1), first=100))
        assert [order.nodes for order in with_gpu if isinstance(order, commands.StartWorker)] == [("node-1",)]

    def test_a_new_node_is_used(self) -> None:
        """A machine that joins gets workers for what waits."""
        engine = Engine([node(1, 1)])
        engine.add(make_trials(5))
        assert engine.tell(events.NodesChanged((node(1, 1), node(2, 1)))) == [
            commands.StartWorker("worker-2", ONE_CPU, ("node-2",))
        ]

    def test_a_worker_gets_the_next_trial(self) -> None:
        """A worker that is free again gets what waits next, without a new process."""
        engine, trials = Engine([node(cpu=1)]), make_trials(2)
        engine.add(trials)
        assert engine.start("worker-1") == [run("worker-1", trials[0])]
        engine.begin(trials[0])
        engine.finish(trials[0])
        assert engine.tell(events.BatchDone("worker-1")) == [run("worker-1", trials[1])]

    def test_a_worker_gets_only_its_shape(self) -> None:
        """A worker of one CPU never gets a trial of two: that waits for a worker of its own."""
        small, large = make_trials(1), make_trials(1, Resources(cpu=2), first=1)
        engine = Engine([node(cpu=3)])
        engine.add([*small, *large])
        assert engine.start("worker-1") == [run("worker-1", *small)]
        assert engine.start("worker-2") == [run("worker-2", *large)]

    def test_an_idle_worker_makes_room(self) -> None:
        """A worker without work is stopped at once where its resources are wanted by another shape."""
        engine, small = Engine([node(cpu=2)]), make_trials(2)
        engine.add(small)
        engine.start("worker-1", "worker-2")
        for number, trial in enumerate(small, 1):
            engine.finish(trial)
            engine.tell(events.BatchDone(f"worker-{number}"))
        large = make_trials(1, Resources(cpu=2), first=2)
        assert engine.add(large) == [commands.StopWorker("worker-1"), commands.StopWorker("worker-2")]
        assert engine.tell(events.WorkerStopped("worker-1")) == []
        assert engine.tell(events.WorkerStopped("worker-2")) == [
            commands.StartWorker("worker-3", Resources(cpu=2), ("node-1",))
        ]

    def test_idle_workers_are_released(self) -> None:
        """A worker that had nothing to do for 30 seconds is stopped, once."""
        engine, trials = Engine(), make_trials(2)
        engine.tell(events.Tick(1000.0))
        engine.add(trials)
        engine.start("worker-1", "worker-2")
        engine.finish(trials[0])
        engine.tell(events.BatchDone("worker-1"))
        assert engine.tell(events.Tick(1029.9)) == []
        assert engine.tell(events.Tick(1030.0)) == [commands.StopWorker("worker-1")]
        assert engine.tell(events.Tick(1060.0)) == []

    def test_a_fresh_process_a_trial(self) -> None:
        """With fresh_process a worker runs one trial, is restarted for the next, and stopped after the last."""
        engine = Engine([node(cpu=1)])
        trials = make_trials(2, sweep=dataclasses.replace(SWEEP, fresh_process=True))
        engine.add(trials)
        engine.start("worker-1")
        engine.finish(trials[0], duration=0.0)
        assert engine.tell(events.BatchDone("worker-1")) == [commands.RestartWorker("worker-1")]
        assert engine.start("worker-1") == [run("worker-1", trials[1])]
        engine.finish(trials[1])
        assert engine.tell(events.BatchDone("worker-1")) == [commands.StopWorker("worker-1")]

    def test_gpu_trials_get_fresh_processes(self) -> None:
        """A trial that asks for a GPU gets a process of its own, unless the sweep says otherwise."""
        (gpu,) = make_trials(1, Resources(gpu=0.5))
        assert gpu.fresh_process
        assert not dataclasses.replace(gpu, sweep=dataclasses.replace(SWEEP, fresh_process=False)).fresh_process

    def test_max_concurrent(self) -> None:
        """No more workers than max_concurrent live at once, those that are stopping included."""
        engine = Engine([node(cpu=8)], Policy(max_concurrent=2))
        engine.add(make_trials(8))
        assert len(engine.all(commands.StartWorker)) == 2

    def test_max_concurrent_with_two_shapes(self) -> None:
        """At the limit, a worker without work is stopped for a shape that has none."""
        engine = Engine([node(cpu=8)], Policy(max_concurrent=1))
        small, large = make_trials(1), make_trials(1, Resources(cpu=2), first=1)
        engine.add([*small, *large])
        engine.start("worker-1")
        engine.finish(small[0])
        assert engine.tell(events.BatchDone("worker-1")) == [commands.StopWorker("worker-1")]
        assert engine.tell(events.WorkerStopped("worker-1")) == [
            commands.StartWorker("worker-2", Resources(cpu=2), ("node-1",))
        ]


class TestPatience:
    def engine_with_a_large_trial(self) -> tuple[Engine, list[Trial], Trial]:
        """Two full nodes of four CPUs, many small trials, and a large one that came last."""
        engine = Engine([node(1, 4), node(2, 4)])
        engine.tell(events.Tick(0.0))
        small, (large,) = make_trials(100), make_trials(1, FOUR_CPUS, first=100)
        engine.add([*small, large])
        engine.start(*(f"worker-{number}" for number in range(1, 9)))
        return engine, small, large

    def done(self, engine: Engine, worker: str) -> list[commands.Command]:
        """End what `worker` runs now and return what it is told then."""
        last = [command for command in engine.all(commands.RunTrials) if command.worker == worker][-1]
        for key, attempt in last.trials:
            engine.tell(events.TrialFinished(key, attempt, TrialState.TERMINATED, None, None, 5.0, 100.0))
        return engine.tell(events.BatchDone(worker))

    def test_small_trials_go_first_for_a_while(self) -> None:
        """Before patience is over, workers that are warm go on with their own shape."""
        engine, _, _ = self.engine_with_a_large_trial()
        engine.tell(events.Tick(29.0))
        assert [type(command) for command in self.done(engine, "worker-1")] == [commands.RunTrials]

    def test_a_node_is_emptied(self) -> None:
        """After patience, one node's workers stop as they finish, the large trial starts there; the other node goes on."""
        engine, _, large = self.engine_with_a_large_trial()
        engine.tell(events.Tick(30.0))
        for number in (1, 2, 3, 4):
            assert self.done(engine, f"worker-{number}") == [commands.StopWorker(f"worker-{number}")]
            assert [type(command) for command in self.done(engine, f"worker-{number + 4}")] == [commands.RunTrials]
            freed = engine.tell(events.WorkerStopped(f"worker-{number}"))
            assert freed == ([commands.StartWorker("worker-9", FOUR_CPUS, ("node-1",))] if number == 4 else [])
        assert engine.start("worker-9") == [run("worker-9", large)]

    def test_the_emptied_node_is_used_again(self) -> None:
        """When the large trial is done, its node goes back to the small ones."""
        engine, _, large = self.engine_with_a_large_trial()
        engine.tell(events.Tick(30.0))
        for number in (1, 2, 3, 4):
            self.done(engine, f"worker-{number}")
            engine.tell(events.WorkerStopped(f"worker-{number}"))
        engine.start("worker-9")
        engine.finish(large)
        assert engine.tell(events.BatchDone("worker-9")) == [commands.StopWorker("worker-9")]
        again = engine.tell(events.WorkerStopped("worker-9"))
        assert [command.nodes for command in only(commands.StartWorker, again)] == [("node-1",)] * 4

    def test_an_emptied_node_may_vanish(self) -> None:
        """When the node that is being emptied is lost, another one is emptied, and nothing breaks."""
        engine, _, _ = self.engine_with_a_large_trial()
        engine.tell(events.Tick(30.0))
        engine.tell(events.NodesChanged((node(2, 4),)))
        engine.tell(events.Tick(61.0))
        assert self.done(engine, "worker-5") == [commands.StopWorker("worker-5")]

    def test_slow_starts(self) -> None:
        """A worker works once before it yields: shapes whose workers start slower than patience do not block each other."""
        engine, shapes = Engine([node(cpu=2)]), (ONE_CPU, Resources(cpu=2))
        small, large = make_trials(4, shapes[0]), make_trials(4, shapes[1], first=4)
        engine.add([*small, *large])
        engine.tell(events.Tick(31.0))
        assert engine.start("worker-1") == [run("worker-1", small[0])]
        engine.finish(small[0])
        assert engine.tell(events.BatchDone("worker-1")) == [commands.StopWorker("worker-1")]


class TestBatches:
    def measured(self, duration: float, count: int = 1000) -> list[commands.Command]:
        """Return what one worker is told after a first trial that lasted `duration`, with `count` more waiting."""
        engine, trials = Engine([node(cpu=1)]), make_trials(count + 1)
        engine.add(trials)
        engine.start("worker-1")
        engine.finish(trials[0], duration=duration)
        return engine.tell(events.BatchDone("worker-1"))

    @pytest.mark.parametrize(("duration", "size"), [(0.0001, 64), (0.025, 10), (0.2, 1), (60.0, 1)])
    def test_batches_by_duration(self, duration: float, size: int) -> None:
        """As many trials travel together as fill a quarter of a second, at most 64, at least one."""
        (command,) = only(commands.RunTrials, self.measured(duration))
        assert len(command.trials) == size

    def test_the_last_trials_are_spread(self) -> None:
        """No worker gets more than half of its share of what is left."""
        (command,) = only(commands.RunTrials, self.measured(0.0, count=20))
        assert len(command.trials) == 10

    def test_an_unknown_sweep_starts_with_one(self) -> None:
        """What another sweep's trials last says nothing: the first of a sweep goes alone, and sweeps are not mixed."""
        engine = Engine([node(cpu=1)])
        known, unknown = make_trials(3), make_trials(50, sweep=Sweep("test_other.py::tune", "tune"), first=3)
        engine.add([*known, *unknown])
        engine.start("worker-1")
        engine.finish(known[0], duration=0.0)
        assert engine.tell(events.BatchDone("worker-1")) == [run("worker-1", *known[1:])]
        for trial in known[1:]:
            engine.finish(trial, duration=0.0)
        assert engine.tell(events.BatchDone("worker-1")) == [run("worker-1", unknown[0])]

    def test_returned_trials_run_elsewhere(self) -> None:
        """What a worker gives back, because the one before takes long, runs on another worker, in its order."""
        engine, trials = Engine([node(cpu=2)]), make_trials(40)
        engine.add(trials)
        engine.start("worker-1")
        engine.finish(trials[0], duration=0.0)
        (batch,) = only(commands.RunTrials, engine.tell(events.BatchDone("worker-1")))
        assert len(batch.trials) == 9
        engine.start("worker-2")
        engine.begin(trials[1])
        for key, attempt in reversed(batch.trials[1:]):
            engine.tell(events.TrialReturned(key, attempt))
        (running,) = [command for command in engine.all(commands.RunTrials) if command.worker == "worker-2"]
        for key, attempt in running.trials:
            engine.tell(events.TrialFinished(key, attempt, TrialState.TERMINATED, None, None, 1.0, 100.0))
        (after,) = only(commands.RunTrials, engine.tell(events.BatchDone("worker-2")))
        assert (after.worker, after.trials[0]) == ("worker-2", batch.trials[1])

    def test_what_a_call_has_not_ended_is_run_again(self) -> None:
        """A trial that a worker was handed and said nothing of, when it is free again, is handed out again."""
        engine, trials = Engine([node(cpu=1)]), make_trials(1)
        engine.add(trials)
        engine.start("worker-1")
        assert engine.tell(events.BatchDone("worker-1")) == [run("worker-1", trials[0])]
