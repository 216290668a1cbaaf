"""What a worker says arrives once and in order, whichever way it goes and whatever breaks on the way."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.model.events import WarningRecorded
from pytest_sweep.wire import outbox
from pytest_sweep.wire.inbox import Inbox
from pytest_sweep.wire.messages import pack, unpack
from pytest_sweep.wire.outbox import Numbered, Outbox

LIMIT = 10.0


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until `condition` holds; an error after LIMIT seconds."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.001)


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FLUSH_SECONDS", 0.001)


def opened(numbered: Sequence[Numbered]) -> list[tuple[int, Any]]:
    """Return numbered events as they were before they became bytes."""
    return [(number, unpack(packed)) for number, packed in numbered]


def taken(box: Outbox) -> tuple[int, list[tuple[int, Any]]]:
    """End a call and return what is left of it."""
    last, rest = box.take()
    return last, opened(rest)


def closed(*numbered: tuple[int, Any]) -> list[Numbered]:
    """Return numbered events as bytes."""
    return [(number, pack(event)) for number, event in numbered]


class Wire:
    """The way out: keeps what was sent; `broken` makes it raise, `open` holds it up."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, Any]] = []
        self.broken = False
        self.tries = 0
        self.open = threading.Event()
        self.open.set()

    def has_sent(self, count: int) -> bool:
        return len(self.sent) == count

    def was_tried_after(self, tries: int) -> bool:
        return self.tries > tries

    def __call__(self, batch: Sequence[Numbered]) -> None:
        self.tries += 1
        assert self.open.wait(LIMIT)
        if self.broken:
            raise ConnectionError("the way out is closed")
        self.sent += opened(batch)


class TestOutbox:
    def test_numbers_count_from_one(self) -> None:
        """Events are numbered in order; outside a call nothing is sent, everything is taken."""
        wire = Wire()
        box = Outbox(wire)
        for event in "abc":
            box.put(event)
        assert taken(box) == (3, [(1, "a"), (2, "b"), (3, "c")])
        assert taken(box) == (3, [])
        assert wire.tries == 0

    def test_sent_while_a_call_runs(self) -> None:
        """During a call events are sent without being asked for; numbers go on from call to call."""
        wire = Wire()
        box = Outbox(wire)
        for number, event in enumerate("ab", 1):
            box.begin_call()
            box.put(event)
            wait_for(partial(wire.has_sent, number))
            assert taken(box) == (number, [])
        assert wire.sent == [(1, "a"), (2, "b")]

    def test_put_does_not_wait_for_the_way_out(self) -> None:
        """An event is taken at once also while the way out is held up."""
        wire = Wire()
        wire.open.clear()
        box = Outbox(wire)
        box.begin_call()
        box.put("a")
        wait_for(lambda: wire.tries)
        began = time.monotonic()
        for _ in range(1000):
            box.put("b")
        assert time.monotonic() - began < 1.0
        wire.open.set()
        last, rest = box.take()
        assert last == len(wire.sent) + len(rest) == 1001

    def test_put_waits_where_too_much_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who says more than is sent waits until there is room; nothing is lost, and one warning says so."""
        monkeypatch.setattr(outbox, "MOST_BYTES", 10_000)
        wire = Wire()
        wire.open.clear()
        box = Outbox(wire)
        box.begin_call()
        said = [0]

        def talk() -> None:
            for number in range(100):
                box.put(f"{number} " + "x" * 1000)
                said[0] = number + 1

        talking = threading.Thread(target=talk)
        talking.start()
        wait_for(lambda: said[0] >= 10)
        held = said[0]
        talking.join(0.2)
        assert talking.is_alive()
        assert said[0] < held + 10
        wire.open.set()
        talking.join(LIMIT)
        assert not talking.is_alive()
        last, rest = taken(box)
        events = [event for _, event in [*wire.sent, *rest]]
        assert last == len(events) == 101
        (warning,) = [event for event in events if isinstance(event, WarningRecorded)]
        assert "trials there are slowed down" in warning.message
        assert [event.partition(" ")[0] for event in events if event is not warning] == [str(n) for n in range(100)]

    def test_between_calls_nobody_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A late thread that says much between two calls, when nothing is sent, does not wait for ever."""
        monkeypatch.setattr(outbox, "MOST_BYTES", 100)
        box = Outbox(Wire())
        for _ in range(5):
            box.put("x" * 1000)
        assert taken(box)[0] >= 5

    def test_what_could_not_be_sent_is_kept(self) -> None:
        """While sending fails nothing is lost: it goes out with the next batch, in order."""
        wire = Wire()
        wire.broken = True
        box = Outbox(wire)
        box.begin_call()
        for event in "abc":
            box.put(event)
            tried = wire.tries
            wait_for(partial(wire.was_tried_after, tried))
        wire.broken = False
        wait_for(lambda: len(wire.sent) == 3)
        assert wire.sent == [(1, "a"), (2, "b"), (3, "c")]

    def test_how_far_it_is_behind(self) -> None:
        """It knows for how long something has not arrived: since it was put, through every try that fails."""
        wire = Wire()
        wire.broken = True
        box = Outbox(wire)
        assert box.behind == 0
        box.begin_call()
        began = time.monotonic()
        box.put("first")
        wait_for(lambda: wire.tries >= 3)
        box.put("second")
        assert 0 < box.behind <= time.monotonic() - began
        before = box.behind
        wait_for(lambda: box.behind > before)
        wire.broken = False
        wait_for(lambda: box.behind == 0)
        assert wire.has_sent(2)

    def test_what_fails_while_the_call_ends(self) -> None:
        """What is on its way when a call ends, and does not arrive, travels with the call's result."""
        wire = Wire()
        wire.broken = True
        wire.open.clear()
        box = Outbox(wire)
        box.begin_call()
        box.put("a")
        wait_for(lambda: wire.tries)
        found: list[tuple[int, list[tuple[int, Any]]]] = []
        ending = threading.Thread(target=lambda: found.append(taken(box)))
        ending.start()
        wire.open.set()
        ending.join(LIMIT)
        assert found == [(1, [(1, "a")])]

    def test_many_threads(self) -> None:
        """Events of many threads, sent and taken while a wire fails now and then, arrive complete and each thread's in order."""
        chance = random.Random(0)
        inbox, received = Inbox(), []
        lock = threading.Lock()

        def send(batch: Sequence[Numbered]) -> None:
            if chance.random() < 0.3:
                raise ConnectionError
            with lock:
                received.extend(inbox.put(batch))

        box = Outbox(send)

        def talk(name: int) -> None:
            for number in range(300):
                box.put((name, number))

        last = 0
        for call in range(3):
            box.begin_call()
            threads = [threading.Thread(target=talk, args=(call * 4 + name,)) for name in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(LIMIT)
            last, rest = box.take()
            with lock:
                received.extend(inbox.put(rest))
            assert inbox.complete(last)
        assert last == len(received) == 3 * 4 * 300
        for name in range(12):
            assert [number for who, number in received if who == name] == list(range(300))

    def test_in_a_hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is in a hurry is sent at once, with all that was put before it; the next event waits for its beat again."""
        monkeypatch.setattr(outbox, "FLUSH_SECONDS", LIMIT)
        wire = Wire()
        box = Outbox(wire)
        box.begin_call()
        for count in (2, 4, 6):
            box.put("gathers")
            box.put("hurries")
            began = time.monotonic()
            box.hurry()
            wait_for(partial(wire.has_sent, count))
            assert time.monotonic() - began < LIMIT / 2
        box.put("gathers")
        assert taken(box) == (7, [(7, "gathers")])

    def test_beats_only_in_calls(self) -> None:
        """The sender's beat comes while a call runs, and not between calls."""
        beats: list[bool] = []
        in_call = threading.Event()
        box = Outbox(Wire(), lambda: beats.append(in_call.is_set()))
        in_call.set()
        box.begin_call()
        wait_for(lambda: len(beats) > 3)
        box.take()
        assert all(beats)


class TestInbox:
    def test_in_order(self) -> None:
        """What comes early waits for what is missing."""
        inbox = Inbox()
        assert inbox.put(closed((2, "b"), (3, "c"))) == []
        assert not inbox.complete(1)
        assert inbox.put(closed((1, "a"))) == ["a", "b", "c"]
        assert inbox.complete(3)
        assert not inbox.complete(4)

    def test_nothing_is_complete(self) -> None:
        """A call without events is complete at once."""
        assert Inbox().complete(0)

    @given(st.integers(0, 30), st.data())
    def test_any_order(self, count: int, data: st.DataObject) -> None:
        """In whichever order, parts and repetitions events come, each is passed on once and in order."""
        numbered = [(number, f"event {number}") for number in range(1, count + 1)]
        repeated = data.draw(st.lists(st.sampled_from(numbered))) if numbered else []
        shuffled = data.draw(st.permutations([*numbered, *repeated]))
        inbox, received = Inbox(), []
        while shuffled:
            size = data.draw(st.integers(1, len(shuffled)))
            received += inbox.put(closed(*shuffled[:size]))
            shuffled = shuffled[size:]
        assert received == [event for _, event in numbered]
        assert inbox.complete(count)


class TestSender:
    """The thread that sends lives on, whatever is raised in it."""

    @pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt])
    def test_a_beat_that_raises(self, error: type[BaseException]) -> None:
        """What is called with each beat may raise anything: events are sent."""
        wire = Wire()

        def beat() -> None:
            raise error("no clock in this test")

        box = Outbox(wire, beat)
        box.begin_call()
        for count in (1, 2):
            box.put(count)
            wait_for(partial(wire.has_sent, count))

    def test_a_way_out_that_raises_what_is_no_exception(self) -> None:
        """Sending may raise SystemExit: nothing is lost, and the next try sends it."""
        tries = []
        wire = Wire()

        def send(batch: Sequence[Numbered]) -> None:
            tries.append(batch)
            if len(tries) < 3:
                raise SystemExit
            wire(batch)

        box = Outbox(send)
        box.begin_call()
        box.put("a")
        wait_for(partial(wire.has_sent, 1))
        assert wire.sent == [(1, "a")]

    @pytest.mark.parametrize("name", ["monotonic", "time", "sleep", "perf_counter"])
    def test_a_clock_that_raises(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """A trial may patch the functions of `time`: events are put and sent."""
        wire = Wire()
        box = Outbox(wire)
        box.begin_call()
        with monkeypatch.context() as patched:
            patched.setattr(time, name, None)
            box.put("a")
            assert box.behind >= 0
            for _ in range(10_000):
                if wire.sent:
                    break
                threading.Event().wait(0.001)
        assert wire.sent == [(1, "a")]
