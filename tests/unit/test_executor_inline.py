"""The executor inline beside threads of its trials, and what it gives back of a call."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_sweep.executors.inline import InlineExecutor
from pytest_sweep.model import Task, commands, events
from tests.support.driven import make_trials, run


@pytest.fixture
def inline(tmp_path: Path) -> InlineExecutor:
    closing: list[Any] = []
    config: Any = SimpleNamespace(rootpath=tmp_path, add_cleanup=closing.append)
    return InlineExecutor(config, SimpleNamespace())  # type: ignore[arg-type] # nothing is run


class Interleaved(deque[Any]):
    """What has happened, where another thread says something as soon as all of it was looked at, once."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[Any] = []

    def append(self, event: Any) -> None:
        self.said.append(event)
        super().append(event)

    def __iter__(self) -> Iterator[Any]:
        yield from [self[place] for place in range(len(self))]
        if "late" not in self.said:
            self.append("late")


def test_nothing_is_lost_that_threads_say_meanwhile(inline: InlineExecutor) -> None:
    """While a trial waits for a verdict its other threads go on reporting: what is said while events are taken is taken later."""
    inline._happened = happened = Interleaved()
    happened.append("early")
    assert [*inline.arrived(), *inline.arrived()] == happened.said


def test_threads_that_report(inline: InlineExecutor) -> None:
    """With real threads, too, each event is taken once and in order."""
    count, taken = 20_000, list[Any]()

    def say() -> None:
        for number in range(count):
            inline._take(number)

    thread = threading.Thread(target=say)
    thread.start()
    while thread.is_alive():
        taken += inline.arrived()
    thread.join()
    assert [*taken, *inline.arrived()] == list(range(count))


def test_what_is_asked_back_is_returned(inline: InlineExecutor) -> None:
    """What waits in a call is given back, and the call is over; of another call nothing is."""
    tasks = [Task(trial, 1, "/results", lease=4) for trial in make_trials(2)]
    order = commands.RunTrials("worker-1", run("worker-1", *(task.trial for task in tasks)).trials, 4)
    inline.execute(order, tasks)
    inline.execute(commands.ReturnTrials("worker-1", 3))
    assert inline.arrived() == []
    inline.execute(commands.ReturnTrials("worker-1", 4))
    returned = [events.TrialReturned(task.trial.key, 1, lease=4) for task in reversed(tasks)]
    assert inline.arrived() == [*returned, events.BatchDone("worker-1", 4)]
    inline.execute(commands.ReturnTrials("worker-1", 4))
    assert inline.arrived() == []
