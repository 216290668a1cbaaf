"""What the controller does about nodes that are drained: nothing new begins there, and what runs goes on elsewhere."""

from __future__ import annotations

import dataclasses

from pytest_sweep.model import Trial, TrialState, commands, events
from pytest_sweep.model.placement import Placement
from pytest_sweep.testing.samples import SWEEP
from tests.support.driven import ONE_CPU, Engine, ended, make_trials, node, only, records

FIRST, SECOND = node(1, cpu=1), node(2, cpu=1)
LEAVING = dataclasses.replace(FIRST, is_leaving=True)
KILL = commands.KillWorker("worker-1")
DIED = events.WorkerDied("worker-1", "killed or crashed", 105.0)


def reported(trial: Trial, checkpoint: str | None = "1-000001") -> events.TrialReported:
    return events.TrialReported(trial.key, 1, {"training_iteration": 1}, checkpoint)


def running(trial: Trial) -> Engine:
    """Return an engine whose first node runs `trial`, is joined by a second one, and leaves."""
    engine = Engine([FIRST])
    engine.add([trial])
    engine.start("worker-1")
    engine.begin(trial)
    assert engine.tell(events.NodesChanged((LEAVING, SECOND))) == []
    return engine


class TestLeavingNodes:
    def test_nothing_new_begins(self) -> None:
        """Idle and starting workers of a leaving node are stopped, and what waits gets one on another node."""
        engine = Engine([FIRST])
        engine.add(make_trials(2))
        assert [start.nodes for start in engine.all(commands.StartWorker)] == [("node-1",)]
        given = engine.tell(events.NodesChanged((LEAVING, SECOND)))
        assert only(commands.StopWorker, given) == [commands.StopWorker("worker-1")]
        assert [start.nodes for start in only(commands.StartWorker, given)] == [("node-2",)]

    def test_the_next_checkpoint(self) -> None:
        """What runs is ended at the tick after its next checkpoint and goes on elsewhere, its retries untouched."""
        (trial,) = make_trials(1, sweep=dataclasses.replace(SWEEP, retries=0, worker_retries=0))
        engine = running(trial)
        engine.tell(reported(trial, None))
        assert engine.tell(events.Tick(1.0)) == []
        engine.tell(reported(trial))
        assert engine.tell(events.Tick(2.0)) == [KILL]
        given = engine.tell(DIED)
        (retried,) = records(given)
        assert isinstance(retried, events.TrialRetried)
        assert retried.failed.error == "its node was drained: the trial goes on elsewhere"
        assert only(commands.StopWorker, given) == [commands.StopWorker("worker-1")]
        assert [start.nodes for start in only(commands.StartWorker, given)] == [("node-2",)]
        assert only(commands.RunTrials, engine.start("worker-2")) == [commands.RunTrials("worker-2", ((trial.key, 2),))]

    def test_an_end_with_the_checkpoint(self) -> None:
        """A trial whose end comes together with its checkpoint is finished, and its worker stopped, not killed."""
        (trial,) = make_trials(1)
        engine = running(trial)
        engine.tell(reported(trial), ended(trial))
        assert engine.tell(events.Tick(1.0)) == []
        assert engine.controller.done

    def test_an_end_before_a_checkpoint(self) -> None:
        """A trial that comes to its end on a leaving node has ended; its worker gets no other one."""
        first, second = make_trials(2)
        engine = Engine([FIRST])
        engine.add([first, second])
        engine.start("worker-1")
        engine.begin(first)
        engine.tell(events.NodesChanged((LEAVING,)))
        engine.finish(first)
        given = engine.tell(events.BatchDone("worker-1"))
        assert given == [commands.StopWorker("worker-1")]
        assert engine.tell(events.WorkerStopped("worker-1")) == []
        assert "drained" in engine.controller.waiting().groups[0].wait.why

    def test_the_deadline(self) -> None:
        """What still runs when a leaving node is as good as gone is ended, as drained, and goes on elsewhere."""
        (trial,) = make_trials(1, sweep=dataclasses.replace(SWEEP, worker_retries=0))
        engine = running(trial)
        assert engine.tell(events.NodesChanged((SECOND,))) == [KILL]
        (retried,) = records(engine.tell(DIED))
        assert isinstance(retried, events.TrialRetried)
        assert retried.failed.error == "its node was drained: the trial goes on elsewhere"

    def test_a_death_of_its_own(self) -> None:
        """A worker that dies by itself on a leaving node is judged as anywhere."""
        (trial,) = make_trials(1, sweep=dataclasses.replace(SWEEP, worker_retries=0))
        engine = running(trial)
        (finished,) = records(engine.tell(DIED))
        assert isinstance(finished, events.TrialFinished)
        assert finished.state is TrialState.ERROR
        assert finished.error == "killed or crashed"

    def test_a_gang(self) -> None:
        """A gang goes on elsewhere as a whole when one of its nodes leaves."""
        (trial,) = make_trials(1, ONE_CPU, placement=Placement(workers=2))
        engine = Engine([FIRST, SECOND])
        engine.add([trial])
        engine.start("worker-1")
        engine.begin(trial)
        engine.tell(events.NodesChanged((LEAVING, SECOND, node(3, cpu=1))))
        engine.tell(reported(trial))
        assert engine.tell(events.Tick(1.0)) == [KILL]
        given = [*engine.tell(DIED), *engine.tell(events.WorkerStopped("worker-1"))]
        assert [start.nodes for start in only(commands.StartWorker, given)] == [("node-2", "node-3")]
