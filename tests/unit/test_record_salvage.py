"""What a session still knows of slots is written where its database is lost, and read again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pytest_sweep.model import Run, Trial, TrialState
from pytest_sweep.model.events import (
    Accepted,
    TrialConfigured,
    TrialFinished,
    TrialInterrupted,
    TrialReported,
    TrialStarted,
)
from pytest_sweep.model.search_events import Proposed
from pytest_sweep.plugin.record.salvage import known_events
from pytest_sweep.plugin.session.plan import Plan
from pytest_sweep.plugin.session.tasks import TaskMaker
from pytest_sweep.reporting import Progress
from pytest_sweep.store import DATABASE, RunReader, RunStore
from tests.support.searching import make_slots

RUN = Run("run", "/results/run", 1, "pytest --sweep", 1e9, "inline")


def proposed(slot: Trial) -> Proposed:
    return Proposed(slot.key, {"x": 0.5}, "x=0.5", "the point", {"x": 0.5}, slot=slot.slot or 0)


def known(slots: list[Trial], *happened: Accepted, taken: tuple[str, ...] = ()) -> list[Any]:
    progress = Progress(slots)
    for event in happened:
        progress.update(event)
    tasks = TaskMaker(RUN, slots, storage=None, keep_checkpoints=None, remembers=False)
    return list(known_events(progress, tasks, taken))


def unneeded(slot: Trial) -> TrialFinished:
    return TrialFinished(slot.key, 0, TrialState.SKIPPED, None, "all is found", 0.0, 2e9)


def cached(slot: Trial) -> list[Accepted]:
    end = TrialFinished(slot.key, 0, TrialState.CACHED, {"loss": 0.5, "training_iteration": 3}, None, 0.0, 2e9)
    return [TrialConfigured(1, proposed(slot), slot.study), end]


def test_a_slot_that_was_not_needed() -> None:
    """It is SKIPPED as it was, with its reason and without an attempt."""
    slots = make_slots(1)
    (event,) = known(slots, unneeded(slots[0]))
    assert (event.state, event.attempt, event.error) == (TrialState.SKIPPED, 0, "all is found")
    assert event.time > 1e9


def test_a_slot_that_an_earlier_run_has_tried() -> None:
    """It is CACHED with its metrics, and has made no report."""
    slots = make_slots(1)
    (event,) = known(slots, *cached(slots[0]))
    assert (event.state, event.attempt, event.metrics["loss"]) == (TrialState.CACHED, 0, 0.5)


def test_what_was_taken_is_left_out() -> None:
    """What is copied from an earlier run is not written a second time."""
    slots = make_slots(2)
    started = TrialStarted(slots[1].key, 1, 100.0, "127.0.0.1:42")
    ended = TrialFinished(
        slots[1].key, 1, TrialState.TERMINATED, {"loss": 1, "training_iteration": 1}, None, 1.0, 101.0
    )
    events = known(slots, *cached(slots[0]), started, ended, taken=(slots[0].key,))
    assert {event.key for event in events} == {slots[1].key}
    assert [type(event) for event in events] == [TrialReported, TrialFinished]


def test_how_long_an_attempt_took() -> None:
    """It is the attempt's own duration, not the total time, which counts the attempts that it goes on from."""
    slots = make_slots(2)
    metrics = {"loss": 1, "training_iteration": 4, "time_total_s": 90.0}
    started = [TrialStarted(slot.key, 2, 100.0, "127.0.0.1:42") for slot in slots]
    ended = TrialFinished(slots[0].key, 2, TrialState.TERMINATED, metrics, None, 2.5, 102.5)
    cut = TrialInterrupted(slots[1].key, 2, "Ctrl-C", metrics, duration=2.5, time=102.5)
    _, finished, _, interrupted = known(slots, *started, ended, cut)
    assert (finished.duration, finished.time, interrupted.duration) == (2.5, 102.5, 2.5)


def test_it_can_be_stored_and_read(tmp_path: Path) -> None:
    """The new database has the states, and knows of which run the point of a CACHED slot is."""
    slots = make_slots(2)
    events = known(slots, *cached(slots[0]), unneeded(slots[1]))
    point: Any = SimpleNamespace(metrics={"loss": 0.5}, outcome=SimpleNamespace(folder=Path("/results/older")))
    plan = Plan({}, known_points={"the point": point})
    assert plan.known_from == {"the point": "older"}
    store = RunStore.create(tmp_path, seed=1, command="", executor="inline", rootdir=tmp_path, versions={}, git=None)
    store.add_trials([proposed(slots[0]).applied_to(slots[0]), slots[1]])
    store.points = plan.known_from
    store.record(events)
    store.close()
    rows = {record.key: record for record in RunReader(store.path).trials()}
    assert [str(rows[slot.key].state) for slot in slots] == ["CACHED", "SKIPPED"]
    with closing(sqlite3.connect(store.path / DATABASE)) as connection:
        assert connection.execute("SELECT taken_from FROM trial ORDER BY key").fetchall() == [("older",), (None,)]
    assert rows[slots[1].key].reason == "all is found"
