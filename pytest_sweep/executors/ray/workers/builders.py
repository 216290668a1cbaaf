"""What the slots of builders of shared fixtures can do on Ray. Lives in the conductor's thread; imports no Ray.

What an actor has built it returns, so that it is the driver's: what an actor puts into the object store itself dies with it. It holds no
resources but stands beside a placement group that holds them, so that they can be given back while it lives.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from pytest_sweep.executors.ray.workers.ports import RayPort
from pytest_sweep.executors.ray.workers.process import RayProcess
from pytest_sweep.executors.ray.workers.reservations import NODE_ID, Bundle
from pytest_sweep.executors.ray.workers.tools import RayTools
from pytest_sweep.executors.shared import BuildOrder
from pytest_sweep.model.shared import SharedBuilding, SharedFixture


class BuilderRayPort(RayPort):
    """The process of a builder.

    Args:
        tools: what all ports use.
        avoided: the nodes on which no builder starts; shared by all builders.
        fixture: the fixture.
        number: of the builder.
    """

    is_planned = False

    def __init__(self, tools: RayTools, avoided: set[str], fixture: SharedFixture, number: int) -> None:
        labels = dict(fixture.placement.labels)
        unfit = sorted(avoided & {node.id for node in tools.desk.nodes})
        if unfit:
            labels[NODE_ID] = f"!in({','.join(unfit)})"
        bundle = Bundle(fixture.resources, labels)
        super().__init__(tools, f"shared-{number}", fixture.resources, fixture.placement, [bundle], "PACK")
        self._avoided = avoided
        self._fixture = fixture
        self._value: Any = None

    @property
    def nodes(self) -> tuple[str, ...]:
        """The node of its bundle."""
        return () if self.reservation is None else self._tools.groups.placed_on(self.reservation)

    @property
    def address(self) -> str:
        """The address of its node."""
        return next((node.address for node in self._tools.desk.nodes if node.id == self.home), self.home)

    def on_granted(self) -> None:
        """Say where it is being built."""
        self.home = self.nodes[0]
        self._tools.desk.say(SharedBuilding(self._fixture.id, self.address))

    def start_actor(self, process: RayProcess) -> Any:
        """Return a new actor beside the placement group."""
        return self._tools.spawner.start_on_node(process.name, self.home, self.resources)

    def send(self, order: BuildOrder) -> None:
        """Have it build the fixture."""
        process, birth = self._living()
        build = process.actor.build.options(num_returns=2)
        answer, self._value = build.remote(order.fixture, order.offers)
        self._call(answer, self._on_built, process, birth)

    def value(self, built: object) -> object:  # noqa: ARG002 - it is in Ray's object store
        """Return Ray's reference to the value, in a list: that Ray passes on as it is, without the value."""
        value, self._value = self._value, None
        return [value]

    def avoid(self, node: str) -> bool:
        """Build nothing on a node any more; return whether there is another one."""
        self._avoided.add(node)
        return any(node.id not in self._avoided for node in self._tools.desk.nodes)

    def clear(self) -> None:
        """Let go of the value."""
        self._value = None

    def _on_built(self, process: RayProcess, birth: int, answer: Any, error: Exception | None) -> None:
        if answer is None:
            self._die(process, birth, error)
        else:
            result, failed = answer
            then = partial(self.slot.on_answer, birth, (result, failed))
            self._tools.messages.complete(process, result, then)
