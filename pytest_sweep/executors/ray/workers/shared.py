"""The actors that build shared fixtures, one each, and keep them to the end of the run. Imports no Ray; lives in the conductor's thread.

What an actor has built it returns, so that it is the driver's: what an actor puts into the object store itself dies with it. It holds no
resources but stands beside a placement group that holds them, so that they can be given back while it lives.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_sweep.executors.ray.desk import Desk
from pytest_sweep.executors.ray.workers.handle import WorkerHandle, brief
from pytest_sweep.executors.ray.workers.messages import Messages
from pytest_sweep.executors.ray.workers.postmortem import Postmortem
from pytest_sweep.executors.ray.workers.reservations import Bundle, Reservations
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
from pytest_sweep.wire.calls import LostFixture
from pytest_sweep.wire.inbox import Inbox
from pytest_sweep.wire.lastwords import Ending
from pytest_sweep.worker.lending import death_of_builder, unwatched_death

if TYPE_CHECKING:  # Imports Ray.
    from pytest_sweep.executors.ray.workers.spawn import Spawner
    from pytest_sweep.wire.calls import CallResult

MOST_TRIES = 2
"""How many processes may die of building a fixture: the first may have been killed by somebody else."""


@dataclass(eq=False)
class _Builder:
    """A shared fixture and the worker that builds it.

    Attributes:
        fixture: the fixture.
        worker: the worker; the engine knows nothing of it.
        tries: how many of its processes have died.
        value: Ray's reference to the value that is being made.
    """

    fixture: SharedFixture
    worker: WorkerHandle
    tries: int = 0
    value: Any = None


class SharedBuilders:
    """All shared fixtures of the run.

    Args:
        desk: the conductor.
        workers: those whose messages are read; the builders are put in.
        spawner: starts and ends processes.
        groups: reserves resources.
        messages: brings what the processes say.
        postmortem: finds out how they died.
    """

    def __init__(
        self,
        desk: Desk,
        workers: dict[str, WorkerHandle],
        spawner: Spawner,
        groups: Reservations,
        messages: Messages,
        postmortem: Postmortem,
    ) -> None:
        self._workers = workers
        self._spawner = spawner
        self._groups = groups
        self._messages = messages
        self._postmortem = postmortem
        self._say = desk.say
        self._when_done = desk.when_done
        self._builders: dict[str, _Builder] = {}
        self._offers: dict[str, Any] = {}
        self._addresses: dict[str, str] = {}
        self._made = 0

    def offers(self, tasks: Iterable[Task]) -> dict[str, Any]:
        """Return where the shared fixtures of tasks are, by their ids."""
        return self._of(fixture.id for task in tasks for fixture in task.trial.shared)

    def note_nodes(self, nodes: Iterable[events.Node]) -> None:
        """Take the nodes that there are, and have built again what was on one that is gone."""
        self._addresses = {node.id: node.address for node in nodes}
        for builder in list(self._builders.values()):
            if builder.fixture.id in self._offers and builder.worker.home not in self._addresses:
                self._lose(builder)

    def build(self, fixture: SharedFixture) -> None:
        """Have a process build a fixture, anew if there was one."""
        if fixture.id in self._builders:
            self._drop(self._builders[fixture.id])
        self._made += 1
        worker = WorkerHandle(f"shared-{self._made}", fixture.resources, fixture.placement)
        builder = _Builder(fixture, worker)
        self._builders[fixture.id], self._workers[worker.id] = builder, worker
        self._reserve(builder)

    def stop(self, fixture: str) -> None:
        """Have a fixture torn down, or its building ended, and its process, too."""
        builder = self._builders.get(fixture)
        if builder is None or fixture not in self._offers:
            self._forget(fixture)
            return
        finished = builder.worker.actor.finish.remote()
        self._when_done(finished, self._on_finished, builder)

    def _of(self, fixtures: Iterable[str]) -> dict[str, Any]:
        return {ident: self._offers[ident] for ident in fixtures if ident in self._offers}

    # Building

    def _reserve(self, builder: _Builder) -> None:
        fixture = builder.fixture
        bundle = Bundle(fixture.resources, dict(fixture.placement.labels))
        builder.worker.reservation = self._groups.reserve(
            [bundle], "PACK", partial(self._on_reserved, builder), is_planned=False
        )

    def _on_reserved(self, builder: _Builder, error: Exception | None) -> None:
        worker, fixture = builder.worker, builder.fixture
        if error is not None:
            self._say(events.WorkerFailed(worker.id, f"Ray did not grant {fixture.resources} for {fixture}: {error}"))
            return
        (worker.home,) = self._groups.nodes_of(worker.reservation)  # type: ignore[arg-type]
        self._say(SharedBuilding(fixture.id, self._addresses.get(worker.home, worker.home)))
        self._start(builder)

    def _start(self, builder: _Builder) -> None:
        worker = builder.worker
        worker.births += 1
        worker.inbox = Inbox()
        self._spawner.start_on_node(worker, worker.home)
        self._when_done(worker.actor.start.remote(), self._on_started, builder, worker.births)

    def _on_started(
        self, builder: _Builder, births: int, started: tuple[CallResult, str] | None, error: Exception | None
    ) -> None:
        worker, fixture = builder.worker, builder.fixture
        if self._is_old(builder, births):
            return
        if started is None:
            self._after_death(builder, births, Ending(brief(error), _kind(error, worker.home in self._addresses)))
            return
        result, _ = started
        worker.pid = int(result.location.rpartition(":")[2])
        self._messages.pass_on(worker, result.rest)
        if result.exit is not None or result.failure is not None:
            self._say(result.of_start(worker.id, ()))
            return
        build = worker.actor.build.options(num_returns=2)
        answer, builder.value = build.remote(fixture, self._of(fixture.needs))
        self._when_done(answer, self._on_built, builder, births)

    def _on_built(
        self, builder: _Builder, births: int, answer: tuple[CallResult, Any] | None, error: Exception | None
    ) -> None:
        if self._is_old(builder, births):
            return
        if answer is None:
            self._postmortem.examine(builder.worker, error, partial(self._after_death, builder, births))
        else:
            result, failed = answer
            self._messages.complete(builder.worker, result, partial(self._after_build, builder, result, failed))

    def _after_build(self, builder: _Builder, result: CallResult, failed: FailedFixture | LostFixture | None) -> None:
        if result.exit is not None:
            self._say(result.of_run(builder.worker.id))
        elif isinstance(failed, LostFixture):
            self._say(SharedLost(failed.id))
            self._lose(builder)
        elif result.failure is not None:
            self._be_ready(builder, death_of_builder(builder.fixture, result.failure, ""))
        else:
            # In a list, which Ray passes on as it is, without the value.
            self._be_ready(builder, [builder.value] if failed is None else failed)

    def _after_death(self, builder: _Builder, births: int, ending: Ending) -> None:
        if self._is_old(builder, births):
            return
        builder.tries += 1
        if ending.kind is Death.NODE_LOST:
            self._lose(builder)
        elif builder.tries < MOST_TRIES:
            # Where there is room then: its node may be gone, which is known a little later only.
            self._release(builder)
            self._reserve(builder)
        else:
            self._be_ready(builder, death_of_builder(builder.fixture, ending.cause, ending.stacks))

    def _be_ready(self, builder: _Builder, offer: object) -> None:
        builder.value = None
        self._release(builder)
        self._offers[builder.fixture.id] = offer
        self._say(SharedReady(builder.fixture.id))

    # Ending

    def _on_finished(self, builder: _Builder, result: CallResult | None, error: Exception | None) -> None:
        if self._is_old(builder, builder.worker.births):
            return
        if result is None:
            if not isinstance(self._offers[builder.fixture.id], FailedFixture):
                self._say(unwatched_death(builder.fixture, brief(error)))
            self._forget(builder.fixture.id)
        else:
            self._messages.complete(builder.worker, result, partial(self._forget, builder.fixture.id))

    def _lose(self, builder: _Builder) -> None:
        self._drop(builder)
        self._say(SharedLost(builder.fixture.id))

    def _forget(self, fixture: str) -> None:
        if fixture in self._builders:
            self._drop(self._builders[fixture])
        self._say(SharedStopped(fixture))

    def _drop(self, builder: _Builder) -> None:
        del self._builders[builder.fixture.id]
        self._offers.pop(builder.fixture.id, None)
        self._workers.pop(builder.worker.id, None)
        self._spawner.end_process(builder.worker)
        self._release(builder)

    def _release(self, builder: _Builder) -> None:
        worker = builder.worker
        if worker.reservation is not None:
            self._groups.release(worker.reservation)
            worker.reservation = None

    def _is_old(self, builder: _Builder, births: int) -> bool:
        return self._builders.get(builder.fixture.id) is not builder or builder.worker.births != births


def _kind(error: Exception | None, is_alive: bool) -> Death:
    return Death.CRASH if is_alive and "node has died" not in str(error) else Death.NODE_LOST
