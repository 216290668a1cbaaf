"""What is reported becomes plain data that JSON can hold, or is refused with a sentence."""

from __future__ import annotations

import enum
import math
import re
import types
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.errors import MetricsError
from pytest_sweep.model.exact_json import from_json, to_json
from pytest_sweep.model.metrics import check_iteration, flattened, plain_metrics, plain_scalar

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


class Level(int, enum.Enum):
    HIGH = 3


class Kind(str, enum.Enum):
    ADAM = "adam"


class FakeTensor:
    """What a tensor looks like from here."""

    def __init__(self, value: object, shape: tuple[int, ...] = ()) -> None:
        self.shape = shape
        self._value = value

    def item(self) -> object:
        return self._value

    def __repr__(self) -> str:
        return f"tensor({self._value})"


@given(st.dictionaries(st.text(), PLAIN))
def test_plain_data_stays(metrics: dict[str, Any]) -> None:
    """What is plain already comes back equal, and as a copy."""
    plain = plain_metrics(metrics)
    assert plain == metrics
    assert plain is not metrics


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (0, 0), (0.0, 0.0), (True, True), ("", ""), (None, None), (10**30, 10**30), ((1, 2.5), [1, 2.5]), ([], []), ({}, {}),
        (Level.HIGH, 3), (Kind.ADAM, "adam"), (FakeTensor(0.5), 0.5), (FakeTensor(True), True), (math.inf, math.inf),
        ({"a": {"b": FakeTensor(1)}}, {"a": {"b": 1}}), (types.MappingProxyType({"a": 1}), {"a": 1}),
    ],
)  # fmt: skip
def test_values(value: object, plain: object) -> None:
    """A value becomes the plain Python value that it stands for, of exactly that type."""
    found = plain_metrics({"m": value})["m"]
    assert found == plain
    assert type(found) is type(plain)


def test_nan_stays() -> None:
    """NaN is a metric: a loss that has exploded is to be seen."""
    assert math.isnan(plain_metrics({"loss": math.nan})["loss"])


def test_numpy() -> None:
    """Scalars and zero-dimensional arrays of numpy become Python's own types, at any depth."""
    numpy = pytest.importorskip("numpy")
    metrics = {
        "float64": numpy.float64(0.5),
        "float32": numpy.float32(0.5),
        "int": numpy.int64(3),
        "bool": numpy.bool_(True),
        "text": numpy.str_("a"),
        "array": numpy.array(7),
        "nested": [{"x": numpy.float64(1.0)}],
    }
    plain = plain_metrics(metrics)
    assert plain == {
        "float64": 0.5, "float32": 0.5, "int": 3, "bool": True, "text": "a", "array": 7, "nested": [{"x": 1.0}],
    }  # fmt: skip
    assert [type(value) for value in plain.values()] == [float, float, int, bool, str, int, list]
    assert type(plain["nested"][0]["x"]) is float


def test_names_are_plain_too() -> None:
    """A name of a string's subclass becomes a plain string: the driver may not know the class."""
    (name,) = plain_metrics({Kind.ADAM: 1})
    assert type(name) is str
    assert name == "adam"


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (0.5, "metrics are a dict such as {'loss': 0.1}, not 0.5 (float)"),
        (None, "metrics are a dict such as {'loss': 0.1}, not None (NoneType)"),
        ([("loss", 1)], "metrics are a dict such as {'loss': 0.1}, not [('loss', 1)] (list)"),
        ({1: 2}, "the name of a metric is a string, not 1 (int)"),
        ({"a": {2: 3}}, "the name of a metric is a string, not 2 (int)"),
        ({"a": b"x"}, "metric 'a' is b'x' (bytes): report numbers, strings, booleans, None, or lists and dicts of them"),
        ({"a": {1, 2}}, "metric 'a' is {1, 2} (set)"),
        ({"a": 1j}, "metric 'a' is 1j (complex)"),
        ({"a": {"b": [0, object]}}, "metric 'a.b[1]' is <class 'object'> (type)"),
        ({"w": FakeTensor(0, (3,))}, "metric 'w' is tensor(0) (FakeTensor)"),
        ({"a": bytes(100)}, "... (bytes)"),
    ],
)  # fmt: skip
def test_bad_metrics(metrics: object, message: str) -> None:
    """What is no metric is refused with its place, its value and its type, cut to a line."""
    with pytest.raises(MetricsError) as caught:
        plain_metrics(metrics)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 250


def test_plain_scalar() -> None:
    """What holds one scalar becomes it; everything else stays the same object."""
    value = [1]
    assert plain_scalar(FakeTensor(2)) == 2
    assert plain_scalar(value) is value
    assert plain_scalar(FakeTensor) is FakeTensor


class FakeArray:
    """What an array looks like from here."""

    def __init__(self, values: list[Any], shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._values = values

    def tolist(self) -> list[Any]:
        return self._values


def test_small_arrays_become_lists() -> None:
    """Arrays of numpy, of torch and others by their shape are lists of plain numbers, nested as they are."""
    metrics = {
        "per_class": np.array([0.5, 0.25], dtype=np.float32),
        "confusion": np.eye(2, dtype=int),
        "none": np.zeros((0, 5)),
        "tensor": FakeArray([[1.5]], (1, 1)),
        "labels": np.array(["a", "b"]),
        "most": np.zeros(1000),
    }
    plain = plain_metrics(metrics)
    assert plain["per_class"] == [0.5, 0.25]
    assert plain["confusion"] == [[1, 0], [0, 1]]
    assert {type(value) for value in plain["confusion"][0]} == {int}
    assert (plain["none"], plain["tensor"], plain["labels"], len(plain["most"])) == ([], [[1.5]], ["a", "b"], 1000)


def test_large_arrays_are_refused() -> None:
    """The error names the metric, its size and its shape, and says where an array belongs."""
    with pytest.raises(MetricsError) as caught:
        plain_metrics({"net": {"weights": np.zeros((100, 100))}})
    assert str(caught.value) == (
        "metric 'net.weights' is an array of 10,000 values, shape (100, 100): report at most 1,000, such as its mean, and save the array "
        "as a checkpoint: trial.report(metrics, checkpoint=path)"
    )


def test_what_an_array_holds_is_checked() -> None:
    """An array of what is no metric is refused by its place."""
    with pytest.raises(MetricsError, match=r"metric 'when\[0\]' is datetime"):
        plain_metrics({"when": np.array(["2026-01-01T00:00"], dtype="datetime64[s]")})


def test_long_doubles() -> None:
    """A longdouble of numpy, whose item is itself, becomes a float, alone and in arrays."""
    assert plain_metrics({"a": np.longdouble(0.5), "b": np.array([0.5], dtype=np.longdouble)}) == {"a": 0.5, "b": [0.5]}


def test_flat_names_that_collide() -> None:
    """A nested metric does not replace a plain one of the same flat name: it gets a prefix."""
    assert flattened({"a": {"b": 1, "c": {}}, "a/b": 2}) == {"a/b": 2, "a/c": {}, "metrics/a/b": 1}
    assert flattened({"a": {"b": 1}, "a/b": 2, "metrics/a/b": 3}) == {
        "a/b": 2, "metrics/a/b": 3, "metrics/metrics/a/b": 1,
    }  # fmt: skip


@pytest.mark.parametrize("depth", [150, 199, 201, 400, 100_000])
@pytest.mark.parametrize("kind", ["dict", "list"])
def test_deep_nesting(depth: int, kind: str) -> None:
    """What is nested deeper than it could be read again is refused where it is reported."""
    value: Any = 1
    for _ in range(depth - 1):
        value = {"a": value} if kind == "dict" else [value]
    if depth <= 199:
        assert from_json(to_json(plain_metrics({"deep": value}))) == {"deep": value}
    else:
        with pytest.raises(MetricsError, match="nested 200 levels deep"):
            plain_metrics({"deep": value})


@pytest.mark.parametrize(
    "metrics", [None, {}, {"loss": 1}, {"training_iteration": 0}, {"training_iteration": 2**63 - 1}]
)
def test_iterations_that_may_be_returned(metrics: dict[str, Any] | None) -> None:
    """A count that the database can hold is taken, and none is needed."""
    check_iteration(metrics)


@pytest.mark.parametrize("count", [2**63, -1, True, 1.0, "1", None])
def test_iterations_that_may_not_be_returned(count: object) -> None:
    """Anything else is refused, with its value and its type."""
    shown = f"'training_iteration' is {count!r} ({type(count).__name__}), but it counts the reports"
    with pytest.raises(MetricsError, match=re.escape(shown)):
        check_iteration({"training_iteration": count})
