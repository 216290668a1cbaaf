"""Domains are drawn wherever they are written, or refused by name: a trial never gets one of our objects."""

from __future__ import annotations

import collections
import dataclasses
import functools
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st

from pytest_sweep import choice, derived, grid, randint, sample_from, uniform, zip_
from pytest_sweep.errors import SpaceError
from pytest_sweep.space import Choice, Listed, expand
from pytest_sweep.space.templates import Template


class Pair(NamedTuple):
    x: Any
    y: Any


@dataclasses.dataclass
class Adam:
    lr: Any


def configs(space: Any, **more: Any) -> list[dict[str, Any]]:
    return [point.config for point in expand(space, **more).points]


@pytest.mark.parametrize(
    ("axis", "drawn"),
    [
        ([{"name": "adam", "lr": uniform(0, 1)}], lambda v: v["lr"]),
        ([[1, uniform(0, 1)]], lambda v: v[1]),
        ([(uniform(0, 1), 2)], lambda v: v[0]),
        ([Pair(1, uniform(0, 1))], lambda v: v.y),
        ([[{"a": [(uniform(0, 1),)]}]], lambda v: v[0]["a"][0][0]),
        ([uniform(0, 1)], lambda v: v),
        ([{1: uniform(0, 1)}], lambda v: v[1]),
        ([st.floats(0, 1)], lambda v: v),
        ([{"a": st.floats(0, 1)}], lambda v: v["a"]),
        ([{"a": sample_from(lambda: 0.5)}], lambda v: v["a"]),
        ([{"a": derived(lambda config: config["b"] / 4)}], lambda v: v["a"]),
        ([Choice({"a": uniform(0, 1)}, "named")], lambda v: v["a"]),
        (choice([{"a": uniform(0, 1)}]), lambda v: v["a"]),
        (choice([uniform(0, 1)]), lambda v: v),
        (choice([choice([[uniform(0, 1)]])]), lambda v: v[0]),
        (choice([{"a": sample_from(lambda config: config["b"] / 4)}]), lambda v: v["a"]),
        (choice([Choice({"a": uniform(0, 1)}, "named")]), lambda v: v["a"]),
    ],
)
def test_a_domain_is_drawn_where_it_is(axis: Any, drawn: Callable[[Any], Any]) -> None:
    """In lists, tuples, dicts and in what is chosen from, at any depth, a domain gives a number in each configuration."""
    for config in configs({"v": axis, "b": [1, 2]}, num_samples=3):
        assert isinstance(drawn(config["v"]), float)
        assert 0 <= drawn(config["v"]) <= 1
    listed = axis if isinstance(axis, list) else [axis]
    values = [value for value in listed if not isinstance(value, Choice)]
    for config in configs(Listed([{"v": value, "b": 1} for value in values])) if values else ():
        assert 0 <= drawn(config["v"]) <= 1


def test_values_beside_it_stay_as_they_are() -> None:
    """A list may hold values of both sorts; the order is that of the list, and each sample draws anew."""
    space = {"opt": [{"name": "adam", "lr": uniform(0, 1)}, {"name": "sgd"}, 3], "depth": [1, 2]}
    found = configs(space, num_samples=2)
    names = [config["opt"]["name"] if isinstance(config["opt"], dict) else config["opt"] for config in found]
    assert names == ["adam", "adam", "sgd", "sgd", 3, 3] * 2
    assert [config["depth"] for config in found] == [1, 2] * 6
    assert len({config["opt"]["lr"] for config in found if config["opt"] != 3 and "lr" in config["opt"]}) == 4


def test_another_value_leaves_the_draws_as_they_were() -> None:
    """A value more on the axis, before it or behind, changes nothing that is drawn."""
    adam, sgd = {"name": "adam", "lr": uniform(0, 1)}, {"name": "sgd", "lr": uniform(0, 1)}
    (alone,) = configs({"opt": [adam]})
    several = configs({"opt": [sgd, adam, 3]})
    assert several[1] == alone
    assert several[0]["opt"]["lr"] != alone["opt"]["lr"]


def test_several_in_one_value_are_drawn_apart() -> None:
    """Two domains in one value are independent."""
    (config,) = configs({"v": [[uniform(0, 1), uniform(0, 1), {"a": uniform(0, 1)}]]})
    one, two, three = config["v"]
    assert len({one, two, three["a"]}) == 3


def test_a_pair_with_a_domain() -> None:
    """zip_ pairs values that have domains in them; a domain as an axis has no length to pair."""
    found = configs(zip_(a=[[uniform(0, 1)], [2]], b=[1, 2]))
    assert [(type(config["a"][0]), config["b"]) for config in found] == [(float, 1), (int, 2)]
    with pytest.raises(SpaceError, match="zip_ pairs listed values, and 'a' has none"):
        configs(zip_(a=uniform(0, 1), b=[1]))


def test_the_order_of_a_product_and_a_sum() -> None:
    """An axis with both sorts of values varies as any other one, in products and sums."""
    mixed = grid(a=[[uniform(0, 1)], 2])
    assert [type(config["a"]) for config in configs(grid(b=[1, 2]) * mixed)] == [list, int, list, int]
    assert [type(config["a"]) for config in configs(mixed + grid(a=[2, 3]))] == [list, int, int]


def test_labels_and_marks_stay() -> None:
    """The id and the marks of a value with a domain in it are those of what is drawn."""
    (point,) = expand({"v": [Choice({"lr": uniform(0, 1)}, "adam", ("slow",))]}).points
    assert (point.label, point.marks) == ("v=adam", ("slow",))
    (point,) = expand(
        {"v": choice([Choice({"lr": sample_from(lambda: 1)}, "adam", ("slow",))]), "w": derived(lambda c: c["v"]["lr"])}
    ).points
    assert (point.label, point.marks, point.config["w"]) == ("v=adam-w=1", ("slow",), 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Adam(uniform(0, 1)), "holds uniform(0.0, 1.0): values are drawn in dicts, lists and tuples, not in a Adam"),
        ({uniform(0, 1)}, "not in a set"),
        (frozenset({uniform(0, 1)}), "not in a frozenset"),
        (collections.OrderedDict(a=uniform(0, 1)), "not in a OrderedDict"),
        (functools.partial(print, uniform(0, 1)), "not in a partial"),
        ({"a": [Adam([uniform(0, 1)])]}, "Adam(lr=[uniform(0.0, 1.0)]) (Adam) at '"),
        ([grid(a=[1])], "a value holds grid({'a': [1]}) (Grid) at '0', which is no value"),
        (grid(a=[1]), "a value holds grid({'a': [1]}) (Grid), which is no value"),
        ({"lr": {"grid_search": [1, 2]}}, "is a grid_search of Ray Tune within a value"),
    ],
)
def test_where_it_cannot_be_drawn_it_is_named(value: Any, text: str) -> None:
    """In a dataclass, a set or a partial, nothing is drawn; the error names the domain and the place."""
    for space in ({"v": [value]}, {"v": choice([value])}, Listed([{"v": value}])):
        with pytest.raises(SpaceError, match=re.escape(text)):
            expand(space)


@pytest.mark.parametrize("make", [lambda: uniform(0, 1), lambda: [uniform(0, 1)], lambda: {"a": (randint(0, 2),)}])
def test_a_function_returns_values(make: Callable[[], Any]) -> None:
    """A domain in what a function returns is refused, however deep it is."""
    for function in (sample_from(make), derived(lambda _: make())):
        with pytest.raises(
            SpaceError, match=r"what the function of 'v' returned: .* return a value, not what to draw it from"
        ):
            expand({"v": function})


def test_a_strategy_draws_values() -> None:
    """A strategy that generates domains is refused as well."""
    with pytest.raises(SpaceError, match="what was drawn for 'v'"):
        expand({"v": st.just([uniform(0, 1)])})


def test_what_is_drawn_is_no_none() -> None:
    """Where one value draws what another leaves out, the two are told apart."""
    drawn, none = ({"name": "adam", "lr": value} for value in (uniform(0, 1), None))
    assert Template(drawn).skeleton != Template(none).skeleton
