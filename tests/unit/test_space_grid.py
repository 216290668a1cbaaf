"""A grid or a list of configurations becomes points: which, how many, in which order."""

from __future__ import annotations

import enum
import functools
import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.space import Choice, Expansion, Listed, expand, trial_key
from pytest_sweep.space.expansion import RESERVED
from pytest_sweep.space.sampling import uniform

KEYS = st.text("abcdef_", min_size=1, max_size=4)
SCALARS = st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.none(), st.text(max_size=5))
AXES = st.lists(SCALARS, min_size=1, max_size=4, unique_by=lambda value: (type(value), value))
GRIDS = st.dictionaries(KEYS, AXES, min_size=1, max_size=3)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


def configs_of(expansion: Expansion) -> list[dict[str, Any]]:
    return [point.config for point in expansion.points]


@given(GRIDS)
def test_points_are_the_product_in_order(grid: dict[str, list[Any]]) -> None:
    """There is one point for each combination, in the order of itertools.product."""
    expected = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    expansion = expand(grid)
    assert configs_of(expansion) == expected
    assert len(expansion.points) == math.prod(map(len, grid.values()))


@given(GRIDS)
def test_points_are_distinct(grid: dict[str, list[Any]]) -> None:
    """Points of distinct axis values differ in key and label, and none is a replicate."""
    points = expand(grid).points
    assert len({trial_key("t.py::f", point.identity, {}, point.replicate) for point in points}) == len(points)
    assert len({point.label for point in points}) == len(points)
    assert {point.replicate for point in points} == {0}


@given(GRIDS)
def test_expansion_is_deterministic(grid: dict[str, list[Any]]) -> None:
    """The same grid expands to the same points."""
    assert expand(grid) == expand(grid)


def test_configurations_nest_like_the_grid() -> None:
    """Axes at any depth give configurations of the same shape, in the order in which they are written."""
    expansion = expand({"model": {"depth": [2, 4], "head": {"width": [8]}}, "lr": [0.1]})
    assert configs_of(expansion) == [
        {"model": {"depth": 2, "head": {"width": 8}}, "lr": 0.1},
        {"model": {"depth": 4, "head": {"width": 8}}, "lr": 0.1},
    ]
    assert expansion.keys == ("model", "lr")
    assert expansion.varying == ("model.depth",)
    assert sorted(expansion.values) == [("lr", 0.1), ("model.depth", 2), ("model.depth", 4), ("model.head.width", 8)]


@pytest.mark.parametrize("repeats", [1, 2, 3])
def test_each_replicate_has_the_marks_of_its_values(repeats: int) -> None:
    """Marks of a value are those of every point that takes it: of all samples, and of further repeats too."""
    slow, known = object(), object()
    grid = {"a": [Choice(1, marks=(slow,)), 2], "b": [Choice(3, marks=(known,)), 4]}
    expected = [(slow, known), (slow,), (known,), ()]
    points = expand(grid, repeats=repeats).points
    assert [point.marks for point in points] == expected * repeats
    assert [point.replicate for point in points] == [number for number in range(repeats) for _ in range(4)]
    sampled = expand({**grid, "c": uniform(0, 1)}, repeats=repeats, num_samples=2).points
    assert [point.marks for point in sampled] == expected * 2 * repeats


def test_each_configuration_owns_its_dicts() -> None:
    """Changing the nesting of one configuration leaves the others, and the source, as they were."""
    one, two = configs_of(expand({"model": {"depth": [2, 4]}}))
    one["model"]["depth"] = 99
    assert two == {"model": {"depth": 4}}
    source = {"model": {"depth": 2}}
    one, two = configs_of(expand(Listed([source, source])))
    one["model"]["depth"] = 99
    assert two == source == {"model": {"depth": 2}}


def test_values_are_shared() -> None:
    """A value is handed on as the object that was written."""
    layers = [64, 32]
    assert all(config["layers"] is layers for config in configs_of(expand({"layers": [layers], "lr": [1, 2]})))


@pytest.mark.parametrize(
    "axis",
    [[1, 2], (1, 2), range(1, 3), np.array([1, 2]), {"a": 1, "b": 2}.values()],
    ids=["list", "tuple", "range", "array", "dict values"],
)
def test_sized_collections_are_axes(axis: Any) -> None:
    """Any collection that has a length and an order can be an axis."""
    assert configs_of(expand({"n": axis})) == [{"n": 1}, {"n": 2}]


def test_an_enum_class_is_an_axis_of_its_members() -> None:
    """An enum class is a collection of its members."""
    assert configs_of(expand({"color": Color})) == [{"color": Color.RED}, {"color": Color.BLUE}]


def test_values_may_be_anything() -> None:
    """Lists, dicts, classes, functions and None are values like any other."""
    values = [[1, 2], {"a": 1}, {}, Color, len, functools.partial(int, base=2), None, np.arange(3)]
    found = [config["v"] for config in configs_of(expand({"v": values}))]
    assert all(one is two for one, two in zip(found, values, strict=True))


def test_choices_bring_labels_and_marks() -> None:
    """A choice gives its value to the configuration, and its label and marks to the points that take it."""
    expansion = expand({"lr": [Choice(0.1, "big", ("slow",)), 0.01], "n": [Choice(1, marks=("gpu", "x"))]})
    one, two = expansion.points
    assert (one.config, one.label, one.marks) == ({"lr": 0.1, "n": 1}, "lr=big-n=1", ("slow", "gpu", "x"))
    assert (two.config, two.label, two.marks) == ({"lr": 0.01, "n": 1}, "lr=0.01-n=1", ("gpu", "x"))


def test_equal_axis_values_are_replicates() -> None:
    """Equal values on an axis are kept, counted as replicates, and do not make the axis vary."""
    expansion = expand({"lr": [0.1, 0.1, 0.1], "n": [1, 2]})
    assert [point.replicate for point in expansion.points] == [0, 0, 1, 1, 2, 2]
    assert expansion.varying == ("n",)
    assert expansion.values == (("lr", 0.1), ("n", 1), ("n", 2))


def test_equality_is_that_of_identity() -> None:
    """1, 1.0, True and "1" are four values; a numpy scalar is the Python scalar that it holds."""
    expansion = expand({"n": [1, 1.0, True, "1", np.int64(1)]})
    assert [point.replicate for point in expansion.points] == [0, 0, 0, 0, 1]


def test_listed_configurations_are_kept_as_they_are() -> None:
    """A list of configurations is expanded in order; equal ones, whatever the order of their keys, are replicates."""
    expansion = expand(
        Listed([{"lr": 0.1, "n": 1}, Choice({"n": 2}, "small", ("slow",)), {"n": 1, "lr": 0.1}, {"lr": 0.1, "n": 1}])
    )
    assert [point.label for point in expansion.points] == ["lr=0.1-n=1", "small", "n=1-lr=0.1#2", "lr=0.1-n=1#3"]
    assert [point.replicate for point in expansion.points] == [0, 0, 1, 2]
    assert [point.marks for point in expansion.points] == [(), ("slow",), (), ()]
    assert expansion.keys == ("lr", "n")
    assert expansion.varying == ("lr", "n")
    assert expansion.values == (("lr", 0.1), ("n", 1), ("n", 2))


def test_a_key_varies_when_some_configurations_lack_it() -> None:
    """A dotted key varies when its values differ or when it is missing somewhere."""
    expansion = expand(Listed([{"model": {"depth": 2}, "lr": 1}, {"model": {"depth": 2, "width": 8}, "lr": 1}]))
    assert expansion.varying == ("model.width",)


def test_a_dict_with_other_keys_is_a_value_of_a_configuration() -> None:
    """A dict such as the class weights of scikit-learn is a value, not a level of the configuration."""
    expansion = expand(Listed([{"weights": {0: 1.0, 1: 5.0}}, {"weights": {0: 1.0, 1: 9.0}}]))
    assert expansion.varying == ("weights",)
    assert expansion.points[0].label.startswith("weights=")


def test_an_empty_configuration_is_a_configuration() -> None:
    """An empty dict in the list stands for the defaults."""
    (point,) = expand(Listed([{}])).points
    assert (point.config, point.label) == ({}, "{}")


def test_a_label_identifies_what_has_no_content() -> None:
    """A labelled value that nothing tells from others gives a key by its label, wherever it stands."""
    key = "t.py::f"
    one, two = ((number for number in range(3)) for _ in range(2))
    points = expand({"a": {"b": [Choice(one, "one"), Choice(two, "two"), 3]}}).points
    assert points[0].config == {"a": {"b": one}}
    assert points[2].identity == points[2].config
    assert len({trial_key(key, point.identity, {}, point.replicate) for point in points}) == 3
    again = expand({"a": {"b": [Choice(two, "one")]}}).points[0]
    assert trial_key(key, again.identity, {}, 0) == trial_key(key, points[0].identity, {}, 0)
    listed = expand(Listed([Choice({"b": one}, "one"), Choice({"b": two}, "two")]))
    assert len({trial_key(key, point.identity, {}, point.replicate) for point in listed.points}) == 2
    assert listed.values == (("b", one), ("b", two))


def test_reserved_names_are_those_of_arguments() -> None:
    """The reserved keys can be chosen by the caller, and are reserved at the top level only."""
    assert RESERVED == ("trial", "request", "config")
    assert configs_of(expand({"model": {"config": [1]}})) == [{"model": {"config": 1}}]
    assert configs_of(expand({"trial": [1]}, reserved=())) == [{"trial": 1}]


def test_a_hundred_thousand_points() -> None:
    """A large grid is expanded in full; every point has a label of its own."""
    expansion = expand({"a": range(10), "b": {"c": np.linspace(0, 1, 100)}, "d": [n / 7 for n in range(100)]})
    assert len({point.label for point in expansion.points}) == 100_000
