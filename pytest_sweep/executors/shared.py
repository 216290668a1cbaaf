"""Has shared fixtures built, each by a process of its own that keeps it to the end of the run. For every executor with processes.

Knows no process: an executor gives a port for each fixture, which also knows how its value travels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pytest_sweep.durations import duration_words
from pytest_sweep.executors.lifecycle import Slot
from pytest_sweep.executors.phases import Limits, Phase, Port
from pytest_sweep.executors.workers import Say, overrun
from pytest_sweep.model import events
from pytest_sweep.model.events import Death
from pytest_sweep.model.shared import (
    FailedFixture,
    SharedBuilding,
    SharedFixture,
    SharedLost,
    SharedReady,
    SharedStopped,
)
from pytest_sweep.model.trials import Task
from pytest_sweep.wire.calls import Built, CallResult, LostFixture
from pytest_sweep.wire.lastwords import Ending
from pytest_sweep.worker.lending import death_of_builder, unwatched_death

MOST_TRIES = 2
"""How many processes may die of building a fixture: the first may have been killed by somebody else."""


class BuilderPort(Port, Protocol):
    """What the slot of a builder can do.

    Attributes:
        slot: the slot, which is told what comes of it.
        home: the id of the node that its process is on; "" before that is known.
    """

    slot: Slot
    home: str

    @property
    def address(self) -> str:
        """Where its process is, for people."""

    def value(self, built: object) -> object:
        """Return what workers are told of a value that was built: where it is."""

    def avoid(self, node: str) -> bool:
        """Reserve nothing on a node any more, because no builder starts there; return whether there is another one."""

    def clear(self) -> None:
        """Delete what is left of a value that is not wanted any more."""


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """An order to build a fixture; `offers` are those that it uses."""

    fixture: SharedFixture
    offers: dict[str, Any]


class Builders:
    """All shared fixtures of a run.

    Args:
        say: tells the engine of an event.
        make_port: makes the port of a new builder, whose number it is given.
        limits: how long each phase of a process may take.
        reserves: whether what a fixture asks for has to be reserved before its process can start.
    """

    def __init__(
        self,
        say: Say,
        make_port: Callable[[SharedFixture, int], BuilderPort],
        limits: Limits,
        *,
        reserves: bool = False,
    ) -> None:
        self._say = say
        self._make_port = make_port
        self._limits = replace(limits, starts=MOST_TRIES)
        self._reserves = reserves
        self._builders: dict[str, _Builder] = {}
        self._offers: dict[str, Any] = {}
        self._made = 0

    def offers(self, tasks: Iterable[Task]) -> dict[str, Any]:
        """Return where the shared fixtures of tasks are, by their ids."""
        return self.of(fixture.id for task in tasks for fixture in task.trial.shared)

    def of(self, fixtures: Iterable[str]) -> dict[str, Any]:
        """Return where shared fixtures are, by their ids."""
        return {ident: self._offers[ident] for ident in fixtures if ident in self._offers}

    def build(self, fixture: SharedFixture, within: float | None = None) -> None:
        """Have a process build a fixture, anew if there was one; `within` is how many seconds the building may take."""
        if fixture.id in self._builders:
            self.drop(fixture.id)
        self._made += 1
        port = self._make_port(fixture, self._made)
        builder = _Builder(self, fixture, port, self._say, within)
        builder.slot = port.slot = Slot(port, builder, self._limits, reserves=self._reserves)
        self._builders[fixture.id] = builder
        if not self._reserves:
            self._say(SharedBuilding(fixture.id, port.address))
        builder.slot.start()

    def stop(self, fixture: str, now: float, within: float | None = None) -> None:
        """Have a fixture torn down, which may take `within` seconds, or its building ended, and its process, too."""
        builder = self._builders.get(fixture)
        if builder is None:
            self._say(SharedStopped(fixture))
        elif fixture not in self._offers:
            self.drop(fixture)
            self._say(SharedStopped(fixture))
        elif builder.slot.phase is Phase.GONE:  # Its process could not be started.
            self.forget(fixture)
        else:
            builder.slot.stop(now, within)

    def note_nodes(self, nodes: Iterable[str]) -> None:
        """Take the ids of the nodes that there are, and have built again what was on one that is gone."""
        alive = set(nodes)
        for fixture, builder in list(self._builders.items()):
            if fixture in self._offers and builder.port.home and builder.port.home not in alive:
                self.lose(fixture)

    def tick(self, now: float) -> None:
        """Look at the clock."""
        for builder in list(self._builders.values()):
            builder.now = now
            builder.slot.tick(now)

    def abandon_all(self) -> None:
        """End all processes at once, without a word."""
        for fixture in list(self._builders):
            self.drop(fixture)

    # Asked by a builder

    def be_ready(self, fixture: str, offer: object) -> None:
        """Tell workers of a fixture that was built, or has failed."""
        self._offers[fixture] = offer
        self._say(SharedReady(fixture))

    def has_value(self, fixture: str) -> bool:
        """Say whether a fixture was built, and has not failed."""
        return fixture in self._offers and not isinstance(self._offers[fixture], FailedFixture)

    def lose(self, fixture: str) -> None:
        """Say that a fixture has to be built again."""
        self.drop(fixture)
        self._say(SharedLost(fixture))

    def drop(self, fixture: str) -> None:
        """Forget a fixture, and end its process at once."""
        builder = self._builders.pop(fixture)
        self._offers.pop(fixture, None)
        builder.slot.abandon()
        builder.port.clear()

    def forget(self, fixture: str) -> None:
        """Say that a fixture was torn down."""
        builder = self._builders.pop(fixture)
        self._offers.pop(fixture, None)
        builder.port.clear()
        self._say(SharedStopped(fixture))


class _Builder:
    """The owner of the slot that builds one fixture.

    Attributes:
        slot: the slot.
        port: what it can do.
        now: the time of the last tick.
    """

    slot: Slot

    def __init__(
        self, builders: Builders, fixture: SharedFixture, port: BuilderPort, say: Say, within: float | None
    ) -> None:
        self.port = port
        self.now: float | None = None
        self._builders = builders
        self._fixture = fixture
        self._say = say
        self._within = within
        self._tries = 0

    def on_started(self, result: CallResult) -> None:  # noqa: ARG002 - it is known by now where it is
        """Have the fixture built."""
        deadline = None if self._within is None or self.now is None else self.now + self._within
        self.slot.run(BuildOrder(self._fixture, self._builders.of(self._fixture.needs)), deadline)

    def on_not_started(self, failure: CallResult | None, cause: str) -> None:
        """Try again on another node, or tell workers why the fixture cannot be had."""
        if failure is not None and failure.exit is not None:
            self._say(events.SessionExited(self._fixture.id, *failure.exit))
        elif self.port.home and self.port.avoid(self.port.home):
            self._builders.build(self._fixture, self._within)
        else:
            text = f"{self._fixture} cannot be had: no process to build it could be started: {cause}"
            self._builders.be_ready(self._fixture.id, FailedFixture(text))

    def on_answer(self, answer: tuple[CallResult, Built | object]) -> None:
        """Take what was built."""
        result, built = answer
        fixture = self._fixture
        if result.exit is not None:
            self._say(events.SessionExited(fixture.id, *result.exit))
        elif isinstance(built, LostFixture):
            self._say(SharedLost(built.id))
            self._builders.lose(fixture.id)
        elif result.failure is not None:
            self._be_ready(death_of_builder(fixture, result.failure, ""))
        else:
            self._be_ready(built if isinstance(built, FailedFixture) else self.port.value(built))

    def on_died(self, phase: Phase, ending: Ending) -> None:  # noqa: ARG002 - it is known what there is of the fixture
        """Try again, or tell workers how the process died; once there is a value, they can do without it."""
        if self._builders.has_value(self._fixture.id):
            self._say(unwatched_death(self._fixture, ending.cause))
            return
        if self._fixture.id in self._builders.of([self._fixture.id]):  # What has failed needs no process.
            return
        self._tries += 1
        if ending.kind is Death.NODE_LOST:
            self._builders.lose(self._fixture.id)
        elif self.slot.is_overrun:
            self._be_ready(self._timeout(ending.stacks))
        elif self._tries < MOST_TRIES:
            # Where there is room then: its node may be gone, which is known a little later only.
            self.slot.release()
            self.port.clear()
            self.slot.start()
        else:
            self._be_ready(death_of_builder(self._fixture, ending.cause, ending.stacks))

    def on_overrun(self, phase: Phase, fixture: str, ending: Ending) -> None:
        """Warn of a tear-down or an exit that took too long."""
        self._say(overrun(f"the process that had built {self._fixture}", phase, fixture, ending))

    def on_lost(self, ending: Ending) -> None:
        """Warn that the fixture is not torn down."""
        if self._builders.has_value(self._fixture.id):
            self._say(unwatched_death(self._fixture, ending.cause))

    def on_stopped(self) -> None:
        """Say that the fixture was torn down."""
        self._builders.forget(self._fixture.id)

    def _be_ready(self, offer: object) -> None:
        self.slot.release()
        self._builders.be_ready(self._fixture.id, offer)

    def _timeout(self, stacks: str) -> FailedFixture:
        limit = duration_words(self._within or 0.0)
        text = f"{self._fixture} cannot be had.\nTimeoutError: building it took longer than {limit}, and its process was ended"
        return FailedFixture(f"{stacks.rstrip()}\n\n{text}" if stacks else text)
