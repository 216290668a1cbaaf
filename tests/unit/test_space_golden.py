"""Forms, keys, seeds and draws are what they were: in every process, with every Python, for as long as results are kept.

The golden file was written once. A line of it that has to change makes another trial of what somebody has stored.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import fractions
import functools
import json
import math
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import pytest

from pytest_sweep.space import Listed, displayable, expand, grid, identity_text, trial_key, trial_seed, zip_
from pytest_sweep.space.sampling import (
    choice,
    lograndint,
    loguniform,
    qlograndint,
    qloguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    uniform,
)

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text("utf-8"))


class Color(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Head:
    width: int
    act: str = "relu"


class Plain:
    def __init__(self, depth: int) -> None:
        self.depth = depth


def train(x: int) -> int:
    return x


VALUES: dict[str, Any] = {
    "1": 1,
    "1.0": 1.0,
    "True": True,
    "'1'": "1",
    "None": None,
    "0.0": 0.0,
    "-0.0": -0.0,
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "0.1": 0.1,
    "1e-05": 1e-05,
    "2**80": 2**80,
    "text": "a\n\u00e4\u2713",
    "bytes": b"\x00abc",
    "tuple": (1, 2.0),
    "list": [1, 2.0],
    "dict": {"b": 1, "a": {"c": [None]}},
    "dict of ints": {2: "b", 1: "a"},
    "set": {3, 1, 2},
    "frozenset": frozenset({"b", "a"}),
    "range": range(1, 9, 2),
    "complex": 1 + 2j,
    "numpy float": np.float64(0.1),
    "numpy int": np.int32(7),
    "numpy bool": np.bool_(True),
    "numpy 0-d": np.array(2.5),
    "numpy array": np.array([[1, 2], [3, 4]], dtype="<i8"),
    "enum": Color.RED,
    "int enum": Level.HIGH,
    "dataclass": Head(8),
    "object": Plain(4),
    "posix path": PurePosixPath("a/b.csv"),
    "windows path": PureWindowsPath("a\\b.csv"),
    "function": train,
    "builtin": len,
    "method of a builtin": str.upper,
    "class": Plain,
    "module": math,
    "partial": functools.partial(train, x=3),
    "decimal": Decimal("1.10"),
    "fraction": fractions.Fraction(1, 3),
    "date": datetime.date(2026, 11, 23),
    "timedelta": datetime.timedelta(minutes=90),
}
SPACE = zip_(n=[1, 2], m=["a", "b"]) * grid(
    model={"depth": [2, 4]},
    choice=choice(["x", "y", "z"]),
    uniform=uniform(0, 1),
    quniform=quniform(0, 1, 0.1),
    loguniform=loguniform(1e-5, 1e-1),
    qloguniform=qloguniform(0.1, 10, 0.1),
    randint=randint(0, 1000),
    qrandint=qrandint(0, 1000, 50),
    lograndint=lograndint(1, 1000),
    qlograndint=qlograndint(8, 1024, 8),
    randn=randn(0, 1),
    qrandn=qrandn(0, 1, 0.05),
)


def of_values() -> dict[str, Any]:
    """Return form, key and shown form of each value, as the golden file holds them."""
    return {
        name: {
            "form": identity_text(value),
            "key": trial_key("test_models.py::train_model", {"x": value}, {}, 0),
            "label": expand(Listed([{"x": value}])).points[0].label,
            "shown": "nan" if name == "nan" else displayable(value),
        }
        for name, value in VALUES.items()
    }


def of_space() -> list[dict[str, Any]]:
    """Return the points of a space that draws from every domain."""
    return [
        {"config": point.config, "label": point.label, "key": trial_key("t.py::f", point.identity, {}, point.replicate)}
        for point in expand(SPACE, num_samples=2, seed=7).points
    ]


@pytest.mark.parametrize("name", VALUES)
def test_values_have_the_identity_that_they_had(name: str) -> None:
    """Form, key, label and shown form of a value are those of the golden file."""
    assert json.loads(json.dumps(of_values()[name])) == GOLDEN["values"][name]


def test_no_value_is_forgotten() -> None:
    """The golden file and this one name the same values."""
    assert list(GOLDEN["values"]) == list(VALUES)


def test_what_is_drawn_is_what_was_drawn() -> None:
    """Values that are drawn, and the keys of the trials that get them, are those of the golden file."""
    assert of_space() == GOLDEN["space"]


def test_seeds_are_what_they_were() -> None:
    """The seed of a trial is a function of the run's seed and its key."""
    assert [trial_seed(seed, "853db0d42c4c720b") for seed in (0, 1, 2**40)] == GOLDEN["seeds"]


def test_equal_and_other_values() -> None:
    """Of the values that look alike, the golden file has those equal that are one value: -0.0 and 0.0, and what numpy holds."""
    form = {name: value["form"] for name, value in GOLDEN["values"].items()}
    assert len({form[name] for name in ("1", "1.0", "True", "'1'")}) == 4
    assert form["0.0"] == form["-0.0"]
    assert form["0.1"] == form["numpy float"]
    assert form["tuple"] != form["list"]
