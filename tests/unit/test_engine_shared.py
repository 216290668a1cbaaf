"""Trials that use shared fixtures wait until these are built; a lost one is built again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_sweep.model import Resources, Trial, commands, events
from pytest_sweep.model.shared import SharedBuilding, SharedFixture, SharedLost, SharedReady, SharedStopped
from tests.support.driven import Engine, make_trials

DATA = SharedFixture("data", "data", "conftest.py", "test_models.py::train", Resources(cpu=2))
TOTAL = SharedFixture("total", "total", "conftest.py", "test_models.py::train", needs=("data",))


def using(*fixtures: SharedFixture, count: int = 2, first: int = 0) -> list[Trial]:
    return [replace(trial, shared=fixtures) for trial in make_trials(count, first=first)]


def orders(decided: Sequence[commands.Command]) -> list[str]:
    """Return the orders that concern shared fixtures, and the starts of workers, in short."""
    words = []
    for command in decided:
        if isinstance(command, commands.BuildShared):
            words.append(f"build {command.fixture.id}")
        elif isinstance(command, commands.StopShared):
            words.append(f"stop {command.fixture}")
        elif isinstance(command, commands.StartWorker):
            words.append("start")
        elif isinstance(command, commands.RunTrials):
            words.append("run")
    return words


def test_no_worker_is_started_before_it_is_built() -> None:
    """A fixture is ordered once for all trials, and workers for them when it is there: it has the cluster for itself."""
    engine = Engine()
    assert orders(engine.add(using(DATA))) == ["build data"]
    assert orders(engine.add(using(DATA, first=2))) == []
    assert orders(engine.tell(SharedReady("data"))) == ["start", "start"]


def test_others_do_not_wait() -> None:
    """Trials that do not use it are begun meanwhile."""
    engine = Engine()
    assert orders(engine.add([*using(DATA, count=1), *make_trials(1, first=5)])) == ["build data", "start"]


def test_one_that_uses_another_is_built_after_it() -> None:
    """Of two fixtures the one that uses the other is ordered when that is there, and torn down before it, one at a time."""
    engine = Engine()
    (trial,) = using(DATA, TOTAL, count=1)
    assert orders(engine.add([trial])) == ["build data"]
    assert orders(engine.tell(SharedReady("data"))) == ["build total"]
    assert orders(engine.tell(SharedReady("total"))) == ["start"]
    engine.start("worker-1")
    engine.begin(trial)
    engine.finish(trial)
    engine.tell(events.BatchDone("worker-1"))
    assert engine.controller.has_shared
    assert orders(engine.controller.stop_shared()) == ["stop total"]
    assert orders(engine.tell(SharedStopped("total"))) == ["stop data"]
    assert orders(engine.tell(SharedStopped("data"))) == []
    assert not engine.controller.has_shared


def test_one_whose_node_is_lost_is_built_again() -> None:
    """What waits in a queue is held back until the fixture is there again, and is not lost."""
    engine = Engine()
    trials = using(DATA, count=4)
    engine.add(trials)
    engine.tell(SharedReady("data"))
    assert orders(engine.tell(SharedLost("data"))) == ["build data"]
    assert orders(engine.start("worker-1", "worker-2")) == []
    assert orders(engine.tell(SharedReady("data"))) == ["run", "run"]
    assert engine.controller.waiting().of(trials[3].key) is not None


def test_a_trial_that_finds_it_lost_waits_for_it() -> None:
    """A worker that cannot get the value gives its trial back, which costs no attempt; the fixture is built again, once."""
    engine = Engine()
    first, second = trials = using(DATA, count=2)
    engine.add(trials)
    engine.tell(SharedReady("data"))
    engine.start("worker-1", "worker-2")
    assert orders(engine.tell(events.TrialReturned(first.key, 1, lost="data"))) == ["build data"]
    assert orders(engine.tell(events.TrialReturned(second.key, 1, lost="data"))) == []
    engine.tell(events.BatchDone("worker-1"), events.BatchDone("worker-2"))
    assert orders(engine.tell(SharedReady("data"))) == ["run", "run"]
    assert {pair for command in engine.all(commands.RunTrials)[-2:] for pair in command.trials} == {
        (trial.key, 1) for trial in trials
    }


def test_a_building_that_comes_to_nothing_is_begun_again() -> None:
    """Where what it uses is lost, too, it is ordered after that."""
    engine = Engine()
    engine.add(using(DATA, TOTAL))
    engine.tell(SharedReady("data"))
    assert orders(engine.tell(SharedLost("data"), SharedLost("total"))) == ["build data"]
    assert orders(engine.tell(SharedReady("data"))) == ["build total"]


def test_waiting_for_it_is_explained() -> None:
    """The status says that trials wait for the shared fixture, what that waits for, and then where it is being built."""
    engine = Engine()
    trials = using(DATA)
    engine.add(trials)
    (group,) = engine.controller.waiting().groups
    assert (group.trials, group.wait.what) == (2, "the shared fixture data")
    assert group.wait.why == "2 CPUs were asked for 0 s ago, to build it with"
    engine.tell(SharedBuilding("data", "10.0.0.1"), events.Tick(12.0))
    wait = engine.controller.waiting().of(trials[0].key)
    assert wait is not None
    assert wait.why == "it is being built on node 10.0.0.1, for 12 s"


def test_the_end_of_the_run_gives_up_who_waits_for_it() -> None:
    """A run that ends while a fixture is being built leaves no trial open, and ends the building."""
    engine = Engine()
    engine.add(using(DATA, TOTAL))
    given_up = engine.tell(events.RunEnding("interrupted"))
    assert [
        command.event.key
        for command in given_up
        if isinstance(command, commands.Record) and isinstance(command.event, events.TrialNotRun)
    ] == ["0" * 16, "0" * 15 + "1"]
    assert engine.controller.done
    assert orders(engine.controller.stop_shared()) == ["stop data"]  # The other one has no process yet.
    assert orders(engine.tell(SharedReady("data"), SharedStopped("data"))) == []
    assert not engine.controller.has_shared
