"""The builders of shared fixtures on Ray, without Ray: what is asked of it, and what the engine is told."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from pytest_sweep.executors.ray.workers.handle import WorkerHandle
from pytest_sweep.executors.ray.workers.messages import Messages
from pytest_sweep.executors.ray.workers.reservations import Reservations
from pytest_sweep.executors.ray.workers.shared import SharedBuilders
from pytest_sweep.model.events import Death, Event, Node
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.shared import (
    FailedFixture,
    SharedBuilding,
    SharedFixture,
    SharedLost,
    SharedReady,
    SharedStopped,
)
from pytest_sweep.wire.calls import CallResult, LostFixture
from pytest_sweep.wire.lastwords import Ending
from tests.support.driven import make_trials

DATA = SharedFixture("data", "data", "conftest.py", "test_models.py::train", Resources(cpu=2))
HERE = Node("node-1", "10.0.0.1", Resources(cpu=4))
DONE = CallResult(0, (), "10.0.0.1:77")


class Actor:
    """An actor whose methods return names of what they promise."""

    def __init__(self, number: int) -> None:
        def promise(what: str) -> Any:
            return SimpleNamespace(remote=lambda *_: f"{what}-{number}")

        build = SimpleNamespace(remote=lambda *_: (f"built-{number}", f"value-{number}"))
        self.start, self.finish = promise("start"), promise("finish")
        self.build = SimpleNamespace(options=lambda **_: build)


class Rayless:
    """Plays Ray, the conductor, the spawner and the postmortem."""

    def __init__(self) -> None:
        self.said: list[Event] = []
        self.promises: dict[str, Callable[[Any, Any], None]] = {}
        self.actors: list[Actor] = []
        self.held: list[object] = []
        self.ended = 0
        self.ending = Ending("killed")
        workers: dict[str, WorkerHandle] = {}
        groups = Reservations(self._make, self.held.remove, self._table, self.when_done)
        messages = Messages(None, workers, self.said.append, self.when_done)
        itself: Any = self
        self.builders = SharedBuilders(itself, workers, itself, groups, messages, itself)
        self.builders.note_nodes([HERE])

    def say(self, event: Event) -> None:
        self.said.append(event)

    def when_done(self, reference: str, message: Callable[..., None], *arguments: Any) -> None:
        self.promises[reference] = lambda result, error: message(*arguments, result, error)

    def keep(self, reference: str, result: Any = None, error: Exception | None = None) -> list[Event]:
        """Keep a promise of Ray's, and return what the engine is told of it."""
        before = len(self.said)
        self.promises.pop(reference)(result, error)
        return self.said[before:]

    def examine(self, _: WorkerHandle, __: Exception | None, then: Callable[[Ending], None]) -> None:
        then(self.ending)

    def build(self) -> None:
        """Have the fixture built, up to the call that builds it."""
        self.builders.build(DATA)
        number = len(self.actors) + 1
        self.keep("group")
        self.keep(f"start-{number}", (DONE, "node-1"))

    def _make(self, bundles: object, **_: object) -> object:
        group = SimpleNamespace(ready=lambda: "group", bundles=bundles)
        self.held.append(group)
        return group

    def _table(self, _: object) -> dict[str, Any]:
        return {"bundles_to_node_id": {0: "node-1"}}

    def start_on_node(self, worker: WorkerHandle, node: str) -> None:
        assert node == "node-1"
        self.actors.append(Actor(len(self.actors) + 1))
        worker.actor = self.actors[-1]

    def end_process(self, worker: WorkerHandle) -> None:
        self.ended += worker.actor is not None
        worker.actor = None


def offered(ray: Rayless) -> dict[str, Any]:
    """Return what a worker is handed for a trial that uses the fixture."""
    (trial,) = make_trials(1)
    task: Any = SimpleNamespace(trial=SimpleNamespace(shared=(DATA,), key=trial.key))
    return ray.builders.offers([task])


def test_resources_are_held_while_it_is_built() -> None:
    """A placement group is asked for, and given back when the value is there; the process stays, and its reference is handed on nested."""
    ray = Rayless()
    ray.build()
    assert ray.said == [SharedBuilding("data", "10.0.0.1")]
    assert [group.bundles for group in ray.held] == [[{"CPU": 2.0}]]  # type: ignore[attr-defined]
    assert offered(ray) == {}
    assert ray.keep("built-1", (DONE, None)) == [SharedReady("data")]
    assert (ray.held, ray.ended) == ([], 0)
    assert offered(ray) == {"data": ["value-1"]}


def test_a_lost_node() -> None:
    """When its node is gone the engine is told, and nobody is offered what was there; when it says so, it is built anew."""
    ray = Rayless()
    ray.build()
    ray.keep("built-1", (DONE, None))
    before = len(ray.said)
    ray.builders.note_nodes([Node("node-2", "10.0.0.2", Resources(cpu=4))])
    assert ray.said[before:] == [SharedLost("data")]
    assert offered(ray) == {}
    ray.builders.note_nodes([HERE])
    ray.build()
    ray.keep("built-2", (DONE, None))
    assert offered(ray) == {"data": ["value-2"]}


def test_a_node_that_is_lost_while_it_is_built() -> None:
    """The engine is told, and the resources are given back."""
    ray = Rayless()
    ray.build()
    ray.ending = Ending("its node was lost", Death.NODE_LOST)
    assert ray.keep("built-1", None, RuntimeError("the actor died")) == [SharedLost("data")]
    assert ray.held == []


def test_a_process_that_dies_of_it() -> None:
    """It is tried once more, with resources asked for anew; then trials are told how it died."""
    ray = Rayless()
    ray.build()
    assert ray.keep("built-1", None, RuntimeError("the actor died")) == []
    ray.keep("group")
    ray.keep("start-2", (DONE, "node-1"))
    assert ray.keep("built-2", None, RuntimeError("the actor died")) == [SharedReady("data")]
    assert ray.held == []
    failed = offered(ray)["data"]
    assert isinstance(failed, FailedFixture)
    assert failed.text == (
        "the shared fixture 'data' of conftest.py cannot be had: the process that built it died: killed"
    )


def test_one_that_it_uses_is_lost() -> None:
    """The engine is told of both, of the one that is lost first."""
    ray = Rayless()
    ray.build()
    assert ray.keep("built-1", (DONE, LostFixture("source"))) == [SharedLost("source"), SharedLost("data")]


def test_the_end() -> None:
    """It is torn down, then its process ends; one that is still being built ends at once."""
    ray = Rayless()
    ray.build()
    ray.keep("built-1", (DONE, None))
    ray.builders.stop("data")
    assert ray.ended == 0
    assert ray.keep("finish-1", DONE) == [SharedStopped("data")]
    assert ray.ended == 1
    ray.build()
    ray.builders.stop("data")
    assert ray.said[-1] == SharedStopped("data")
    assert (ray.ended, ray.held) == (2, [])
