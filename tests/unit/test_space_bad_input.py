"""What cannot be expanded is refused with a sentence that says what was wrong, with which value, and what to write."""

from __future__ import annotations

import re
import threading
from typing import Any

import numpy as np
import pytest

from pytest_sweep.errors import SpaceError
from pytest_sweep.space import Choice, Listed, expand

LOCK = threading.Lock()


@pytest.mark.parametrize(
    ("grid", "text"),
    [
        ([1, 2], "the grid is a dict of axes such as {'lr': [0.1, 0.01]}, not [1, 2] (list)"),
        (None, "the grid is a dict of axes such as {'lr': [0.1, 0.01]}, not None (NoneType)"),
        ({}, "the grid is empty: give it at least one axis"),
        ({"lr": []}, "the axis 'lr' has no values: give it at least one, or leave the key out"),
        ({"model": {"depth": ()}}, "the axis 'model.depth' has no values"),
        ({"lr": np.array([])}, "the axis 'lr' has no values"),
        ({"model": {"head": {}}}, "'model.head' is an empty dict: put an axis in it, or write [{}]"),
        ({"opt": "adam"}, "the axis 'opt' is the string 'adam': an axis is a list of values, write ['adam']"),
        ({"opt": b"adam"}, "the axis 'opt' is the bytes b'adam': an axis is a list of values, write [b'adam']"),
        ({"a": {"lr": 0.1}}, "the axis 'a.lr' is 0.1 (float): an axis is a list of values, write [0.1]"),
        ({"lr": None}, "the axis 'lr' is None (NoneType): an axis is a list of values, write [None]"),
        ({"lr": np.array(3)}, "the axis 'lr' is array(3) (ndarray): an axis is a list of values, write [array(3)]"),
        (
            {"lr": Choice(3)},
            "the axis 'lr' is a single pytest.param: an axis is a list of values, write [pytest.param(...)]",
        ),
        ({"lr": object}, "the axis 'lr' is <class 'object'> (type): an axis is a list of values"),
        ({"lr": {1}}, "the axis 'lr' is a set, which has no order: write a sorted list, sorted({1})"),
        ({"lr": set(range(99))}, "which has no order: write a sorted list, sorted(...)"),
        (
            {"lr": (n for n in "ab")},
            "the axis 'lr' is a generator, which can be read only once: write a list, list(...)",
        ),
        ({"lr": map(str, "ab")}, "the axis 'lr' is a map, which can be read only once"),
        ({1: [2]}, "the grid has the key 1 (int): keys are strings, write '1'"),
        (
            {"weights": {0: [1.0]}},
            "'weights' has the key 0 (int): keys are strings, write '0'; for a dict as a value, put it into a list: [{...}]",
        ),
        (
            {"a.b": [1], "a": {"b": [1]}},
            "the grid has 'a.b' twice, as one key and as keys within each other: rename one",
        ),
        ({"m": [LOCK]}, "the axis 'm': <unlocked _thread.lock object at"),
        ({"m": [1, LOCK]}, "give it a name of its own: pytest.param(value, id='...')"),
    ],
)
def test_bad_grids(grid: Any, text: str) -> None:
    """A grid that cannot be expanded is refused with the reason and the mend."""
    with pytest.raises(SpaceError, match=re.escape(text)):
        expand(grid)


@pytest.mark.parametrize("key", ["config", "trial", "request"])
def test_reserved_keys(key: str) -> None:
    """A key that is the name of an argument of trials is refused, in grids and in lists of configurations."""
    text = f"has the key '{key}', which is the name of a fixture or an argument of trials: rename the key"
    with pytest.raises(SpaceError, match=f"the space {text}"):
        expand({key: [1]})
    with pytest.raises(SpaceError, match=f"the space {text}"):
        expand(Listed([{}, {key: 1}]))


@pytest.mark.parametrize(
    ("configs", "text"),
    [
        ([], "configs is empty: list at least one configuration"),
        ({"lr": 1}, "configs is a list of dicts such as [{'lr': 0.1}, {'lr': 0.01}], not {'lr': 1} (dict)"),
        ("text", "configs is a list of dicts such as [{'lr': 0.1}, {'lr': 0.01}], not 'text' (str)"),
        (({} for _ in "a"), "configs is a list of dicts"),
        ([{"lr": 1}, 2], "configs[1] is 2 (int): each configuration is a dict such as {'lr': 0.1}"),
        ([Choice([1])], "configs[0] is [1] (list): each configuration is a dict"),
        ([{"lr": 1}, {3: 1}], "configs[1] has the key 3 (int): keys are strings, write '3'"),
        ([{"a.b": 1, "a": {"b": 2}}], "configs[0]: the configuration has 'a.b' twice"),
        (
            [{"lr": Choice(1)}],
            "configs[0]: 'lr' is a pytest.param: within configs, put it around the whole configuration",
        ),
        ([{}, {"m": LOCK}], "configs[1]: <unlocked _thread.lock object at"),
    ],
)
def test_bad_lists_of_configurations(configs: Any, text: str) -> None:
    """A list that cannot be expanded is refused, with the index of the entry that is wrong."""
    with pytest.raises(SpaceError, match=re.escape(text)):
        expand(Listed(configs))


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ("ab", "ids is a list of strings or a function of the configuration, not 'ab' (str)"),
        (3, "ids is a list of strings or a function of the configuration, not 3 (int)"),
        (["a"], "ids has 1 strings for 2 configurations: give one for each, or a function of the configuration"),
        (["a", "b", "c"], "ids has 3 strings for 2 configurations"),
        (["a", 2], "ids[1] is 2 (int): the ids are strings"),
        (["a", None], "ids[1] is None (NoneType): the ids are strings"),
        (["a", "a"], "ids gives 'a' to both {'lr': 1} (dict) and {'lr': 2} (dict): give each an id of its own"),
        (lambda _: "same", "ids gives 'same' to both {'lr': 1} (dict) and {'lr': 2} (dict)"),
        (lambda config: config["lr"], "ids returned 1 (int) for {'lr': 1} (dict): return a string, or None"),
        (lambda config: config["no"], "ids failed for {'lr': 1} (dict): KeyError: 'no'"),
    ],
)
def test_bad_ids(ids: Any, text: str) -> None:
    """Ids that are too few, not strings or not unique are refused, in grids and in lists of configurations."""
    with pytest.raises(SpaceError, match=re.escape(text)):
        expand({"lr": [1, 2]}, ids=ids)
    with pytest.raises(SpaceError, match=re.escape(text)):
        expand(Listed([{"lr": 1}, {"lr": 2}]), ids=ids)
