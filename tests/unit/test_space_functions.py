"""Values that functions work out: from what else is in the configuration, in whatever order that takes, and repeatably."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.errors import SpaceError
from pytest_sweep.space import expand, grid
from pytest_sweep.space.functions import derived, sample_from
from pytest_sweep.space.sampling import randint, uniform


def only(space: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    (point,) = expand(grid(space), **options).points
    return point.config


def test_derived_from_the_rest() -> None:
    """A derived value is worked out for each configuration, from listed, drawn and nested ones."""
    space = {"width": derived(lambda c: c["model"]["depth"] * c["n"]), "model": {"depth": [2, 4]}, "n": randint(3, 4)}
    assert [point.config for point in expand(space).points] == [
        {"width": 6, "model": {"depth": 2}, "n": 3},
        {"width": 12, "model": {"depth": 4}, "n": 3},
    ]


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_functions_does_not_count(order: list[str]) -> None:
    """Functions that need each other are called in the order that they need, however they are written."""
    functions = {
        "a": derived(lambda c: c["b"] + 1),
        "b": derived(lambda c: c["c"] + 1),
        "c": derived(lambda c: c.get("d", 0) + 1),
        "d": sample_from(lambda c: c["start"]),
    }
    assert only({key: functions[key] for key in order} | {"start": [1]}) == {"start": 1, "d": 1, "c": 2, "b": 3, "a": 4}


@pytest.mark.parametrize(
    "function",
    [
        lambda c: len({**c}),
        lambda c: len(dict(c)),
        lambda c: len(list(c.items())),
        lambda c: len(list(c.values())),
        lambda c: len(list(c)),
        lambda c: len(c.keys()),
    ],
)
def test_looking_at_all_waits_for_all(function: Callable[[Any], int]) -> None:
    """A derived value that looks at the whole configuration sees all others, also those that are derived."""
    assert only({"n": derived(function), "a": [1], "b": derived(lambda c: c["a"])})["n"] == 2


def test_a_key_that_is_not_known_yet_is_there() -> None:
    """A key whose value is still unknown is in the configuration, and a default does not stand in for it."""
    config = only({"a": derived(lambda c: ("b" in c, c.get("b", 0), c.get("z", 9))), "b": derived(lambda c: 5)})
    assert config["a"] == (True, 5, 9)


def test_sample_from_takes_what_it_names() -> None:
    """A function of sample_from takes nothing, the configuration, or the configuration and a generator."""
    config = only({
        "a": sample_from(lambda: 1),
        "b": sample_from(lambda config: config["x"]),
        "c": sample_from(lambda config, rng: rng.randint(config["x"], config["x"])),
        "x": [3],
    })  # fmt: skip
    assert config == {"a": 1, "b": 3, "c": 3, "x": 3}


@pytest.mark.parametrize(
    "function",
    [random.random, lambda: float(np.random.random()), lambda config, rng: rng.random()],
    ids=["random", "numpy", "generator"],
)
def test_sample_from_is_repeatable(function: Callable[..., float]) -> None:
    """What a function draws is the same in every run with one seed, another with another seed, and another for each point."""
    space = {"a": [1, 2], "x": sample_from(function)}
    drawn = [[point.config["x"] for point in expand(space, seed=seed).points] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1]
    assert len({*drawn[0], *drawn[2]}) == 4


def test_the_globals_are_put_back() -> None:
    """The generators of random and numpy go on as if nothing had been drawn."""
    random.seed(7)
    np.random.seed(7)
    before = random.random(), np.random.random()
    random.seed(7)
    np.random.seed(7)
    only({"x": sample_from(lambda: random.random() + np.random.random())})
    assert (random.random(), np.random.random()) == before


@pytest.mark.parametrize(
    ("space", "text"),
    [
        ({"a": derived(lambda c: c["a"])}, "the function of 'a' looks at 'a' itself"),
        ({"m": {"a": derived(lambda c: c["m"]["a"])}}, "the function of 'm.a' looks at 'm.a' itself"),
        (
            {"a": derived(lambda c: c["b"]), "b": derived(lambda c: c["a"])},
            "these functions wait for each other: that of 'a' looks at 'b', and that of 'b' looks at 'a'",
        ),
        (
            {"a": sample_from(lambda c: c["b"]), "b": derived(lambda c: 1)},
            "the function of 'a' looks at 'b', which is derived and so worked out last: make 'a' derived, too",
        ),
        (
            {"a": derived(lambda c: c["wdith"]), "width": [2]},
            "the function of 'a' failed: KeyError: 'wdith'; the configuration has a, width",
        ),
        ({"a": derived(lambda c: 1 / 0)}, "the function of 'a' failed: ZeroDivisionError: division by zero"),
        (
            {"a": derived(lambda c: uniform(0, 1))},
            "what the function of 'a' returned: uniform(0.0, 1.0) (Float) is, or holds, uniform(0.0, 1.0): return",
        ),
        ({"a": derived(lambda c: threading.Lock())}, "what was drawn for 'a': <unlocked _thread.lock object"),
    ],
)
def test_what_cannot_be_worked_out(space: dict[str, Any], text: str) -> None:
    """A function that waits for itself or fails is named, with the keys that there are."""
    with pytest.raises(SpaceError, match=re.escape(text)):
        only(space)


def test_an_except_clause_does_not_swallow_the_waiting() -> None:
    """A function that catches every exception still waits for what it looked at."""

    def careful(config: Mapping[str, Any]) -> Any:
        try:
            return config["b"]
        except Exception:
            return "default"

    assert only({"a": derived(careful), "b": derived(lambda c: 5)})["a"] == 5


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: derived(3), "derived() takes a function such as lambda config: 2 * config['depth'], not 3 (int)"),  # type: ignore[arg-type]
        (lambda: derived(lambda: 1), "derived() takes a function of the configuration, not"),  # type: ignore[arg-type, misc]
        (
            lambda: sample_from(lambda a, b, c: 1),
            "sample_from() takes a function of nothing, the configuration, or the",
        ),
    ],
)
def test_what_is_no_function(make: Callable[[], Any], text: str) -> None:
    """What is no function, or takes other arguments, is refused where it is written."""
    with pytest.raises(SpaceError, match=re.escape(text)):
        make()
