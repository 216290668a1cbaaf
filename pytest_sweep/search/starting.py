"""Points to evaluate before a searcher of a user's is asked. Pure."""

from __future__ import annotations

from pytest_sweep.model.study import Observation
from pytest_sweep.search.around import Around
from pytest_sweep.search.protocols import Done, Searcher, Values, Wait
from pytest_sweep.search.space import SearchSpace


class StartingSearcher(Around):
    """Gives the first slots the points to evaluate of a space, and asks a searcher for the others.

    The searcher is told of the points by its method ``recall``, if it has one.

    Args:
        searcher: what chooses.
        space: what it chooses from.
    """

    def __init__(self, searcher: Searcher, space: SearchSpace) -> None:
        super().__init__(searcher)
        self._space = space
        self._given: dict[str, Values] = {}

    def ask(self, key: str, slot: int) -> Values | Wait | Done:
        """Return the point of the slot, or what the searcher chooses."""
        point = self._point(slot)
        if point is None:
            return super().ask(key, slot)
        self._given[key] = point
        return point

    def tell(self, observation: Observation) -> None:
        """Pass on what was seen."""
        if observation.key not in self._given:
            super().tell(observation)
        elif hasattr(self, "recall"):
            self._recall(self._given[observation.key], observation)

    def _restore(self, key: str, slot: int, values: Values) -> None:
        """Take what the slot has: the searcher has chosen it, unless it was a point."""
        if self._point(slot) is None:
            super()._restore(key, slot, values)
        else:
            self._given[key] = values

    def _point(self, slot: int) -> Values | None:
        """Return the point of a slot; None where it has none, or ``where=`` forbids what is drawn for the rest of it."""
        points = self._space.points_to_evaluate
        found = self._space.complete(points[slot], slot) if slot < len(points) else None
        return None if found is None else {**points[slot], **found.values}
