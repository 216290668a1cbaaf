"""Reserves what workers hold, by Ray's placement groups. Knows neither workers nor sessions, and imports no Ray.

Lives in the conductor's thread, which gives it Ray's functions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_sweep.model.commands import StartWorker
from pytest_sweep.model.resources import Resources

NODE_ID = "ray.io/node-id"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a placement group holds on one node.

    Attributes:
        resources: how much of it.
        labels: those that its node must have; its id is one.
    """

    resources: Resources
    labels: Mapping[str, str]

    @property
    def amounts(self) -> dict[str, float]:
        """What it holds, in Ray's words."""
        size = self.resources
        amounts = {"CPU": size.cpu, "GPU": size.gpu, "memory": float(size.memory), **dict(size.custom)}
        # Ray refuses an empty bundle: a trial that asks for nothing gets a crumb of a CPU.
        return {name: amount for name, amount in amounts.items() if amount} or {"CPU": 0.001}


@dataclass(eq=False)
class Reservation:
    """A placement group, from before it is asked for until it is released.

    Attributes:
        bundles: what it holds.
        strategy: how Ray lays it out.
        answer: called once with Ray's error, or with None when the group is there; not if it is released before.
        is_planned: whether the engine knows what it holds, and where.
        group: Ray's; None while it waits for its turn to be asked for.
    """

    bundles: Sequence[Bundle]
    strategy: str
    answer: Callable[[Exception | None], None]
    is_planned: bool = True
    group: Any = None

    @property
    def places(self) -> set[str]:
        """The nodes that it is pinned to; one without a name where Ray chooses."""
        return {bundle.labels.get(NODE_ID, "") for bundle in self.bundles}

    @property
    def size(self) -> tuple[object, ...]:
        """What it asks for: requests of one size do not starve each other."""
        return (self.strategy, *(bundle.resources for bundle in self.bundles))


class Reservations:
    """All placement groups of the run.

    Of several requests for one place Ray serves the small ones first, for ever. So a request waits for those of another size that were made
    before it for the same node, or, where both leave the node to Ray, for any node. All others are asked for at once.

    Args:
        make: Ray's ``placement_group``.
        remove: Ray's ``remove_placement_group``.
        table: Ray's ``placement_group_table``.
        when_done: has a function called, later, with the result and the error of what Ray promises, one of them None.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        remove: Callable[[Any], None],
        table: Callable[[Any], dict[str, Any]],
        when_done: Callable[..., None],
    ) -> None:
        self._make = make
        self._table = table
        self._remove = remove
        self._when_done = when_done
        self._held: dict[Reservation, None] = {}
        self._ungranted: dict[Reservation, None] = {}
        self._planned: set[str] = set()

    def reserve(
        self,
        bundles: Sequence[Bundle],
        strategy: str,
        answer: Callable[[Exception | None], None],
        *,
        is_planned: bool = True,
    ) -> Reservation:
        """Ask for a group of these bundles.

        Args:
            bundles: what it holds.
            strategy: how Ray is to lay it out.
            answer: as for Reservation.
            is_planned: whether the engine knows what the group holds, and where; else `owns` denies it, so that the engine learns from
                the nodes what is taken there.
        """
        reservation = Reservation(bundles, strategy, answer, is_planned)
        self._held[reservation] = self._ungranted[reservation] = None
        self._request()
        return reservation

    def owns(self, group: str) -> bool:
        """Say whether a placement group, by Ray's id, is one that the engine knows of, or has been. May be asked in any thread."""
        return group in self._planned

    def nodes_of(self, reservation: Reservation) -> tuple[str, ...]:
        """Return the node of each bundle of a group that is there."""
        pinned = [bundle.labels.get(NODE_ID, "") for bundle in reservation.bundles]
        return tuple(pinned) if all(pinned) else self.placed_on(reservation)

    def placed_on(self, reservation: Reservation) -> tuple[str, ...]:
        """Return the node of each bundle of a group that is there, as Ray has placed it, whatever labels were asked for."""
        placed = self._table(reservation.group)["bundles_to_node_id"]
        return tuple(placed[number] for number in range(len(reservation.bundles)))

    def release(self, reservation: Reservation) -> None:
        """Give a group back, or ask for it no more, whether it has been granted or not."""
        del self._held[reservation]
        self._ungranted.pop(reservation, None)
        if reservation.group is not None:
            self._remove(reservation.group)
        self._request()

    def release_all(self) -> None:
        """Give all groups back, and ask for no more."""
        self._ungranted.clear()
        for reservation in list(self._held):
            self.release(reservation)

    def _request(self) -> None:
        """Ask for all whose turn it is."""
        before: dict[str, set[tuple[object, ...]]] = defaultdict(set)
        for reservation in list(self._ungranted):
            places, size = reservation.places, reservation.size
            if reservation.group is None and all(before[place] <= {size} for place in places):
                self._ask(reservation)
            for place in places:
                before[place].add(size)

    def _ask(self, reservation: Reservation) -> None:
        where = [dict(bundle.labels) for bundle in reservation.bundles]
        amounts = [bundle.amounts for bundle in reservation.bundles]
        selector = where if any(where) else None
        reservation.group = self._make(amounts, strategy=reservation.strategy, bundle_label_selector=selector)
        if reservation.is_planned:
            self._planned.add(reservation.group.id.hex())
        self._when_done(reservation.group.ready(), self._on_ready, reservation)

    def _on_ready(self, reservation: Reservation, _: object, error: Exception | None) -> None:
        if reservation in self._ungranted:  # Else it has been released meanwhile, which Ray tells as an error.
            del self._ungranted[reservation]
            self._request()
            reservation.answer(error)


def bundles_of(command: StartWorker) -> list[Bundle]:
    """Return the bundles of a worker: pinned to the nodes that the engine has chosen, else with the labels that are asked for."""
    placement = command.placement
    if command.nodes:
        return [Bundle(command.resources, {NODE_ID: node}) for node in command.nodes]
    return [Bundle(command.resources, dict(placement.labels)) for _ in range(placement.bundles)]


def strategy_of(command: StartWorker) -> str:
    """Return how Ray is to lay out the bundles: as it likes where each is pinned."""
    if command.nodes:
        return "PACK"
    return command.placement.strategy if command.placement.nodes is None else "SPREAD"
