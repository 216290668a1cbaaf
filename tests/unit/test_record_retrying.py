"""A store that cannot be written is waited for, and whatever interrupts that, nothing is stored twice or lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pytest_sweep.errors import StoreError
from pytest_sweep.model.events import Accepted, TrialNotRun, TrialReported
from pytest_sweep.plugin.record.retrying import RetryingStore
from pytest_sweep.store import RunReader, RunStore
from tests.support.driven import make_trials

EVENTS = [TrialNotRun(f"{number:016x}", "no time") for number in range(4)]


class Unwritable:
    """Stands for a store: takes events while `problem` is None, else raises it."""

    def __init__(self) -> None:
        self.problem: BaseException | None = None
        self.stored: list[Accepted] = []

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
