"""What searchers have in common that are put around another one: what they do not decide themselves, it does. Pure."""

from __future__ import annotations

from collections.abc import Callable

from pytest_sweep.model.study import Observation
from pytest_sweep.search.protocols import Done, Searcher, Values, Wait


class Around:
    """A searcher around another one.

    It has the optional methods of `Recalling`, ``restore`` and ``recall``, only if the other one has them: who has none is asked again in
    a resumed run, and ``--sweep-warm`` refuses it. Subclasses change what these do in `_restore` and `_recall`.

    Args:
        searcher: the other one.
    """

    restore: Callable[[str, int, Values], None]
    recall: Callable[[Values, Observation], None]

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        if hasattr(searcher, "restore"):
            self.restore = self._restore
        if hasattr(searcher, "recall"):
            self.recall = self._recall

    def ask(self, key: str, slot: int) -> Values | Wait | Done:
        """Return what the other one chooses."""
        return self._searcher.ask(key, slot)

    def tell(self, observation: Observation) -> None:
        """Pass on what was seen."""
        self._searcher.tell(observation)

    def _restore(self, key: str, slot: int, values: Values) -> None:
        """Pass on what was chosen for a slot in the run that is resumed."""
        self._searcher.restore(key, slot, values)  # type: ignore[attr-defined]

    def _recall(self, values: Values, observation: Observation) -> None:
        """Pass on what another run has seen of a trial."""
        self._searcher.recall(values, observation)  # type: ignore[attr-defined]
