"""Choices in batches: results are told when all of a batch are there, in the order of the slots. Then their order does not matter."""

from __future__ import annotations

from pytest_sweep.model.study import Observation
from pytest_sweep.search.around import Around
from pytest_sweep.search.protocols import Done, Searcher, Values, Wait


def in_batches(searcher: Searcher, size: int) -> Searcher:
    """Return a searcher that chooses `size` configurations at once; the same searcher for 1."""
    return searcher if size == 1 else BatchSearcher(searcher, size)


class BatchSearcher(Around):
    """Makes a searcher choose in batches.

    A trial counts as there at its first observation, at a rung or at its end: a trial that is paused at a rung must not hold up those
    that it waits for.

    Args:
        searcher: what chooses.
        size: how many choices a batch has.
    """

    def __init__(self, searcher: Searcher, size: int) -> None:
        super().__init__(searcher)
        self._size = size
        self._batch: dict[str, int] = {}
        self._held: list[Observation] = []

    def ask(self, key: str, slot: int) -> Values | Wait | Done:
        """Return the next choice of the batch; `Wait` where it is complete, and results of it are awaited."""
        if key not in self._batch:
            if len(self._batch) == self._size:
                return Wait()
            answer = self._searcher.ask(key, slot)
            if not isinstance(answer, (Wait, Done)):
                self._batch[key] = slot
            return answer
        return self._searcher.ask(key, slot)

    def tell(self, observation: Observation) -> None:
        """Hold an observation of the batch until there is one of each of its trials."""
        if observation.key not in self._batch:
            self._searcher.tell(observation)
            return
        self._held.append(observation)
        if len({one.key for one in self._held}) == self._size:
            held, slots = self._held, self._batch
            self._held, self._batch = [], {}
            for one in sorted(held, key=lambda one: slots[one.key]):
                self._searcher.tell(one)

    def _restore(self, key: str, slot: int, values: Values) -> None:
        """Take what was chosen for a slot of the batch."""
        super()._restore(key, slot, values)
        self._batch[key] = slot
