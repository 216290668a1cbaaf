"""Each hand-out of a trial has a lease: what a worker says under an older one changes nothing."""

from __future__ import annotations

import dataclasses

from pytest_sweep.model import Trial, TrialState, commands, events
from pytest_sweep.testing.samples import SWEEP
from tests.support.driven import Engine, ended, make_trials, node, only, records, run


def handed(cpus: float = 2, count: int = 1) -> tuple[Engine, list[Trial]]:
    """Return an engine whose first worker has been handed the first of `count` trials."""
    engine, trials = Engine([node(cpu=cpus)]), make_trials(count)
    engine.add(trials)
    engine.start("worker-1")
    return engine, trials


def of_first_lease(trial: Trial) -> list[events.Event]:
    """Return all that a worker may say of a trial, under the lease of the first hand-out."""
    return [
        events.TrialStarted(trial.key, 1, 100.0, "10.0.0.1:1", lease=1),
        events.TrialReported(trial.key, 1, {"loss": 1.0}, lease=1),
        dataclasses.replace(ended(trial), lease=1),
        events.TrialReturned(trial.key, 1, lease=1),
        events.BatchDone("worker-1", lease=1),
    ]


def test_a_dead_worker_s_last_words() -> None:
    """A trial that was not begun when its worker died is handed out under a new lease; the old worker's events are refused."""
    engine, (trial,) = handed()
    engine.tell(events.WorkerDied("worker-1", "cut off", 100.0, events.Death.NODE_LOST))
    assert engine.start("worker-1") == [run("worker-1", trial)]
    assert engine.leases[trial.key, 1] == [1, 2]
    assert engine.tell(*of_first_lease(trial)) == []
    assert [type(event) for event in records(engine.begin(trial))] == [events.TrialStarted]
    assert [type(event) for event in records(engine.finish(trial))] == [events.TrialFinished]


def test_a_return_after_the_end_of_its_call() -> None:
    """A trial that is returned when its call is over already does not run twice."""
    engine, (trial,) = handed()
    (again,) = only(commands.RunTrials, engine.tell(events.BatchDone("worker-1", lease=1)))
    assert again.trials == ((trial.key, 1),)
    assert engine.tell(events.TrialReturned(trial.key, 1, lease=1)) == []
    engine.finish(trial)
    assert engine.tell(events.BatchDone("worker-1")) == []
    assert len(engine.all(commands.RunTrials)) == 2


def test_the_end_of_an_older_call() -> None:
    """A worker is not taken for free because an older call of its has ended."""
    engine, trials = handed(cpus=1, count=2)
    engine.finish(trials[0])
    engine.tell(events.BatchDone("worker-1", lease=1))
    assert engine.tell(events.BatchDone("worker-1", lease=1)) == []
    assert len(engine.all(commands.RunTrials)) == 2


def test_nothing_is_taken_twice() -> None:
    """A second start or end of one hand-out is refused, and so is the return of what has begun."""
    engine, (trial,) = handed()
    engine.begin(trial)
    assert engine.begin(trial) == []
    assert engine.tell(events.TrialReturned(trial.key, 1)) == []
    assert len(records(engine.finish(trial))) == 1
    assert engine.finish(trial) == []


def test_each_call_has_its_own() -> None:
    """No two calls have the same lease, whichever workers get them."""
    engine, trials = handed(count=6)
    engine.start("worker-2")
    for number in range(6):
        engine.finish(trials[number])
        engine.tell(events.BatchDone(f"worker-{number % 2 + 1}"))
    leases = [lease for place, given in engine.leases.items() if isinstance(place, str) for lease in given]
    assert len(leases) == len(set(leases)) == len(engine.all(commands.RunTrials))


def test_a_call_that_ends_without_a_trial_s_end() -> None:
    """A trial that has begun, and of whose end its worker says nothing, has used up its attempt; it does not begin twice."""
    engine, (trial,) = handed()
    engine.begin(trial)
    told = engine.tell(events.BatchDone("worker-1"))
    (retried,) = records(told)
    assert isinstance(retried, events.TrialRetried)
    assert "without saying how the trial ended" in str(retried.failed.error)
    assert only(commands.RunTrials, told) == [run("worker-1", trial, attempt=2)]


class TestGivenUp:
    SWEEP = dataclasses.replace(SWEEP, retries=1)

    def given_up(self, **arguments: float) -> tuple[Engine, list[Trial]]:
        """Return an engine with two workers, whose sweep is given up after one failure while the other worker has a trial."""
        from pytest_sweep.engine.policy import Policy

        trials = make_trials(6, sweep=dataclasses.replace(self.SWEEP, **arguments))  # type: ignore[arg-type]
        engine = Engine([node(cpu=2)], Policy(abort_after=1))
        engine.tell(events.Tick(0.0))
        engine.add(trials)
        engine.start("worker-1", "worker-2")
        engine.begin(trials[0])
        engine.tell(dataclasses.replace(ended(trials[0], TrialState.ERROR), may_retry=False))
        return engine, trials

    def test_what_is_returned(self) -> None:
        """A trial of a sweep that was given up is not run when a worker returns it."""
        engine, trials = self.given_up()
        (event,) = records(engine.tell(events.TrialReturned(trials[1].key, 1)))
        assert isinstance(event, events.TrialNotRun)
        assert engine.controller.done

    def test_what_would_be_retried(self) -> None:
        """Nor is one that fails, with or without a delay, nor one whose worker dies."""
        for backoff in (0.0, 5.0):
            engine, trials = self.given_up(backoff=backoff)
            engine.begin(trials[1])
            events_ = records(engine.finish(trials[1], TrialState.ERROR))
            assert [type(event) for event in events_] == [events.TrialRetried, events.TrialInterrupted]
            assert engine.controller.done
        engine, trials = self.given_up()
        engine.begin(trials[1])
        events_ = records(engine.tell(events.WorkerDied("worker-2", "killed", 100.0)))
        assert [type(event) for event in events_] == [events.TrialRetried, events.TrialInterrupted]

    def test_what_is_added(self) -> None:
        """Nor is one that is added later."""
        engine, trials = self.given_up()
        (event,) = records(engine.add(make_trials(1, sweep=trials[0].sweep, first=50)))
        assert isinstance(event, events.TrialNotRun)
