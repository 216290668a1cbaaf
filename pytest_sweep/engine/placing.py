"""Which nodes the workers of a gang go to, by Ray's strategies; a trial without a gang is a gang of one. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_sweep.model.placement import Placement
from pytest_sweep.model.resources import Resources


def arrange(
    resources: Resources, placement: Placement, rooms: Iterable[tuple[str, Resources]]
) -> tuple[str, ...] | None:
    """Return a node for each bundle, equal ones side by side; None if they do not all fit.

    Args:
        resources: what each bundle holds.
        placement: how many bundles there are, and how they are laid out.
        rooms: the nodes that may be taken and what is free on each, in order of preference.
    """
    count = placement.bundles
    if count == 1:
        return next(((node,) for node, room in rooms if resources.fits(room)), None)
    slots = {node: int(min(resources.how_often(room), count)) for node, room in rooms}
    slots = {node: number for node, number in slots.items() if number > 0}
    taken = _taken(count, placement, slots)
    return None if taken is None else tuple(node for node, number in taken.items() for _ in range(number))


def _taken(count: int, placement: Placement, slots: dict[str, int]) -> dict[str, int] | None:
    """Return how many bundles each node gets."""
    if placement.nodes is not None:
        each = count // placement.nodes
        hosts = [node for node, number in slots.items() if number >= each][: placement.nodes]
        return dict.fromkeys(hosts, each) if len(hosts) == placement.nodes else None
    if placement.strategy == "STRICT_SPREAD":
        return dict.fromkeys(list(slots)[:count], 1) if len(slots) >= count else None
    if sum(slots.values()) < count:
        return None
    if placement.strategy == "SPREAD":
        return _spread(count, slots)
    whole = next((node for node, number in slots.items() if number == count), None)
    if whole is not None:
        return {whole: count}
    return None if placement.strategy == "STRICT_PACK" else _packed(count, slots)


def _packed(count: int, slots: dict[str, int]) -> dict[str, int]:
    taken: dict[str, int] = {}
    for node in sorted(slots, key=lambda node: -slots[node]):
        if count:
            taken[node] = min(count, slots[node])
            count -= taken[node]
    return taken


def _spread(count: int, slots: dict[str, int]) -> dict[str, int]:
    taken = dict.fromkeys(slots, 0)
    while count:
        for node, number in slots.items():
            if count and taken[node] < number:
                taken[node] += 1
                count -= 1
    return taken
