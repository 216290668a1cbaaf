"""The fake executor is one to the engine and to pytest, and tells who orders what no executor could do."""

from __future__ import annotations

import collections
import dataclasses
from typing import Any

import pytest

from pytest_sweep.engine.port import Executor
from pytest_sweep.model import Resources, Task, TrialState, commands, events
from pytest_sweep.model.study import Milestones, Verdict, VerdictKind
from pytest_sweep.results import load_results
from pytest_sweep.testing.fake_executor import FakeExecutor, Outcome
from pytest_sweep.testing.fake_worker import PATIENCE_STEPS
from tests.support.driven import ONE_CPU, make_trials, run

CONFTEST = """
from pytest_sweep import TrialState
from pytest_sweep.testing.fake_executor import FakeExecutor, Outcome

def script(task):
    a = task.trial.config["a"]
    if a == 1:
        return Outcome(TrialState.ERROR, error="ValueError: scripted")
    if a == 2:
        return Outcome(TrialState.SKIPPED, error="scripted")
    return Outcome(reports=[{"x": 1}], final={"y": a}, dies="killed" if a == 3 and task.attempt == 1 else None)

def pytest_sweep_make_executor(options):
    return FakeExecutor(script=script)
"""

MODELS = """
from pytest_sweep import sweep

@sweep(grid={"a": [0, 1, 2, 3]})
def train(a):
    raise AssertionError("the body of a trial is not run")
"""


def start(
    fake: FakeExecutor, number: int = 1, resources: Resources = ONE_CPU, nodes: tuple[str, ...] = ("node-1",)
) -> None:
    fake.execute(commands.StartWorker(f"worker-{number}", resources, nodes))


def hand(fake: FakeExecutor, *tasks: Task) -> None:
    fake.execute(run("worker-1", *(task.trial for task in tasks)), tasks)


def make_tasks(count: int) -> list[Task]:
    return [Task(trial, 1, "/results") for trial in make_trials(count)]


def test_in_a_session(pytester: pytest.Pytester) -> None:
    """A plugin's tests can run whole sessions with it: outcomes, retries and results are as scripted."""
    pytester.makeini("[pytest]")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(sweep_models=MODELS)
    result = pytester.runpytest_inprocess("--sweep", "-p", "no:cacheprovider")
    counts = result.parseoutcomes()
    assert {name: counts[name] for name in ("passed", "failed", "skipped", "rerun")} == {
        "passed": 2, "failed": 1, "skipped": 1, "rerun": 1,
    }  # fmt: skip
    result.stdout.fnmatch_lines(["*ValueError: scripted*"])
    (grid,) = load_results(dir=pytester.path / "sweep_results").values()
    assert [str(found.state) for found in grid] == ["TERMINATED", "ERROR", "SKIPPED", "TERMINATED"]
    assert (grid[3].attempts, grid[3].metrics) == (2, {"x": 1, "y": 3})


def test_it_is_an_executor() -> None:
    """It satisfies the protocol, as mypy sees it."""
    executor: Executor = FakeExecutor()
    executor.prepare()
    assert (executor.name, executor.max_concurrent, list(executor.future_nodes())) == ("fake", None, [])
    assert executor.describe() == "fake, 1 nodes"
    executor.shutdown(force=False)
    executor.join()


def test_steps() -> None:
    """Each call of events is a step: starts can be delayed, trials can last."""
    fake = FakeExecutor(script=lambda _: Outcome(polls=2), polls_to_start=2)
    start(fake)
    assert fake.events(0) == []
    assert [type(event) for event in fake.events(0)] == [events.WorkerStarted]
    hand(fake, *make_tasks(1))
    assert [type(event) for event in fake.events(0)] == [events.TrialStarted]
    assert [type(event) for event in fake.events(0)] == [events.TrialFinished, events.BatchDone]


def test_a_kill() -> None:
    """A killed worker says nothing more until it is restarted, and an order that crosses its death is lost."""
    fake = FakeExecutor()
    tasks = make_tasks(1)
    start(fake)
    fake.events(0)
    fake.kill("worker-1", "out of memory")
    hand(fake, *tasks)
    (died,) = fake.events(0)
    assert isinstance(died, events.WorkerDied)
    assert died.cause == "out of memory"
    assert fake.events(0) == []
    fake.execute(commands.RestartWorker("worker-1"))
    assert [type(event) for event in fake.events(0)] == [events.WorkerStarted]
    hand(fake, *tasks)
    assert len(fake.events(0)) == 3
    assert fake.ran == [("worker-1", tasks[0].trial.key, 1)]


def test_trials_are_returned() -> None:
    """What is asked back is returned unless it has begun; nothing of another call is."""
    fake = FakeExecutor(script=lambda _: Outcome(polls=2))
    tasks = [dataclasses.replace(task, lease=3) for task in make_tasks(3)]
    start(fake)
    fake.events(0)
    hand(fake, *tasks)
    fake.events(0)
    fake.execute(commands.ReturnTrials("worker-1", 2))
    fake.execute(commands.ReturnTrials("worker-2", 3))
    assert fake.arrived() == []
    fake.execute(commands.ReturnTrials("worker-1", 3))
    assert fake.arrived() == [events.TrialReturned(task.trial.key, 1, lease=3) for task in reversed(tasks[1:])]
    assert [type(event) for event in fake.events(0)] == [events.TrialFinished, events.BatchDone]
    hand(fake, *tasks[1:])
    fake.execute(commands.ReturnTrials("worker-1", 3))
    assert [type(event) for event in fake.arrived()] == [events.TrialReturned] * 2 + [events.BatchDone]


AT_1_AND_3 = Milestones((1, 3))


class Judged:
    """A fake executor that runs one judged attempt of nine reports."""

    def __init__(self, outcome: Outcome | None = None, milestones: Milestones = AT_1_AND_3, **options: Any) -> None:
        self.fake = FakeExecutor(script=lambda _: outcome or Outcome(reports=[{"x": 1}] * 9))
        (trial,) = make_trials(1)
        self.task = Task(trial, 1, "/results", lease=1, milestones=milestones, **options)
        self.iteration = 0
        start(self.fake)
        self.fake.events(0)
        hand(self.fake, self.task)

    def go_on(self) -> TrialState | None:
        """Take a step; return the state in which the trial ends, if it does."""
        happened = self.fake.events(0)
        reports = [event.metrics["training_iteration"] for event in happened if isinstance(event, events.TrialReported)]
        self.iteration = max([self.iteration, *reports])
        return next((event.state for event in happened if isinstance(event, events.TrialFinished)), None)

    def tell(self, kind: VerdictKind = VerdictKind.CONTINUE, **others: Any) -> None:
        task = self.task
        order = commands.Tell("worker-1", task.trial.key, task.attempt, task.lease, self.iteration, Verdict(kind))
        self.fake.execute(dataclasses.replace(order, **others))


class TestVerdicts:
    """A judged trial goes from milestone to milestone, and obeys as the contract of executors wants it."""

    def test_it_waits_at_each_milestone(self) -> None:
        """It waits for the verdict, and goes on with it, or without it after some steps."""
        judged = Judged()
        judged.go_on()
        judged.go_on()
        assert judged.iteration == 1
        judged.tell()
        judged.go_on()
        assert judged.iteration == 3
        assert [judged.go_on() for _ in range(PATIENCE_STEPS)] == [None] * PATIENCE_STEPS
        assert (judged.go_on(), judged.iteration) == (TrialState.TERMINATED, 9)

    @pytest.mark.parametrize(("kind", "state"), [(VerdictKind.STOP, "STOPPED"), (VerdictKind.PAUSE, "PAUSED")])
    def test_it_obeys_there(self, kind: VerdictKind, state: str) -> None:
        """It ends at the milestone, with what it has reported."""
        judged = Judged()
        judged.go_on()
        judged.tell(kind)
        assert (str(judged.go_on()), judged.iteration) == (state, 1)

    def test_a_late_verdict(self) -> None:
        """Where it does not wait it obeys with its next report."""
        judged = Judged(milestones=Milestones((1, 3), waits=False))
        judged.go_on()
        judged.tell(VerdictKind.STOP)
        assert (judged.go_on(), judged.iteration) == (TrialState.STOPPED, 2)

    @pytest.mark.parametrize("others", [{"key": "other"}, {"attempt": 2}, {"lease": 2}])
    def test_for_another(self, others: dict[str, Any]) -> None:
        """A verdict for another trial, attempt or lease is ignored."""
        judged = Judged()
        judged.go_on()
        judged.tell(VerdictKind.STOP, **others)
        judged.go_on()
        judged.tell()
        assert (judged.go_on(), judged.iteration) == (None, 3)

    def test_a_pause_by_the_task(self) -> None:
        """With a checkpoint it pauses where its task says so, without one it waits there; restored there it pauses at once."""
        saving = Outcome(reports=[{"x": 1}] * 9, checkpoints={2})
        assert (Judged(saving, Milestones(), pause_at=2).go_on(), Judged(saving, Milestones(), pause_at=3).go_on()) == (
            TrialState.PAUSED, None,
        )  # fmt: skip
        restored = Judged(saving, Milestones(), pause_at=2, iteration=2, checkpoint="/results/2")
        assert (restored.go_on(), restored.iteration) == (TrialState.PAUSED, 0)


def test_word_for_word() -> None:
    """A script may say a trial's events itself."""
    (task,) = make_tasks(1)
    late = events.OutputWritten(task.trial.key, "text")
    fake = FakeExecutor(script=lambda _: [late])
    start(fake)
    fake.events(0)
    hand(fake, task)
    assert late in fake.events(0)


def test_a_future_node() -> None:
    """What was asked for and fits nowhere adds a node, one at a time, up to the maximum; what is withdrawn adds none."""
    fake = FakeExecutor(future=[Resources(cpu=4)], most_nodes=3)
    fake.execute(commands.RequestResources(((Resources(cpu=4), 5),)))
    told = [fake.events(0) for _ in range(3)]
    assert [len(event.nodes) for happened in told for event in happened if isinstance(event, events.NodesChanged)] == [
        2,
        3,
    ]
    assert told[2] == []
    fake = FakeExecutor(future=[Resources(cpu=4)])
    fake.execute(commands.RequestResources(((Resources(cpu=4), 5),)))
    fake.execute(commands.RequestResources(()))
    assert fake.events(0) == []


def test_impossible_orders() -> None:
    """What no executor could do is an error at once: too much on a node, a busy or cold worker, other tasks than trials."""
    fake = FakeExecutor(script=lambda _: Outcome(polls=5))
    first, second = make_tasks(2)
    start(fake)
    with pytest.raises(AssertionError, match="has not started"):
        hand(fake, first)
    fake.events(0)
    with pytest.raises(AssertionError, match="tasks are not the trials"):
        fake.execute(run("worker-1", first.trial), [second])
    hand(fake, first)
    with pytest.raises(AssertionError, match="is busy"):
        hand(fake, second)
    with pytest.raises(AssertionError, match="interrupts"):
        fake.execute(commands.RestartWorker("worker-1"))
    with pytest.raises(AssertionError, match="were not stopped"):
        fake.shutdown(force=False)
    with pytest.raises(AssertionError, match="exceeds node-1"):
        start(fake, 2, Resources(cpu=2))


def test_a_run_that_is_stuck() -> None:
    """When nothing happens any more, it says so instead of waiting for ever."""
    fake = FakeExecutor()
    with pytest.raises(AssertionError, match="nothing happens any more"):
        collections.deque(iter(lambda: fake.events(0), None), maxlen=0)
