"""Conditions leave configurations out before they become points, and say so when nothing is left."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.errors import SpaceError
from pytest_sweep.space import Listed, expand, grid
from pytest_sweep.space.functions import derived
from pytest_sweep.space.sampling import uniform

SPACE = grid(lr=[0.1, 0.2, 0.5], batch=[1, 2, 4, 8])


def configs(where: object, space: Any = SPACE, **options: Any) -> list[dict[str, Any]]:
    return [point.config for point in expand(space, where=where, **options).points]


@given(st.floats(0.1, 4.1), st.lists(st.sampled_from([1, 2, 4, 8]), min_size=1))
def test_what_is_left(limit: float, batches: list[int]) -> None:
    """What is left is what meets the condition, in order: as text, as a function, and as a list of both."""
    expected = [c for c in configs(None) if c["lr"] * c["batch"] < limit and c["batch"] in batches]
    one, two = f"lr * batch < {limit!r}", f"batch in {tuple(batches)!r}"

    def function(config: dict[str, Any]) -> bool:
        return bool(config["batch"] in batches)

    if not expected:
        with pytest.raises(SpaceError, match="where leaves nothing of 12 configurations"):
            configs(f"{one} and {two}")
        return
    assert configs(f"{one} and {two}") == configs([one, two]) == configs([one, function]) == expected


def test_conditions_see_what_was_drawn_and_derived() -> None:
    """Drawn, derived and nested values can be asked for."""
    space = grid(model={"depth": [1, 2, 3]}, x=uniform(0, 1), twice=derived(lambda c: 2 * c["x"]))
    made = configs("x > 0.5 and twice > 1 and model.depth >= 2", space, num_samples=20)
    assert made
    assert all(config["x"] > 0.5 and config["model"]["depth"] >= 2 for config in made)


def test_names_of_different_configurations() -> None:
    """A condition may name keys that never stand in one configuration together; only what stands in none is unknown."""
    space = Listed([{"a": 1}, {"m": {"b": 2}}, {"a": 3}, {"m": {"b": 4}}])
    assert configs("a == 1 or m.b == 2", space) == [{"a": 1}, {"m": {"b": 2}}]
    with pytest.raises(SpaceError, match=r"there is no 'm\.c'"):
        configs("a == 1 or m.c == 2", space)


@pytest.mark.parametrize(
    "where", ["a = False", "a is False)", "a == True)", "not (a is None", "a in (1, 2", "a == 1 and"]
)
def test_words_of_conditions_are_no_keys(where: str) -> None:
    """Where a condition cannot be read, a word that conditions have is not taken for the name of a key."""
    with pytest.raises(SpaceError) as raised:
        configs(where, grid(a=[1, 2]))
    assert "is a keyword of Python" not in str(raised.value)
    with pytest.raises(SpaceError, match="'lambda' is a keyword of Python, which no name in a condition can be"):
        configs("lambda > 0", grid(a=[1]))


def test_the_expansion_knows_how_many_are_gone() -> None:
    """An expansion says how many configurations were left out, and only what is left varies."""
    expansion = expand(SPACE, where="lr == 0.1 and batch < 4", repeats=3)
    assert (len(expansion.points), expansion.excluded, expansion.varying) == (6, 10, ("batch",))


def test_a_configuration_without_the_name_is_left_out() -> None:
    """A condition on a key that a configuration lacks does not hold for it, unless the rest of the condition decides."""
    space = grid(model=["mlp"], depth=[2, 8]) + grid(model=["svm"])
    assert configs("depth < 4", space) == [{"model": "mlp", "depth": 2}]
    assert configs("model == 'svm' or depth < 4", space) == configs("depth < 4 or model == 'svm'", space)
    assert configs("depth < 4 or model == 'svm'", space) == [{"model": "mlp", "depth": 2}, {"model": "svm"}]


def test_listed_configurations_are_left_out_too() -> None:
    """Conditions work on listed configurations."""
    assert configs("a > 1", Listed([{"a": 1}, {"a": 2}])) == [{"a": 2}]


def failing(config: dict[str, Any]) -> bool:
    return bool(config["nothing"])


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (
            "lr * batch < 0.15 and batch in (2, 4)",
            "where leaves nothing of 12 configurations: 'lr * batch < 0.15' removed 11, 'batch in (2, 4)' removed 1",
        ),
        (lambda config: False, "the function tests.unit.test_space_constraints.<lambda> removed 12"),
        ("batsh < 2", "where 'batsh < 2': there is no 'batsh': did you mean 'batch'? There are batch, lr"),
        (failing, "where: the function tests.unit.test_space_constraints.failing failed for {'lr': 0.1, 'batch': 1} (dict): KeyError"),
        (3, "where is a condition such as 'lr * batch < 1', or a function of the configuration, not 3 (int)"),
        ("lr <", "where 'lr <': "),
        ("lr < 'a'", "where \"lr < 'a'\": cannot compare lr=0.1 (float) with 'a' (str)"),
        ("lr.__class__ == 1", "a name that begins with two underscores is not possible"),
    ],
)  # fmt: skip
def test_what_is_refused(where: str | Callable[[Any], bool], text: str) -> None:
    """A condition that leaves nothing, fails or is none says which and why."""
    with pytest.raises(SpaceError, match=re.escape(text)):
        configs(where)
