"""Points to evaluate before a searcher of a user's is asked. Pure."""

from __future__ import annotations

from pytest_sweep.model.study import Observation
from pytest_sweep.search.protocols import Done, Searcher, Values, Wait
from pytest_sweep.search.space import SearchSpace


class StartingSearcher:
    """Gives the first slots the points to evaluate of a space, and asks a searcher for the others.

    The searcher is told of the points by its method ``recall``, if it has one.

    Args:
        searcher: what chooses.
        space: what it chooses from.
    """

    def __init__(self, searcher: Searcher, space: SearchSpace) -> None:
        self._searcher, self._space = searcher, space
        self._given: dict[str, Values] = {}
        self._refused: set[str] = set()

    def ask(self, key: str, slot: int) -> Values | Wait | Done:
        """Return the point of the slot, or what the searcher chooses."""
        if slot >= len(self._space.points_to_evaluate) or key in self._refused:
            return self._searcher.ask(key, slot)
        found = self._space.complete(self._space.points_to_evaluate[slot], slot)
        if found is None:
            self._refused.add(key)
            return self._searcher.ask(key, slot)
        self._given[key] = {**self._space.points_to_evaluate[slot], **found.values}
        return self._given[key]

    def tell(self, observation: Observation) -> None:
        """Pass on what was seen."""
        if observation.key not in self._given:
            self._searcher.tell(observation)
        elif (recall := getattr(self._searcher, "recall", None)) is not None:
            recall(self._given[observation.key], observation)
