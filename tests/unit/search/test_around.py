"""Searchers around other ones: points to evaluate, batches, the end of a study. What the other one cannot do they cannot, either."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from pytest_sweep.model.study import Objective, Observation, Outcome
from pytest_sweep.search.batches import BatchSearcher
from pytest_sweep.search.protocols import Searcher, Values
from pytest_sweep.search.space import SearchSpace
from pytest_sweep.search.starting import StartingSearcher
from pytest_sweep.search.stopping import StoppingSearcher
from pytest_sweep.space.sampling import uniform

LOSS = (Objective("loss", "min"),)
SPACE = SearchSpace({"x": uniform(0, 1)}, points_to_evaluate=[{"x": 0.25}])


class Plain:
    """A searcher without optional methods."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def ask(self, key: str, slot: int) -> Values:
        self.calls.append(("ask", key, slot))
        return {"x": 0.5}

    def tell(self, observation: Observation) -> None:
        self.calls.append(("tell", observation.key))


class Restoring(Plain):
    def restore(self, key: str, slot: int, values: Values) -> None:
        self.calls.append(("restore", key, slot, dict(values)))


class Recalling(Plain):
    def recall(self, values: Values, observation: Observation) -> None:
        self.calls.append(("recall", dict(values), observation.key))


WRAPPERS: list[Callable[[Searcher], Searcher]] = [
    lambda searcher: StartingSearcher(searcher, SPACE),
    lambda searcher: BatchSearcher(searcher, 2),
    lambda searcher: StoppingSearcher(searcher, LOSS, no_better=2, goal=None),
    lambda searcher: StoppingSearcher(
        BatchSearcher(StartingSearcher(searcher, SPACE), 2), LOSS, no_better=2, goal=None
    ),
]


@pytest.mark.parametrize("wrap", WRAPPERS)
@pytest.mark.parametrize(("inner", "optional"), [(Plain, set()), (Restoring, {"restore"}), (Recalling, {"recall"})])
def test_optional_methods(wrap: Callable[[Searcher], Searcher], inner: type[Plain], optional: set[str]) -> None:
    """It has the optional methods that the other one has, no others: who looks for them is not misled."""
    searcher = wrap(inner())
    assert {name for name in ("restore", "recall") if hasattr(searcher, name)} == optional


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_what_is_restored_and_recalled_arrives(wrap: Callable[[Searcher], Searcher]) -> None:
    """The other one is told what was chosen in an earlier run, and what another run has seen."""
    restoring, recalling = Restoring(), Recalling()
    outer: Any = wrap(restoring)
    outer.restore("b", 1, {"x": 0.3})
    assert restoring.calls == [("restore", "b", 1, {"x": 0.3})]
    outer = wrap(recalling)
    outer.recall({"x": 0.3}, Observation("other", 1, (0.1,), Outcome.COMPLETED))
    assert recalling.calls == [("recall", {"x": 0.3}, "other")]


def test_a_copy_is_independent() -> None:
    """The methods of a copy are those of the copy's own searcher."""
    inner = Restoring()
    outer: Any = BatchSearcher(inner, 2)
    copied = copy.deepcopy(outer)
    copied.restore("a", 0, {"x": 0.3})
    assert inner.calls == []


def test_a_restored_point() -> None:
    """A point to evaluate that a slot had in an earlier run is not the searcher's: it is told neither of it nor of its results."""
    inner = Restoring()
    outer: Any = StartingSearcher(inner, SPACE)
    outer.restore("a", 0, {"x": 0.25})
    outer.tell(Observation("a", 1, (0.1,)))
    assert inner.calls == []
    outer.restore("b", 1, {"x": 0.5})
    outer.tell(Observation("b", 1, (0.1,)))
    assert inner.calls == [("restore", "b", 1, {"x": 0.5}), ("tell", "b")]


def test_a_searcher_that_is_asked_again_fills_its_batch() -> None:
    """Where the other one takes no choices back it is asked again, and the batch is as full as it was."""
    inner = Plain()
    outer = BatchSearcher(inner, 2)
    outer.ask("a", 0)
    outer.ask("b", 1)
    assert type(outer.ask("c", 2)).__name__ == "Wait"
    for key in "ba":
        outer.tell(Observation(key, 1, (0.1,), Outcome.COMPLETED))
    assert inner.calls[2:] == [("tell", "a"), ("tell", "b")]
