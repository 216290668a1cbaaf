"""Limits are judged by what had happened when all of it was told: a driver that sleeps times nothing out, and nothing runs for ever."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.worker import Shape, Worker
from pytest_sweep.model import Trial, commands, events
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.shared import SharedFixture, SharedReady
from pytest_sweep.testing.samples import SWEEP
from tests.support.driven import Engine, ended, make_trials, node, only, records, run

KILL = commands.KillWorker("worker-1")
DIED = events.WorkerDied("worker-1", "killed by SIGKILL", 105.0, stacks="Thread 1")
WALL = 1e9
"""What the clock of the workers says at second 0."""


def started(trial: Trial, time: float) -> events.TrialStarted:
    return events.TrialStarted(trial.key, 1, WALL + time, "10.0.0.1:1")


def finished(trial: Trial, time: float, duration: float = 0.0) -> events.TrialFinished:
    return dataclasses.replace(ended(trial, duration=duration), time=WALL + time)


def engine_of(count: int, policy: Policy | None = None, **arguments: float) -> tuple[Engine, list[Trial]]:
    """Return an engine with one worker, of which one trial has run at second 0, and which has been handed more of them."""
    trials = make_trials(count, sweep=dataclasses.replace(SWEEP, **arguments))  # type: ignore[arg-type]
    engine = Engine([node(cpu=1)], policy)
    engine.pass_time(0.0)
    engine.add(trials)
    engine.start("worker-1")
    engine.tell(started(trials[0], 0.0), finished(trials[0], 0.0), events.BatchDone("worker-1"))
    return engine, trials


class TestStalls:
    def test_what_ended_meanwhile(self) -> None:
        """What ended in time while the driver slept has ended, though it is told a second later than the driver woke up."""
        engine, trials = engine_of(9, timeout=3.0)
        engine.pass_time(0.2, started(trials[1], 0.0))
        assert KILL not in engine.pass_time(60.0)
        assert KILL not in engine.pass_time(60.2)
        assert KILL not in engine.pass_time(60.8, finished(trials[1], 2.9), started(trials[2], 2.9))
        assert KILL not in engine.pass_time(61.0, finished(trials[2], 5.8), started(trials[3], 59.9))
        assert [type(event) for event in records(engine.given)].count(events.TrialFinished) == 3

    def test_what_hangs(self) -> None:
        """What has run for too long when the driver wakes up is ended a second later, not before and not much later."""
        engine, trials = engine_of(9, timeout=3.0)
        engine.pass_time(0.2, started(trials[1], 0.0))
        assert KILL not in [*engine.pass_time(60.0), *engine.wait(60.0, 60.8)]
        assert KILL in engine.wait(60.8, 61.2)

    def test_what_began_meanwhile(self) -> None:
        """What began while the driver slept is judged by when it really began, by the clock of its worker, which differs."""
        engine, trials = engine_of(9, timeout=10.0)
        engine.pass_time(20.0, started(trials[1], 0.1), finished(trials[1], 12.0), started(trials[2], 12.0))
        assert KILL not in engine.wait(20.0, 21.8)
        assert KILL in engine.wait(21.8, 22.4)

    def test_not_before_it_was_handed_out(self) -> None:
        """A worker's clock that was set back does not make a trial older than its hand-out."""
        engine, trials = engine_of(9, timeout=10.0)
        engine.pass_time(0.2, started(trials[1], 0.2))
        engine.pass_time(0.4, finished(trials[1], 0.4), *(finished(t, 0.4) for t in trials[2:5]))
        engine.tell(events.BatchDone("worker-1"))
        engine.pass_time(20.0, started(trials[5], -3600.0))
        (finish,) = [c for c in engine.wait(20.0, 22.0) if c == KILL]
        assert finish == KILL, "it was handed out 19 s ago"

    def test_a_driver_that_sleeps_again_and_again(self) -> None:
        """Slow hooks, one after the other, do not keep a trial that hangs alive."""
        engine, trials = engine_of(9, timeout=3.0)
        engine.pass_time(0.2, started(trials[1], 0.0))
        times = [number * 1.5 for number in range(1, 8)]
        killed = [time for time in times if KILL in engine.pass_time(time)]
        assert killed == [6.0]

    def test_late_events_are_waited_for(self) -> None:
        """As long as events arrive that happened before the driver woke up, others are taken to be on their way; not for ever."""
        engine, trials = engine_of(9, timeout=3.0)
        (batch,) = [command for command in engine.all(commands.RunTrials) if len(command.trials) > 1]
        assert len(batch.trials) == 4
        engine.pass_time(0.2, started(trials[1], 0.0))
        engine.pass_time(60.0)
        assert KILL not in engine.pass_time(60.4, finished(trials[1], 1.0), started(trials[2], 1.0))
        assert KILL not in engine.pass_time(60.8, finished(trials[2], 2.0), started(trials[3], 2.0))
        assert KILL not in engine.pass_time(61.2)
        assert KILL not in engine.pass_time(61.6, finished(trials[3], 3.0), started(trials[4], 59.0))
        assert KILL in engine.wait(61.6, 63.0)

    def test_a_clock_that_is_no_number(self) -> None:
        """What a worker's clock says may be nonsense."""
        engine, trials = engine_of(9, timeout=3.0)
        engine.pass_time(20.0, started(trials[1], float("nan")))
        assert KILL in engine.wait(20.0, 24.0)

    def test_nobody_is_told_of_it(self) -> None:
        """A driver that slept does not say that nothing has happened meanwhile: it does not know yet."""
        engine, trials = engine_of(9, Policy(stall=60.0))
        engine.pass_time(0.2, started(trials[1], 0.2))
        for now in (300.0, 300.2, 301.4):
            engine.pass_time(now)
            assert engine.controller.stalled is None
        engine.wait(301.4, 362.0)
        assert engine.controller.stalled is not None

    def test_an_executor_that_runs_trials_in_the_driver(self) -> None:
        """Where nobody can end a trial no limit is checked: a trial that waits is not ended for the one before it."""
        from pytest_sweep.engine.controller import Controller

        trials = make_trials(2, sweep=dataclasses.replace(SWEEP, timeout=3.0))
        engine = Engine([node(cpu=1)])
        engine.controller = Controller(can_kill=False)
        engine.tell(events.NodesChanged((node(cpu=1),)))
        engine.add(trials)
        engine.start("worker-1")
        assert only(commands.KillWorker, engine.pass_time(60.0)) == []


class TestBudget:
    POLICY = Policy(budget=60.0, grace=30.0)

    def test_what_ended_while_the_driver_slept_counts(self) -> None:
        """A driver that sleeps through the grace cuts nothing off before it has heard what has become of it."""
        engine, trials = engine_of(3, self.POLICY)
        engine.pass_time(0.2, started(trials[1], 0.2))
        told = engine.pass_time(100.0)
        assert records(told) == [events.TrialNotRun(trials[2].key, "the budget of 1 min is spent")]
        assert KILL not in told
        (end,) = records(engine.pass_time(100.4, finished(trials[1], 85.0)))
        assert isinstance(end, events.TrialFinished)

    def test_nothing_begins_after_it(self) -> None:
        """A trial that could begin when the driver wakes up after the budget does not."""
        engine, trials = engine_of(3, self.POLICY)
        engine.pass_time(0.2, started(trials[1], 0.2))
        told = engine.pass_time(70.0, finished(trials[1], 50.0), events.BatchDone("worker-1"))
        assert only(commands.RunTrials, told) == []
        assert engine.controller.out_of_time

    def test_what_still_runs(self) -> None:
        """What still runs a second after the driver woke up is cut off."""
        engine, trials = engine_of(3, self.POLICY)
        engine.pass_time(0.2, started(trials[1], 0.2))
        engine.pass_time(100.0)
        assert KILL in engine.wait(100.0, 101.2)

    def test_all_trials_have_run(self) -> None:
        """A budget that ends while the last fixtures are torn down has cut no trial short."""
        engine, _ = engine_of(1, self.POLICY)
        engine.stop_workers()
        engine.tell(events.Tick(100.0))
        assert not engine.controller.out_of_time
        assert engine.given[-1] == KILL


class TestTeardowns:
    def tearing(self, policy: Policy | None = None, **arguments: float) -> tuple[Engine, list[Trial]]:
        """Return an engine whose worker was handed trials, and tears down fixtures of the one before since second 10."""
        engine, trials = engine_of(9, policy, **arguments)
        engine.tell(
            events.Tick(10.0), events.TeardownStarted("worker-1", trials[0].key, "db (module scope, test_a.py)")
        )
        return engine, trials

    def test_it_counts_for_the_trial_before(self) -> None:
        """A tear-down that hangs is an error of the trial whose fixture it is; those behind it run, none is blamed or counted."""
        engine, trials = self.tearing(timeout=15.0, worker_retries=0)
        assert engine.tell(events.Tick(24.9)) == []
        assert engine.tell(events.Tick(25.0)) == [KILL]
        told = engine.tell(DIED)
        (event,) = records(told)
        last = "TimeoutError: the teardown of db (module scope, test_a.py) took longer than 15 s, and its process was ended"
        assert event == events.TeardownTimedOut(trials[0].key, "db (module scope, test_a.py)", f"Thread 1\n\n{last}")
        (first, *_) = only(commands.RunTrials, engine.start("worker-1"))[0].trials
        assert first == (trials[1].key, 1)

    def test_the_run_s_limit(self) -> None:
        """Where the sweep has no limit the run's holds."""
        engine, _ = self.tearing(Policy(timeout=12.0))
        assert engine.tell(events.Tick(21.9)) == []
        assert engine.tell(events.Tick(22.0)) == [KILL]

    def test_the_next_trial_has_its_whole_time(self) -> None:
        """When the next trial begins, the tear-down is over, and the trial's own time begins."""
        engine, trials = self.tearing(timeout=15.0)
        engine.tell(events.Tick(24.0), started(trials[1], 24.0))
        assert engine.tell(events.Tick(38.0)) == []
        assert engine.tell(events.Tick(39.0)) == [KILL]

    def test_several_fixtures(self) -> None:
        """All fixtures of one trial have one limit together; the last that was named is to blame."""
        engine, trials = self.tearing(timeout=15.0)
        engine.tell(events.Tick(20.0), events.TeardownStarted("worker-1", trials[0].key, "net (session scope)"))
        assert engine.tell(events.Tick(25.0)) == [KILL]
        (event,) = records(engine.tell(DIED))
        assert isinstance(event, events.TeardownTimedOut)
        assert event.fixture == "net (session scope)"

    def test_it_ends_at_the_last_moment(self) -> None:
        """A tear-down that ends while its process is being killed has not failed; the next trial is tried again."""
        engine, trials = self.tearing(timeout=15.0)
        engine.tell(events.Tick(25.0), started(trials[1], 25.0))
        (event,) = records(engine.tell(DIED))
        assert isinstance(event, events.TrialRetried)

    def test_an_older_one(self) -> None:
        """What is said of a tear-down when the next trial runs, or of an unknown trial or worker, changes nothing."""
        engine, trials = engine_of(9, timeout=15.0)
        engine.tell(started(trials[1], 0.0))
        for worker, key in (("worker-1", trials[0].key), ("worker-1", "f" * 16), ("worker-9", trials[0].key)):
            assert engine.tell(events.TeardownStarted(worker, key, "db")) == []
        assert engine.tell(events.Tick(15.0)) == [KILL]
        (event,) = records(engine.tell(DIED))
        assert isinstance(event, events.TrialFinished)
        assert event.key == trials[1].key


class TestTheEndOfWorkers:
    @pytest.mark.parametrize(
        ("policy", "timeout", "within"),
        [
            (Policy(), None, 60.0),
            (Policy(timeout=5.0), None, 5.0),
            (Policy(timeout=5.0), 20.0, 20.0),
            (Policy(timeout=20.0, budget=10.0, grace=4.0), None, 14.0),
        ],
    )
    def test_how_long_it_may_take(self, policy: Policy, timeout: float | None, within: float) -> None:
        """A worker has as long to end as its trials had, else a minute; never more than is left of the budget with its grace."""
        engine, _ = engine_of(1, policy, **({} if timeout is None else {"timeout": timeout}))
        assert engine.stop_workers() == [commands.StopWorker("worker-1")]
        assert engine.within == within

    def test_one_that_does_not_end(self) -> None:
        """A worker that goes on after that is killed, and what it tore down is named."""
        engine, trials = engine_of(1, timeout=5.0)
        engine.stop_workers()
        engine.tell(events.TeardownStarted("worker-1", trials[0].key, "db (session scope, test_a.py)"))
        assert engine.tell(events.Tick(6.0)) == [], "its executor has the same limit"
        assert engine.tell(events.Tick(20.0)) == [KILL]
        assert engine.tell(events.Tick(21.0)) == []
        (event,) = records(engine.tell(events.WorkerStopped("worker-1")))
        assert isinstance(event, events.TeardownTimedOut)
        assert not engine.controller.capacity.workers

    def test_the_budget_ends_every_worker(self) -> None:
        """When the budget is over workers are ended whatever they do: start, stop, tear down."""
        engine = Engine([node(cpu=3)], Policy(budget=10.0))
        engine.pass_time(0.0)
        trials = make_trials(3)
        engine.add(trials)
        engine.start("worker-1", "worker-2")
        engine.finish(trials[0])
        engine.tell(events.BatchDone("worker-1"))
        engine.tell(events.Tick(9.0))
        told = engine.tell(events.Tick(10.0))
        assert only(commands.StopWorker, told) == [commands.StopWorker("worker-3")]
        assert engine.within == 0.0
        assert only(commands.KillWorker, told) == [commands.KillWorker("worker-2"), commands.KillWorker("worker-1")]

    def test_the_budget_ends_shared_fixtures(self) -> None:
        """When the budget is over shared fixtures are ended at once, also one that is being built."""
        fixture = SharedFixture("data", "data", "conftest.py", "test_models.py::train")
        for is_built in (True, False):
            engine = Engine(policy=Policy(budget=10.0))
            engine.pass_time(0.0)
            engine.add([dataclasses.replace(trial, shared=(fixture,)) for trial in make_trials(1)])
            if is_built:
                engine.tell(SharedReady("data"))
            assert commands.StopShared("data") in engine.tell(events.Tick(10.0))
            assert engine.within == 0.0
        assert run("worker-1") not in engine.given


def test_a_start_that_was_heard_after_the_death() -> None:
    """How long a trial ran goes by the clock of its process then, and is never longer than it was on its worker."""
    worker = Worker("w1", Shape(Resources()), ("n1",), {}, since=100.0, handed=10.0, heard=1000.0)
    assert worker.ran_for(100.0, 1055.0) == 55.0
    assert worker.ran_for(100.0, 9999.0) == 90.0  # Another machine's clock is wrong.
    worker.since = 40.0
    assert worker.ran_for(100.0, 1055.0) == 60.0
