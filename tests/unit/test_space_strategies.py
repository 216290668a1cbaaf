"""Strategies of hypothesis are domains: they draw what no list can say, repeatably under a seed."""

from __future__ import annotations

import re
import sys
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from pytest_sweep.errors import MissingExtraError, SpaceError
from pytest_sweep.space import expand, grid
from pytest_sweep.space.strategies import is_strategy

LAYERS = st.lists(st.integers(8, 256), min_size=1, max_size=4)


def drawn(strategy: Any, count: int = 50, seed: int = 0) -> list[Any]:
    points = expand(grid(x=strategy), num_samples=count, seed=seed).points
    return [point.config["x"] for point in points]


def test_values_are_the_strategys() -> None:
    """What is drawn is what the strategy says, in all its shapes."""
    layers = drawn(LAYERS)
    assert all(1 <= len(value) <= 4 and all(8 <= size <= 256 for size in value) for value in layers)
    assert {len(value) for value in layers} == {1, 2, 3, 4}
    assert len({tuple(value) for value in layers}) > 40


def test_repeatable_under_a_seed() -> None:
    """The same seed draws the same, and another seed draws others."""
    assert drawn(LAYERS) == drawn(LAYERS)
    assert drawn(LAYERS) != drawn(LAYERS, seed=1)


def test_any_strategy() -> None:
    """Strategies that are composed, filtered, deferred or built draw too, also beside axes and within dicts."""

    @st.composite
    def pairs(draw: st.DrawFn) -> tuple[int, int]:
        low = draw(st.integers(0, 10))
        return low, draw(st.integers(low, 20))

    assert all(low <= high for low, high in drawn(pairs()))
    assert all(value % 7 == 0 for value in drawn(st.integers(0, 1000).filter(lambda value: value % 7 == 0)))
    assert set(drawn(st.deferred(lambda: st.sampled_from(["a", "b"])))) == {"a", "b"}
    points = expand({"model": {"layers": LAYERS}, "lr": [0.1, 0.2]}).points
    assert points[0].config["model"]["layers"] != points[1].config["model"]["layers"]


def test_large_values_get_the_bytes_that_they_need() -> None:
    """A strategy of many parts is not cut short."""
    assert all(len(value) == 100 for value in drawn(st.lists(st.integers(), min_size=100, max_size=100), 3))


def test_what_is_a_strategy() -> None:
    """Only strategies are taken for strategies."""
    assert is_strategy(st.integers())
    assert not any(map(is_strategy, (1, [1], st, st.integers, None)))


def test_without_hypothesis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where hypothesis cannot be imported, the error names the extra and the command."""
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(MissingExtraError, match=re.escape("needs hypothesis: pip install 'pytest-sweep[hypothesis]'")):
        expand(grid(x=st.integers()))


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        (st.nothing(), "nothing() failed: Unsatisfiable"),
        (st.integers().filter(lambda value: False), "generated nothing in 200 tries: loosen its filters"),
        (st.integers().map(lambda value: value // 0), "failed: ZeroDivisionError"),
    ],
)
def test_strategies_without_values(strategy: Any, text: str) -> None:
    """A strategy that has no values, or fails, is an error and no endless search."""
    with pytest.raises(SpaceError, match=re.escape(text)):
        drawn(strategy, 1)


def test_what_is_no_strategy() -> None:
    """Other things that hypothesis has are values as any other; every kind of strategy is one."""
    assert not any(map(is_strategy, [hypothesis.settings(), hypothesis.Phase.shrink, st, st.integers, 1, None]))
    assert all(map(is_strategy, [st.integers(), st.text() | st.none(), st.lists(st.booleans()).map(tuple)]))
