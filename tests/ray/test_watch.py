"""Watching the head of a cluster: whatever it is asked, its silence is noticed in time. The head is played."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_sweep.model.events import Node
from tests.conftest import import_ray
from tests.support.driven import node


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Make watches that ask a hundred times a second, and end them."""
    import_ray()
    from pytest_sweep.executors.ray.cluster import watch as module

    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "LOST_SECONDS", 0.1)
    made: list[Any] = []

    def make(probe: Callable[..., None], *arguments: Any) -> None:
        monkeypatch.setattr(module, "probe", probe)
        made.append(module.ClusterWatch("10.0.0.1:6379", *arguments))
        made[-1].start()

    yield make
    for one in made:
        one.stop()
        one.join(10)


def test_the_nodes_are_told(watch: Callable[..., Any]) -> None:
    """As long as the head answers, it is asked for the nodes again and again; a question that fails is asked again."""
    told: queue.SimpleQueue[tuple[Node, ...]] = queue.SimpleQueue()
    numbers = itertools.count(-1)

    def list_nodes() -> tuple[Node, ...]:
        number = next(numbers)
        if number < 0:
            raise OSError("not now")
        return (node(number),)

    watch(lambda *_: None, list_nodes, told.put, lambda _: None)
    assert [told.get(timeout=10) for _ in range(3)] == [(node(0),), (node(1),), (node(2),)]


def test_a_head_that_dies_between_probe_and_question(watch: Callable[..., Any]) -> None:
    """Where the question for the nodes gets no answer for a minute, the silence of the head is noticed meanwhile."""
    asked, answer = threading.Event(), threading.Event()
    losses: queue.SimpleQueue[float] = queue.SimpleQueue()

    def probe(*_: Any) -> None:
        if asked.is_set():
            raise OSError("connection refused")

    def list_nodes() -> tuple[Node, ...]:
        asked.set()
        answer.wait(60)
        return ()

    watch(probe, list_nodes, lambda _: None, losses.put)
    assert losses.get(timeout=10) >= 0.1
    answer.set()
