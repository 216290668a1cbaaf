"""What processes have said waits for the driver's main thread, each process in turn."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pytest_sweep.executors.processes.told import Told
from pytest_sweep.wire import outbox
from pytest_sweep.wire.outbox import Numbered, in_parts


def taken(told: Told) -> list[str]:
    """Return what is told, in order."""
    said: list[str] = []
    while (what := told.take()) is not None:
        what()
        said.append(SAID.pop())
    return said


SAID: list[str] = []


def saying(text: str) -> Callable[[], None]:
    return lambda: SAID.append(text)


def test_each_in_turn() -> None:
    """Of one source in order, and between sources by turns: one that says much delays no other for longer than a turn."""
    told = Told()
    for number in range(4):
        told.put(saying(f"a{number}"), "a")
    told.put(saying("b0"), "b")
    told.put(saying("nobody"))
    told.put(saying("b1"), "b")
    assert taken(told) == ["a0", "b0", "nobody", "a1", "b1", "a2", "a3"]
    assert told.take() is None
    assert told.take(0.01) is None


def test_it_is_waited_for() -> None:
    """What is put by another thread ends the wait."""
    told = Told()
    thread = threading.Timer(0.05, told.put, [saying("late"), "a"])
    thread.start()
    what = told.take(30)
    thread.join()
    assert what is not None


def numbered(*sizes: int) -> list[Numbered]:
    return [(number, (b"x" * size, "", 0, 0)) for number, size in enumerate(sizes, 1)]


def test_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events travel in parts of a limited size, in order; one that is longer travels alone."""
    monkeypatch.setattr(outbox, "PART_BYTES", 10)
    assert in_parts([]) == []
    for sizes, parts in {
        (3, 3, 3): [3],
        (5, 5, 5): [2, 1],
        (25, 1): [1, 1],
        (1, 25, 1): [1, 1, 1],
        (0, 0, 10, 0, 1): [4, 1],
    }.items():
        given = numbered(*sizes)
        found = in_parts(given)
        assert [len(part) for part in found] == parts
        assert [event for part in found for event in part] == given
