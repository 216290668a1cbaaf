"""A store that cannot be written is waited for, and whatever interrupts that, nothing is stored twice or lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pytest_sweep.errors import StoreError
from pytest_sweep.model import TrialState
from pytest_sweep.model.events import Accepted, TrialFinished, TrialNotRun, TrialReported, TrialStarted
from pytest_sweep.plugin.record.retrying import RetryingStore
from pytest_sweep.store import RunReader, RunStore
from tests.support.driven import make_trials

EVENTS = [TrialNotRun(f"{number:016x}", "no time") for number in range(4)]


class Unwritable:
    """Stands for a store: takes events while `problem` is None, else raises it."""

    def __init__(self) -> None:
        self.problem: BaseException | None = None
        self.stored: list[Accepted] = []
        self.repairs: list[str] = []
        self.finish: Callable[[int], None]
        self.close: Callable[[], None]

    def record(self, events: Sequence[Accepted]) -> None:
        if self.problem is not None:
            raise self.problem
        self.stored += events


@pytest.fixture
def store() -> Unwritable:
    return Unwritable()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def recorder(store: Unwritable, told: list[str]) -> RetryingStore:
    return RetryingStore(store, told.append)  # type: ignore[arg-type] # it is one, as far as it is asked


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function that lets a minute pass."""
    now = [time.monotonic()]
    monkeypatch.setattr("pytest_sweep.plugin.record.retrying.clock.monotonic", lambda: now[0])

    def wait() -> None:
        now[0] += 60

    return wait


def test_what_waits_is_stored_in_order(
    store: Unwritable, recorder: RetryingStore, told: list[str], later: Callable[[], None]
) -> None:
    """What could not be stored is stored before what came later, and the trouble is told once."""
    recorder.record(EVENTS[:1])
    store.problem = StoreError("the disk is full")
    recorder.record(EVENTS[1:2])
    recorder.record(EVENTS[2:3])
    later()
    recorder.record([])
    store.problem = None
    recorder.record(EVENTS[3:])
    assert store.stored == EVENTS[:1], "it is left alone for some seconds"
    later()
    recorder.flush()
    assert store.stored == EVENTS
    assert not recorder.is_behind
    assert told == ["the disk is full. The trials go on, and their results are kept in memory until they can be stored"]
    assert recorder.summary() == "the disk is full, for a while: everything is stored now"


def test_new_events_are_stored_after_waiting_ones(
    store: Unwritable, recorder: RetryingStore, later: Callable[[], None]
) -> None:
    """When a store can be written again, what has waited is stored before what arrives just then."""
    store.problem = StoreError("the disk is full")
    recorder.record(EVENTS[:2])
    store.problem = None
    later()
    recorder.record(EVENTS[2:])
    assert store.stored == EVENTS
    assert not recorder.is_behind


def test_reports_that_waited_are_stored_before_the_end_of_their_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: Callable[[], None]
) -> None:
    """A history whose reports waited is in order, and the trial ends as it ended, not as it was before."""
    store = RunStore.create(
        tmp_path, seed=0, command="pytest", executor="inline", rootdir=tmp_path, versions={}, git=None
    )
    (trial,) = make_trials(1)
    store.add_trials([trial])
    recorder = RetryingStore(store, lambda _: None)
    with monkeypatch.context() as patch:

        def fail(_: object) -> None:
            raise StoreError("the disk is full")

        patch.setattr(store, "record", fail)
        recorder.record([TrialStarted(trial.key, 1, 100.0, "10.0.0.1:42")])
        recorder.record([TrialReported(trial.key, 1, {"training_iteration": 1, "loss": 0.5})])
    later()
    recorder.record([TrialReported(trial.key, 1, {"training_iteration": 2, "loss": 0.25})])
    recorder.record([TrialFinished(trial.key, 1, TrialState.TERMINATED, {"loss": 0.25}, None, 2.0, 102.0)])
    recorder.finish(lambda: 0)
    reader = RunReader(store.path)
    assert [row["training_iteration"] for row in reader.history(trial.key)] == [1, 2]
    assert [found.state for found in reader.trials()] == [TrialState.TERMINATED]


def test_the_status_is_decided_when_what_waits_is_stored(store: Unwritable, recorder: RetryingStore) -> None:
    """A store that can be written at last has the status of a session in which nothing is missing."""
    statuses: list[int] = []
    store.finish, store.close = statuses.append, lambda: None
    store.problem = StoreError("the database is locked")
    recorder.record(EVENTS)
    store.problem = None
    recorder.finish(lambda: 6 if recorder.is_behind else 0)
    assert statuses == [0]
    assert recorder.summary() == "the database is locked, for a while: everything is stored now"


def test_a_repair_is_told(store: Unwritable, recorder: RetryingStore, told: list[str]) -> None:
    """What was repaired is told at once, and once more at the end."""
    store.repairs.append("run.db was deleted, and has been written again")
    recorder.record(EVENTS[:1])
    recorder.record(EVENTS[1:])
    assert told == store.repairs
    assert recorder.summary() == "run.db was deleted, and has been written again"


def test_an_interrupt(store: Unwritable, recorder: RetryingStore) -> None:
    """Events that an interrupt has kept from being stored stay with who has handed them in, and do not wait here as well."""
    store.problem = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        recorder.record(EVENTS[:2])
    store.problem = None
    recorder.record(EVENTS[:3])
    assert store.stored == EVENTS[:3]


def test_a_report_is_stored_once(tmp_path: Path) -> None:
    """A report that is handed in again, since an interrupt came after the commit, is there once."""
    store = RunStore.create(
        tmp_path, seed=0, command="pytest", executor="inline", rootdir=tmp_path, versions={}, git=None
    )
    (trial,) = make_trials(1)
    store.add_trials([trial])
    for _ in range(2):
        store.record([TrialReported(trial.key, 1, {"training_iteration": 1, "loss": 0.5})])
    store.close()
    assert len(RunReader(store.path).history(trial.key)) == 1
