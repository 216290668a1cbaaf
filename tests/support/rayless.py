"""Ray played by an object: what it is asked for is noted, what it promises is kept when a test says so."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from pytest_sweep.executors.awake import AwakeClock
from pytest_sweep.executors.phases import Limits
from pytest_sweep.executors.ray.workers.builders import BuilderRayPort
from pytest_sweep.executors.ray.workers.messages import Messages
from pytest_sweep.executors.ray.workers.process import RayProcess
from pytest_sweep.executors.ray.workers.reservations import Reservations
from pytest_sweep.executors.ray.workers.tools import RayTools
from pytest_sweep.executors.shared import Builders
from pytest_sweep.model.events import Event, Node
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.shared import SharedFixture
from pytest_sweep.wire.calls import CallResult
from pytest_sweep.wire.lastwords import Ending

DATA = SharedFixture("data", "data", "conftest.py", "test_models.py::train", Resources(cpu=2))
HERE = Node("node-1", "10.0.0.1", Resources(cpu=4))
THERE = Node("node-2", "10.0.0.2", Resources(cpu=4))
DONE = CallResult(0, (), "10.0.0.1:77")


class Actor:
    """An actor whose methods return names of what they promise."""

    def __init__(self, number: int) -> None:
        def promise(what: str) -> Any:
            return SimpleNamespace(remote=lambda *_: f"{what}-{number}")

        build = SimpleNamespace(remote=lambda *_: (f"built-{number}", f"value-{number}"))
        self.number = number
        self.up, self.start, self.run, self.finish = promise("up"), promise("start"), promise("run"), promise("finish")
        self.leave, self.exit = promise("leave"), promise("exit")
        self.build = SimpleNamespace(options=lambda **_: build)


class Rayless:
    """Plays Ray, the conductor, the spawner and the postmortem."""

    here = "elsewhere"
    is_full = False

    def __init__(self, *nodes: Node) -> None:
        self.said: list[Event] = []
        self.promises: dict[str, Callable[[Any, Any], None]] = {}
        self.actors: list[Actor] = []
        self.held: list[Any] = []
        self.killed: set[int] = set()
        self.ending = Ending("killed")
        self.nodes = nodes or (HERE,)
        self.placed_on = "node-1"
        groups = Reservations(self._make, self.held.remove, self._table, self.when_done)
        self.told: list[tuple[str, Any]] = []
        tell = SimpleNamespace(remote=lambda name, order: self.told.append((name, pickle.loads(order))))
        mailbox = SimpleNamespace(take=SimpleNamespace(remote=lambda _: "mail"), tell=tell)
        itself: Any = self
        self.messages = Messages(mailbox, itself)
        self.messages.open()
        self.clock = AwakeClock(lambda: 0.0)
        self.tools = RayTools(itself, itself, groups, self.messages, itself, self.clock)
        self.builders = Builders(self.say, partial(BuilderRayPort, self.tools, set()), Limits(), reserves=True)

    def say(self, event: Event, size: int = 0) -> None:  # noqa: ARG002
        self.said.append(event)

    def tell(self, message: Callable[..., None], *arguments: Any) -> None:
        message(*arguments)

    def when_done(self, reference: str, message: Callable[..., None], *arguments: Any) -> None:
        self.promises[reference] = lambda result, error: message(*arguments, result, error)

    def keep(self, reference: str, result: Any = None, error: Exception | None = None) -> list[Event]:
        """Keep a promise of Ray's, and return what the engine is told of it."""
        before = len(self.said)
        self.promises.pop(reference)(result, error)
        return self.said[before:]

    def die(self, reference: str) -> list[Event]:
        """Have a call end with the death of its actor, and return what the engine is told when all mail has been read."""
        before = len(self.said)
        self.keep(reference, None, RuntimeError("the actor died"))
        self.keep("mail", ([], frozenset()))
        self.keep("mail", ([], frozenset()))
        return self.said[before:]

    def examine(self, _: RayProcess, __: Exception | None, then: Callable[[Ending], None]) -> None:
        then(self.ending)

    def request_stacks(self, _: RayProcess, then: Callable[[], None]) -> None:
        then()

    def build(self) -> None:
        """Have the fixture built, up to the call that builds it."""
        self.builders.build(DATA)
        self.start()

    def start(self) -> None:
        """Grant what is asked for, and start the process."""
        number = len(self.actors) + 1
        self.keep("group")
        self.keep(f"up-{number}", (77, self.placed_on))
        self.keep(f"start-{number}", DONE)

    def _make(self, bundles: object, **options: object) -> object:
        ident = bytes([len(self.held)])
        group = SimpleNamespace(id=ident, ready=lambda: "group", bundles=bundles, **options)
        self.held.append(group)
        return group

    def _table(self, _: object) -> dict[str, Any]:
        return {"bundles_to_node_id": {0: self.placed_on}}

    def start_on_node(self, name: str, node: str, resources: Resources) -> Actor:
        assert (name.partition("-")[0], node, resources) == ("shared", self.placed_on, DATA.resources)
        self.actors.append(Actor(len(self.actors) + 1))
        return self.actors[-1]

    def kill(self, actor: Actor) -> None:
        self.killed.add(actor.number)
