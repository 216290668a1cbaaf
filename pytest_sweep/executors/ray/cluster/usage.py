"""Finds out what others hold on the nodes of a cluster. Imports no Ray, which tells it what there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_sweep.model.resources import Resources

Amounts = Mapping[str, float]

_BUNDLE = "_group_"
"""Ray names what a placement group holds on a node ``CPU_group_<id>``, and each of its bundles ``CPU_group_<number>_<id>``."""

_OWN_BOOKKEEPING = ("CPU", "GPU", "memory", "object_store_memory")


@dataclass(frozen=True, slots=True)
class PendingGroup:
    """A placement group that waits.

    Attributes:
        id: its id.
        job: the id of the job whose code has asked for it.
        actor: the id of the actor that has, if one has.
        bundles: what it asks for, in Ray's words.
    """

    id: str
    job: str
    actor: str
    bundles: tuple[Amounts, ...]


@dataclass(frozen=True, slots=True)
class PendingTasks:
    """Tasks and actors of anybody's that wait: how many ask for the same, in Ray's words."""

    amounts: Amounts
    count: int


@dataclass(frozen=True, slots=True)
class ClusterUsage:
    """What Ray says of a cluster at a moment.

    Attributes:
        nodes: the total and the available amounts of each node, by its id.
        groups: the placement groups that wait.
        tasks: the tasks and actors that wait.
    """

    nodes: Mapping[str, tuple[Amounts, Amounts]]
    groups: tuple[PendingGroup, ...] = ()
    tasks: tuple[PendingTasks, ...] = ()


class ForeignUse:
    """Computes what others hold: what is neither available nor in one of our placement groups.

    While a group is being granted, its resources are for a moment gone and not yet in the group. So only what two looks in a row have
    found counts as held by others; the first look counts by itself, since we hold nothing then.

    Args:
        is_ours: says whether a placement group, by its id, is one of this run.
    """

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        self._is_ours = is_ours
        self._last: Mapping[str, Resources] | None = None

    def look(self, usage: ClusterUsage) -> dict[str, Resources]:
        """Return what others hold on each node, by its id."""
        now = {node: self._held_by_others(total, available) for node, (total, available) in usage.nodes.items()}
        last, self._last = self._last, now
        if last is None:
            return now
        return {node: _smaller(held, last.get(node, _NOTHING)) for node, held in now.items()}

    def _held_by_others(self, total: Amounts, available: Amounts) -> Resources:
        held: dict[str, float] = {}
        for name, amount in total.items():
            resource, _, group = name.rpartition(_BUNDLE)
            if not resource:
                held[name] = held.get(name, 0.0) + amount - available.get(name, 0.0)
            elif self._is_ours(group):
                held[resource] = held.get(resource, 0.0) - amount
        # Ray may say that more is available than there is in all: tasks that wait for others lend their CPUs.
        return to_resources({name: amount for name, amount in held.items() if amount > 1e-4})


def to_resources(amounts: Amounts) -> Resources:
    """Return amounts in Ray's words as ours, without what Ray keeps for itself: ``node:IP``, the object store."""
    custom = {
        name: round(float(amount), 4)
        for name, amount in amounts.items()
        if name not in _OWN_BOOKKEEPING and not name.startswith("node:")
    }
    return Resources(
        cpu=round(float(amounts.get("CPU", 0)), 4),
        gpu=round(float(amounts.get("GPU", 0)), 4),
        memory=int(amounts.get("memory", 0)),
        custom=tuple(sorted(custom.items())),
    )


def _smaller(one: Resources, other: Resources) -> Resources:
    known = dict(other.custom)
    custom = tuple((name, least) for name, amount in one.custom if (least := min(amount, known.get(name, 0.0))))
    return Resources(min(one.cpu, other.cpu), min(one.gpu, other.gpu), min(one.memory, other.memory), custom)


_NOTHING = Resources(cpu=0.0)
