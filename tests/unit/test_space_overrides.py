"""Axes that are replaced by text take the types of what they replace."""

from __future__ import annotations

import enum
import re
from pathlib import PurePosixPath
from typing import Any

import pytest

from pytest_sweep.errors import SpaceError
from pytest_sweep.space import Choice, Listed, Space, axis_keys, expand, grid, parse_override, zip_
from pytest_sweep.space.functions import derived
from pytest_sweep.space.sampling import choice, randint, randn, uniform


class Color(enum.Enum):
    RED = 1
    BLUE = 2


def replaced(space: Space, text: str) -> Space:
    override = parse_override(text)
    key = override.key_in(("train", "t.py::train"), axis_keys(space))
    assert key is not None
    return override.applied(space, key)


def values(axis: Any, text: str) -> list[Any]:
    """Return the values of an axis `x` that is replaced by `text`."""
    return [point.config["x"] for point in expand(replaced(grid(x=axis), f"x={text}")).points]


@pytest.mark.parametrize(
    ("axis", "text", "expected"),
    [
        ([0.1, 0.2], "1e-4,1e-3", [1e-4, 1e-3]),
        ([0.1, 0.2], "1, 2", [1.0, 2.0]),
        ([1, 2], "3", [3]),
        ([1, 0.5], "3,0.25", [3, 0.25]),
        ([True, False], "false,True", [False, True]),
        ([None, 0.1], "None,1", [None, 1.0]),
        (["adam", "sgd"], "lion,'a,b'", ["lion", "a,b"]),
        (["1"], "2", ["2"]),
        ([[64, 64]], "[128],[32, 16]", [[128], [32, 16]]),
        ([(1, 2)], "(3, 4)", [(3, 4)]),
        ([{"a": 1}], "{'a': 2, 'b': 3}", [{"a": 2, "b": 3}]),
        ([max, min, sum], "min,sum", [min, sum]),
        ([Color.RED, Color.BLUE], "BLUE", [Color.BLUE]),
        ([PurePosixPath("a")], "b/c", [PurePosixPath("b/c")]),
        ([Choice(10.0, "huge"), 0.1], "huge,3", [10.0, 3.0]),
        (uniform(0, 1), "2,0.5", [2.0, 0.5]),
        (randn(), "0", [0.0]),
        (randint(0, 9), "12", [12]),
        (choice(["a", "b"]), "c", ["c"]),
        (derived(lambda c: 1), "7,abc,[1]", [7, "abc", [1]]),
    ],
)
def test_types_follow_the_axis(axis: Any, text: str, expected: list[Any]) -> None:
    """The values are of the types that the axis has; what stands in a node id is the value that it stands for."""
    found = values(axis, text)
    assert found == expected
    assert list(map(type, found)) == list(map(type, expected))


def test_a_label_keeps_its_marks() -> None:
    """A value that is named by its id comes with id and marks."""
    space = replaced(grid(x=[Choice(1, "one", ("slow",)), 2]), "x=one")
    assert [(point.label, point.marks) for point in expand(space).points] == [("x=one", ("slow",))]


@pytest.mark.parametrize("text", ["model.depth=8", "train.model.depth=8", "t.py::train.model.depth=8"])
def test_nested_axes_and_names_of_sweeps(text: str) -> None:
    """A nested axis is named by dots, after the name or the node id of a sweep if only that is meant."""
    space = grid(model={"depth": [2, 4]}, lr=[0.1])
    assert [point.config for point in expand(replaced(space, text)).points] == [{"model": {"depth": 8}, "lr": 0.1}]


def test_everywhere_in_a_composed_space() -> None:
    """An axis is replaced wherever it stands in a space; the space that was written stays as it is."""
    space = zip_(a=[1, 2], b=[3, 4]) * grid(c=[5]) + grid(a=[9])
    assert axis_keys(space) == ["a", "b", "c"]
    assert [point.config.get("c") for point in expand(replaced(space, "c=7,8")).points] == [7, 8, 7, 8, None]
    assert [point.config.get("c") for point in expand(space).points] == [5, 5, None]


def test_who_is_meant() -> None:
    """An override means the sweep that it names, or any that has the axis; listed configurations have no axes."""
    override = parse_override("train.lr=1")
    assert override.key_in(("train",), ["lr"]) == "lr"
    assert override.key_in(("other",), ["lr"]) is None
    assert override.key_in(("train",), ["depth"]) is None
    assert override.key_in(("other",), ["train.lr"]) == "train.lr"
    assert axis_keys(Listed([{"lr": 1}])) == []


@pytest.mark.parametrize("text", ["lr", "lr=", "=1", "lr=1,,2", ""])
def test_what_is_no_override(text: str) -> None:
    """Text without key or value is refused with an example."""
    with pytest.raises(SpaceError, match=re.escape(f"{text!r} is not KEY=VALUE,VALUE such as lr=1e-4,1e-3")):
        parse_override(text)


@pytest.mark.parametrize(
    ("axis", "text", "said"),
    [
        ([1, 2], "0.5", "x=0.5: '0.5' is none of what the axis 'x' takes: 1, 2"),
        ([0.1], "fast", "x=fast: 'fast' is none of what the axis 'x' takes: 0.1"),
        ([max, min], "mean", "x=mean: 'mean' is none of what the axis 'x' takes: max, min"),
        (randint(0, 3), "a", "x=a: 'a' is none of what the axis 'x' takes: integers"),
        (uniform(0, 3), "a", "x=a: 'a' is none of what the axis 'x' takes: numbers"),
        (list(range(20)), "a", "what the axis 'x' takes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 10 more"),
        ([[1]], "[1", "x=[1: '[1' is none of what the axis 'x' takes"),
    ],
)
def test_values_of_other_types(axis: Any, text: str, said: str) -> None:
    """A value of a type that the axis has not is refused, and what the axis takes is told."""
    with pytest.raises(SpaceError, match=re.escape(said)):
        values(axis, text)


def test_unequal_lengths_in_zip() -> None:
    """An axis of zip_ that is replaced by more or fewer values says which lengths do not go together."""
    with pytest.raises(SpaceError, match=re.escape("zip_ pairs axes of one length: a has 3, b has 2 values")):
        expand(replaced(zip_(a=[1, 2], b=[3, 4]), "a=1,2,3"))
