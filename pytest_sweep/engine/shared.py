"""Which shared fixtures there are, which are to be built when, and in which order they end."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pytest_sweep.model.commands import BuildShared, SharedCommand, StopShared
from pytest_sweep.model.shared import (
    SharedBuilding,
    SharedEvent,
    SharedFixture,
    SharedLost,
    SharedReady,
    SharedStopped,
)


class SharedState(enum.Enum):
    """What has become of a shared fixture."""

    WANTED = enum.auto()
    """It waits for another one that it uses."""
    BUILDING = enum.auto()
    READY = enum.auto()
    STOPPING = enum.auto()


class Change(enum.Enum):
    """What has become of a fixture that trials wait for or could have."""

    READY = enum.auto()
    LOST = enum.auto()


@dataclass(slots=True)
class SharedEntry:
    """What is known of a shared fixture.

    Attributes:
        fixture: the fixture.
        state: what has become of it.
        since: when it was ordered, by the engine's clock.
        place: the address of the node that it is being built on; "" before that is known.
    """

    fixture: SharedFixture
    state: SharedState = SharedState.WANTED
    since: float = 0.0
    place: str = ""


class SharedFixtures:
    """All shared fixtures of the run, in the order in which trials have named them: each after those that it uses.

    Attributes:
        within: says how many seconds the tear-down of one may take.
    """

    def __init__(self) -> None:
        self.within: Callable[[], float | None] = lambda: None
        self._entries: dict[str, SharedEntry] = {}
        self._orders: list[SharedCommand] = []

    @property
    def are_over(self) -> bool:
        """Whether none of them has a process any more."""
        return not self._entries

    def take_orders(self) -> list[SharedCommand]:
        """Return what is to be done since the last call."""
        orders, self._orders = self._orders, []
        return orders

    def add(self, fixtures: Iterable[SharedFixture], now: float) -> None:
        """Take in the fixtures of a trial, and have those built that are new."""
        new = [fixture for fixture in fixtures if fixture.id not in self._entries]
        for fixture in new:
            self._entries[fixture.id] = SharedEntry(fixture)
        if new:
            self._build_next(now)

    def missing(self, fixtures: Iterable[SharedFixture]) -> SharedEntry | None:
        """Return the first of `fixtures` that is not there, or None."""
        entries = (self._entries.get(fixture.id) for fixture in fixtures)
        return next((entry for entry in entries if entry is not None and entry.state is not SharedState.READY), None)

    def take(self, event: SharedEvent, now: float) -> Change | None:
        """Take what an executor says; return what that means to trials, if it means anything to them."""
        entry = self._entries.get(event.fixture)
        if entry is None:
            return None
        change = None
        if isinstance(event, SharedBuilding):
            entry.place, entry.since = event.place, now
        elif isinstance(event, SharedStopped):
            del self._entries[event.fixture]
            self.stop()
        elif isinstance(event, SharedReady) and entry.state is SharedState.BUILDING:
            entry.state, change = SharedState.READY, Change.READY
            self._build_next(now)
        elif isinstance(event, SharedLost) and entry.state in (SharedState.BUILDING, SharedState.READY):
            if entry.state is SharedState.READY:
                change = Change.LOST
            elif event.is_built:  # It is being built again already.
                return None
            entry.state, entry.place = SharedState.WANTED, ""
            self._build_next(now)
        return change

    def stop(self) -> None:
        """Have all torn down, each before those that it uses: one after the other."""
        waiting = [entry for entry in self._entries.values() if entry.state is SharedState.WANTED]
        for entry in waiting:  # They have no process.
            del self._entries[entry.fixture.id]
        last = next(reversed(self._entries.values()), None)
        if last is not None and last.state is not SharedState.STOPPING:
            last.state = SharedState.STOPPING
            self._orders.append(StopShared(last.fixture.id, self.within()))

    def cut_off(self) -> None:
        """Have all ended at once, also what is being torn down."""
        self.stop()
        last = next(reversed(self._entries.values()), None)
        if last is not None:
            self._orders = [order for order in self._orders if not isinstance(order, StopShared)]
            self._orders.append(StopShared(last.fixture.id, 0.0))

    def _build_next(self, now: float) -> None:
        for entry in self._entries.values():
            needs = (self._entries[need].state for need in entry.fixture.needs)
            if entry.state is SharedState.WANTED and all(state is SharedState.READY for state in needs):
                entry.state, entry.since = SharedState.BUILDING, now
                self._orders.append(BuildShared(entry.fixture))
