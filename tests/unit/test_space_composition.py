"""Spaces combine: product, pairing, sum; and what cannot be combined says so."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.errors import SpaceError
from pytest_sweep.space import Choice, Space, as_space, expand, grid, zip_
from pytest_sweep.space.sampling import uniform

VALUES = st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True)
GRIDS = st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1, max_size=2)
OTHERS = st.dictionaries(st.sampled_from("xyz"), VALUES, min_size=1, max_size=2)


def configs(space: Space | dict[str, Any]) -> list[dict[str, Any]]:
    return [point.config for point in expand(space).points]


@given(GRIDS, OTHERS)
def test_a_product_is_each_with_each(one: dict[str, Any], two: dict[str, Any]) -> None:
    """A product joins every configuration of its first space with every one of the second, the first varying slowest."""
    assert configs(grid(one) * grid(two)) == [{**first, **second} for first in configs(one) for second in configs(two)]


@given(GRIDS, GRIDS)
def test_a_sum_repeats_nothing(one: dict[str, Any], two: dict[str, Any]) -> None:
    """A sum has the configurations of its first space, then those of the second that are new."""
    first = configs(one)
    assert configs(grid(one) + grid(two)) == first + [config for config in configs(two) if config not in first]


@given(st.lists(GRIDS, min_size=3, max_size=3), OTHERS)
def test_laws(grids: list[dict[str, Any]], other: dict[str, Any]) -> None:
    """Sums and products are associative, and a product distributes over a sum."""
    a, b, c = map(grid, grids)
    x = grid(other)
    assert configs((a + b) + c) == configs(a + (b + c))
    assert configs((a + b) * x) == configs(a * x + b * x)
    assert configs(a + a) == configs(a)


@given(st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(), min_size=3, max_size=3), min_size=1))
def test_zip_pairs(axes: dict[str, list[int]]) -> None:
    """zip_ pairs the values of its axes as zip does, also equal ones."""
    assert configs(zip_(axes)) == [dict(zip(axes, values, strict=True)) for values in zip(*axes.values(), strict=True)]


@given(GRIDS, OTHERS)
def test_the_count_is_known_before(one: dict[str, Any], two: dict[str, Any]) -> None:
    """A product knows its count without being expanded, and a sum has at most the count of both."""
    assert (grid(one) * two).count() == len(configs(grid(one) * two))
    assert (grid(one) + one).count() == 2 * len(configs(one))


def test_a_dict_stands_for_its_grid() -> None:
    """On either side of * and + a dict is the grid of it."""
    assert configs({"a": [1]} * grid(b=[2])) == configs(grid(a=[1]) * {"b": [2]}) == [{"a": 1, "b": 2}]
    assert configs({"a": [1]} + grid(a=[2])) == configs(grid(a=[1]) + {"a": [2]}) == [{"a": 1}, {"a": 2}]


def test_nested_axes_combine() -> None:
    """Axes within dicts take part in products and pairs, and configurations nest as they do."""
    space = zip_(model={"depth": [2, 4], "width": [8, 16]}) * grid(model={"dropout": [0.5]}, lr=[0.1])
    assert configs(space) == [
        {"model": {"depth": 2, "width": 8, "dropout": 0.5}, "lr": 0.1},
        {"model": {"depth": 4, "width": 16, "dropout": 0.5}, "lr": 0.1},
    ]


def test_a_sum_knows_equal_configurations_however_they_are_written() -> None:
    """A dict as a value and axes within a dict make the same configuration, and the order of keys does not count."""
    assert len(configs(grid(m=[{"a": 1, "b": 2}]) + grid(m={"b": [2], "a": [1]}))) == 1
    assert len(configs(grid(a=[1], b=[2]) + grid(b=[2], a=[1]))) == 1
    assert len(configs(grid(a=[1]) + grid(a=[1.0, True, "1"]))) == 4


def test_a_sum_of_domains() -> None:
    """The same domain on both sides is one, and with other bounds it is another."""
    assert len(configs(grid(lr=uniform(0, 1)) + grid(lr=uniform(0, 1)))) == 1
    assert [config["lr"] < 1 for config in configs(grid(lr=uniform(0, 1)) + grid(lr=uniform(1, 2)))] == [True, False]


def test_what_was_written_is_left_alone() -> None:
    """To combine spaces changes none of them."""
    axes = {"a": [1, 2]}
    one = grid(axes)
    assert configs(one * grid(b=[1])) != configs(one) == [{"a": 1}, {"a": 2}]
    assert axes == {"a": [1, 2]}
    assert repr((one + zip_(b=[1])) * {"c": [1]}) == "((grid({'a': [1, 2]}) + zip_({'b': [1]})) * grid({'c': [1]}))"


def test_marks_and_labels_are_kept() -> None:
    """The ids and marks of values survive pairing, products and sums."""
    space = zip_(a=[Choice(1, "one", ("slow",))]) * grid(b=[Choice(2, "two", ("gpu",))]) + grid(a=[3], b=[4])
    assert [(point.label, point.marks) for point in expand(space).points] == [
        ("a=one-b=two", ("slow", "gpu")),
        ("a=3-b=4", ()),
    ]


def test_keys_and_varying_of_a_sum() -> None:
    """A key that some configurations lack varies, and all keys are known."""
    expansion = expand(grid(model=["mlp"], depth=[2]) + grid(model=["linear"]))
    assert (expansion.keys, expansion.varying) == (("model", "depth"), ("model", "depth"))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: zip_(a=[1], b=[1, 2]), "zip_ pairs axes of one length: a has 1, b has 2 values. To combine each with each"),
        (lambda: zip_(a=[1], b=uniform(0, 1)), "zip_ pairs listed values, and 'b' has none: write zip_(...) * grid(b=...)"),
        (lambda: zip_({}), "zip_ is empty: give it at least one axis"),
        (lambda: zip_(a=[]), "the axis 'a' has no values"),
        (lambda: grid(a=[1]) * grid(a=[2]), "a product has the key 'a' on both sides: give it once, or join the two with +"),
        (lambda: grid(a=[1]) * grid(a={"b": [2]}), "a product has the key 'a' on both sides"),
        (lambda: grid(a={"b": [1]}) * grid(a={"b": [2]}), "a product has the key 'a.b' on both sides"),
        (lambda: grid({"a.b": [1]}) * grid(a={"b": [2]}), "a product has 'a.b' twice, as one key and as keys within each other"),
        (lambda: grid({"a": [1]}, a=[2]), "grid() has the key 'a' twice: give it once"),
        (lambda: zip_({"a": [1]}, a=[2]), "zip_() has the key 'a' twice: give it once"),
        (lambda: grid([1, 2]), "grid() takes axes by name, grid(lr=[0.1, 0.01]), or one dict of them, not [1, 2] (list)"),  # type: ignore[arg-type]
        (lambda: grid(a=[1]) + grid(b=3), "the axis 'b' is 3 (int): an axis is a list of values, write [3]"),
        (lambda: as_space(7), "the grid is a dict of axes such as {'lr': [0.1, 0.01]}, not 7 (int)"),
    ],
)  # fmt: skip
def test_what_is_refused(make: Callable[[], Any], text: str) -> None:
    """What does not combine is refused with a sentence that says why and what to write."""
    with pytest.raises(SpaceError, match=re.escape(text)):
        expand(make())


@pytest.mark.parametrize(
    ("space", "options", "text"),
    [
        (grid(a=range(10**9)), {}, "the space has 1,000,000,000 points, more than the 1,000,000 that are allowed"),
        (grid(a=range(10**5), b=range(10**5)), {}, "10,000,000,000 points"),
        (
            grid(a=range(1000)),
            {"num_samples": 50, "repeats": 40},
            "2,000,000 points (1,000 combinations x num_samples=50 x repeats=40), more than",
        ),
        (grid(a=[1, 2]) * {"b": [1, 2]}, {"max_points": 3}, "allow it with --sweep-max-trials=4"),
    ],
)
def test_too_many_points(space: Space, options: dict[str, int], text: str) -> None:
    """A space that is too large is refused at once, by its count: a billion points are not made to be counted."""
    with pytest.raises(SpaceError, match=re.escape(text)):
        expand(space, **options)  # type: ignore[arg-type]
