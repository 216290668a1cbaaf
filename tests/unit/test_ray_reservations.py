"""Placement groups are asked for, several at a time where that starves none, and given back; without Ray, which is a few lists here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

from pytest_sweep.executors.ray.workers.reservations import Bundle, Reservations
from pytest_sweep.model import Resources


class Ray:
    """Takes requests, and grants them when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[dict[str, float]], list[dict[str, str]] | None]] = []
        self.removed: list[int] = []
        self.pending: list[Callable[..., None]] = []
        self.groups = Reservations(self._make, self._remove, self._table, self._when_done)

    def _make(
        self, bundles: list[dict[str, float]], *, bundle_label_selector: list[dict[str, str]] | None, **_: object
    ) -> Any:
        self.asked.append((bundles, bundle_label_selector))
        return Group(len(self.asked))

    def _remove(self, group: Any) -> None:
        self.removed.append(group.number)

    def _table(self, group: Any) -> dict[str, Any]:
        return {"bundles_to_node_id": {0: f"n{group.number}", 1: "n9"}}

    def _when_done(self, _: object, message: Callable[..., None], *arguments: object) -> None:
        self.pending.append(partial(message, *arguments))

    def grant(self, error: Exception | None = None, number: int = 0) -> None:
        """Answer a request, by default the oldest one."""
        self.pending.pop(number)(None, error)


class Group:
    """A placement group of Ray's."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.id = SimpleNamespace(hex=lambda: f"group-{number}")

    def ready(self) -> None:
        """Promise that it will be there."""


def one(cpu: float = 1.0, node: str | None = None) -> Sequence[Bundle]:
    return [Bundle(Resources(cpu=cpu), {"ray.io/node-id": node} if node else {})]


def test_requests_of_several_sizes_take_turns() -> None:
    """Where Ray chooses the node, a group of another size waits for those before it: Ray would serve the small ones first."""
    ray, answers = Ray(), list[tuple[str, Exception | None]]()
    for name, cpu in (("a", 8.0), ("b", 1.0), ("c", 2.0)):
        ray.groups.reserve(one(cpu), "PACK", lambda error, name=name: answers.append((name, error)))  # type: ignore[misc]
    assert [bundles for bundles, _ in ray.asked] == [[{"CPU": 8.0}]]
    ray.grant()
    assert answers == [("a", None)]
    error = RuntimeError("no")
    ray.grant(error)
    assert answers == [("a", None), ("b", error)]
    assert [bundles for bundles, _ in ray.asked] == [[{"CPU": 8.0}], [{"CPU": 1.0}], [{"CPU": 2.0}]]


def test_requests_of_one_size_are_made_at_once() -> None:
    """Groups of one size do not starve each other: all are asked for at once, on one node and where Ray chooses."""
    ray = Ray()
    for node in ("n1", "n1", "n1", None, None):
        ray.groups.reserve(one(node=node), "PACK", lambda _: None)
    assert len(ray.asked) == 5


def test_requests_for_other_nodes_are_made_at_once() -> None:
    """A group that is not granted holds up those of other sizes on its own node, and none elsewhere."""
    ray = Ray()
    ray.groups.reserve(one(8.0, node="n1"), "PACK", lambda _: None)
    ray.groups.reserve(one(1.0, node="n1"), "PACK", lambda _: None)
    ray.groups.reserve(one(1.0, node="n2"), "PACK", lambda _: None)
    ray.groups.reserve(one(3.0), "PACK", lambda _: None)
    assert [bundles for bundles, _ in ray.asked] == [[{"CPU": 8.0}], [{"CPU": 1.0}], [{"CPU": 3.0}]]
    ray.grant(number=1)  # The one on the other node.
    assert len(ray.asked) == 3
    ray.grant()
    assert [selector for _, selector in ray.asked[3:]] == [[{"ray.io/node-id": "n1"}]]


def test_a_gang_takes_its_turn_on_each_of_its_nodes() -> None:
    """A gang is asked for when nothing of another size waits on any of its nodes, and what comes later on one of these waits for it."""
    ray = Ray()
    ray.groups.reserve(one(4.0, node="n1"), "PACK", lambda _: None)
    ray.groups.reserve([*one(2.0, node="n1"), *one(2.0, node="n2")], "PACK", lambda _: None)
    ray.groups.reserve(one(1.0, node="n2"), "PACK", lambda _: None)
    assert [len(bundles) for bundles, _ in ray.asked] == [1]
    ray.grant()
    assert [len(bundles) for bundles, _ in ray.asked] == [1, 2]
    ray.grant()
    assert [len(bundles) for bundles, _ in ray.asked] == [1, 2, 1]


def test_whose_groups_they_are() -> None:
    """Groups that the engine has planned are known by Ray's id, in order to tell them from others; one it knows nothing of is not."""
    ray = Ray()
    ray.groups.reserve(one(), "PACK", lambda _: None)
    ray.groups.reserve(one(), "PACK", lambda _: None, is_planned=False)
    assert [ray.groups.owns(f"group-{number}") for number in (1, 2, 3)] == [True, False, False]


def test_what_is_asked_for() -> None:
    """Bundles are in Ray's words and pinned to their nodes; what asks for nothing gets a crumb of a CPU."""
    ray = Ray()
    whole = Resources(cpu=2.0, gpu=1.0, memory=1024, custom=(("tpu", 4.0),))
    for bundles in (
        [Bundle(whole, {"ray.io/node-id": "n1"})],
        [Bundle(Resources(cpu=0.0), {})],
        [*one(node="n1"), *one()],
    ):
        ray.groups.reserve(bundles, "PACK", lambda _: None)
        ray.grant()
    assert ray.asked == [
        ([{"CPU": 2.0, "GPU": 1.0, "memory": 1024.0, "tpu": 4.0}], [{"ray.io/node-id": "n1"}]),
        ([{"CPU": 0.001}], None),
        ([{"CPU": 1.0}, {"CPU": 1.0}], [{"ray.io/node-id": "n1"}, {}]),
    ]


def test_released_while_it_is_asked_for() -> None:
    """A request that is given up makes place for the next one, and is not answered, though Ray says that it has failed."""
    ray, answers = Ray(), list[str]()
    first = ray.groups.reserve(one(2.0), "PACK", lambda _: answers.append("first"))
    ray.groups.reserve(one(), "PACK", lambda _: answers.append("second"))
    ray.groups.release(first)
    assert (len(ray.asked), ray.removed) == (2, [1])
    ray.grant(RuntimeError("removed"))
    ray.grant()
    assert answers == ["second"]


def test_released_before_it_is_asked_for() -> None:
    """A request that is given up while it waits for its turn is never made."""
    ray = Ray()
    ray.groups.reserve(one(2.0), "PACK", lambda _: None)
    ray.groups.release(ray.groups.reserve(one(), "PACK", lambda _: None))
    ray.grant()
    assert (len(ray.asked), ray.removed) == (1, [])


def test_release_all() -> None:
    """At the end all groups go, granted or asked for, and no more are asked for."""
    ray = Ray()
    for cpu in (1.0, 2.0, 3.0):
        ray.groups.reserve(one(cpu), "PACK", lambda _: None)
    ray.grant()
    ray.groups.release_all()
    assert (len(ray.asked), ray.removed) == (2, [1, 2])


def test_where_it_is() -> None:
    """The nodes of a group are those that it is pinned to, else those that Ray has chosen."""
    ray = Ray()
    pinned = ray.groups.reserve([*one(node="n1"), *one(node="n2")], "PACK", lambda _: None)
    ray.grant()
    free = ray.groups.reserve([*one(), *one()], "SPREAD", lambda _: None)
    ray.grant()
    assert (ray.groups.nodes_of(pinned), ray.groups.nodes_of(free)) == (("n1", "n2"), ("n2", "n9"))
