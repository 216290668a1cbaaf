"""Trials that an earlier run has begun go on counting attempts, and have a fresh budget of retries."""

from __future__ import annotations

import dataclasses

from pytest_sweep.model import TrialState, events
from pytest_sweep.testing.samples import SWEEP
from tests.support.driven import Engine, ended, make_trials, node, records, run


def test_the_first_attempt_is_given() -> None:
    """A trial begins with the attempt that is named for it, another one with the first."""
    engine, (begun, new) = Engine([node(cpu=1)]), make_trials(2)
    engine.tell(events.TrialsAdded((begun, new), {begun.key: 3}))
    assert engine.start("worker-1") == [run("worker-1", begun, attempt=3)]
    engine.begin(begun, 3)
    assert engine.tell(ended(begun, attempt=3), events.BatchDone("worker-1"))[-1] == run("worker-1", new)


def test_what_came_before_is_refused() -> None:
    """What an attempt of the earlier run still sends is refused."""
    engine, (trial,) = Engine([node(cpu=1)]), make_trials(1)
    engine.tell(events.TrialsAdded((trial,), {trial.key: 3}))
    engine.start("worker-1")
    late: list[events.Event] = [
        events.TrialReported(trial.key, 2, {"loss": 1}),
        ended(trial, attempt=2),
        ended(trial, attempt=1),
    ]
    assert records(engine.tell(*late)) == []
    assert records(engine.tell(last := ended(trial, attempt=3))) == [last]


def test_retries_are_counted_anew() -> None:
    """The attempts of the earlier run use up none of the retries."""
    engine, (trial,) = Engine([node(cpu=1)]), make_trials(1, sweep=dataclasses.replace(SWEEP, retries=1))
    engine.tell(events.TrialsAdded((trial,), {trial.key: 5}))
    engine.start("worker-1")
    engine.begin(trial, 5)
    failed = ended(trial, TrialState.ERROR, 5)
    assert records(engine.tell(failed)) == [events.TrialRetried(failed)]
    assert engine.tell(events.BatchDone("worker-1")) == [run("worker-1", trial, attempt=6)]
