"""The mailbox gives each worker its turn, and has room for each."""

from __future__ import annotations

import asyncio

import pytest

from pytest_sweep.executors.ray.workers import mailbox
from pytest_sweep.executors.ray.workers.mailbox import Mailbox, Message


def message(name: str, number: int, size: int = 10) -> Message:
    return name, [(number, (b"x" * size, "", 0, 0))]


def put(box: Mailbox, *messages: Message) -> list[bool]:
    async def all_of_them() -> list[bool]:
        return [await box.put(message) for message in messages]

    return asyncio.run(all_of_them())


def taken(box: Mailbox) -> tuple[list[tuple[str, int]], frozenset[str]]:
    messages, have_more = asyncio.run(box.take(0.01))
    return [(name, numbered[0][0]) for name, numbered in messages], have_more


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    monkeypatch.setattr(mailbox, "MOST_BYTES", 100)
    monkeypatch.setattr(mailbox, "MOST_OF_ONE", 40)
    monkeypatch.setattr(mailbox, "MOST_TAKEN", 30)
    return Mailbox()


def test_in_turn(box: Mailbox) -> None:
    """What is taken at once is limited, is of each worker in turn, and in order for each; who has more is said."""
    put(box, message("a", 1), message("a", 2), message("a", 3), message("b", 1), message("b", 2))
    assert taken(box) == ([("a", 1), ("b", 1), ("a", 2)], frozenset("ab"))
    assert taken(box) == ([("b", 2), ("a", 3)], frozenset())
    assert taken(box) == ([], frozenset())


def test_there_is_room_for_others(box: Mailbox) -> None:
    """One worker cannot fill it, and all together not beyond its size; what was taken makes room."""
    assert put(box, *[message("a", number) for number in range(1, 6)]) == [True] * 4 + [False]
    assert put(box, *[message(name, 1, 30) for name in "bcd"]) == [True, True, False]
    taken(box)
    assert put(box, message("d", 1)) == [True]
    assert put(box, message("a", 5)) == [True]


def test_a_long_message_is_taken_whole(box: Mailbox) -> None:
    """A message that is longer than all limits is held and taken."""
    assert put(box, message("a", 1, 1000)) == [True]
    assert taken(box) == ([("a", 1)], frozenset())
