"""Labels: how configurations read in node ids, and that no two read the same."""

from __future__ import annotations

import enum
import functools
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.space import Choice, Listed, digest, expand
from pytest_sweep.space.naming import LIMIT, printable, unique_labels

KEYS = st.text("abc=#~-.", min_size=1, max_size=4).filter(lambda key: "." not in key)
VALUES = st.one_of(
    st.integers(-3, 3),
    st.floats(),
    st.booleans(),
    st.none(),
    st.text(max_size=8),
    st.lists(st.integers(0, 2), max_size=2),
)
GRIDS = st.dictionaries(KEYS, st.lists(VALUES, min_size=1, max_size=4), min_size=1, max_size=3)


class Color(enum.Enum):
    RED = 1


class Flags(enum.IntEnum):
    FAST = 1


class Net:
    def run(self) -> None:
        pass


def train() -> None:
    pass


def labels_of_grid(*values: Any) -> list[str]:
    return [point.label for point in expand({"k": list(values)}).points]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.001, "0.001"),
        (1e-05, "1e-05"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (3, "3"),
        (True, "True"),
        (None, "None"),
        (1 + 2j, "(1+2j)"),
        (Fraction(1, 3), "1/3"),
        ("adam", "adam"),
        ("", ""),
        ("a/b::c[d]", "a/b::c[d]"),
        ("é", "é"),
        ("two\nlines\x00", "two\\nlines\\x00"),
        (np.float64(0.5), "0.5"),
        (np.int32(7), "7"),
        (np.bool_(True), "True"),
        (np.str_("s"), "s"),
        (np.array(4), "4"),
        (Color.RED, "RED"),
        (Flags.FAST, "FAST"),
        (Net, "Net"),
        (np.float64, "float64"),
        (train, "train"),
        (len, "len"),
        (Net().run, "run"),
        (Choice(0.001, "small"), "small"),
        (Choice([1, 2], "a\tb"), "a\\tb"),
    ],
)
def test_values_that_print_as_themselves(value: object, text: str) -> None:
    """Strings, numbers, booleans, None, and what has a name, can be read in the label."""
    assert labels_of_grid(value) == [f"k={text}"]


@pytest.mark.parametrize(
    "value",
    [
        [1] * 50,
        ["a,b"],
        [""],
        ["a b"],
        [[{1}]],
        {"a": [Net()]},
        {1},
        functools.partial(train),
        Net(),
        list[int],
        np.arange(3),
        b"raw",
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_are_digests_of_their_content(value: object) -> None:
    """Anything else is shown by eight digits of its identity."""
    (label,) = labels_of_grid(value)
    assert re.fullmatch(r"k=[0-9a-f]{8}", label)
    assert label == f"k={digest(value, 8)}"


def test_labels_of_nested_configurations() -> None:
    """Nested keys are dotted, in grids as in lists of configurations."""
    assert expand({"lr": [0.1], "model": {"depth": [2]}}).points[0].label == "lr=0.1-model.depth=2"
    assert expand(Listed([{"lr": 0.1, "model": {"depth": 2}}])).points[0].label == "lr=0.1-model.depth=2"


def test_keys_are_escaped() -> None:
    """A control character in a key cannot break the line either."""
    assert expand({"a\nb": [1]}).points[0].label == "a\\nb=1"


@given(GRIDS)
def test_labels_are_unique_and_short(grid: dict[str, list[Any]]) -> None:
    """No two points share a label, and none is longer than the limit or more than one line."""
    labels = [point.label for point in expand(grid).points]
    assert len(set(labels)) == len(labels)
    assert all(len(label) <= LIMIT and label.isprintable() for label in labels)


@given(st.lists(st.dictionaries(KEYS, st.text("x#2~-=", max_size=60), max_size=4), min_size=1, max_size=6))
def test_labels_of_listed_configurations_are_unique_and_short(configs: list[dict[str, str]]) -> None:
    """The same holds for lists of configurations, also of such as look like the marks that keep labels apart."""
    labels = [point.label for point in expand(Listed(configs)).points]
    assert len(set(labels)) == len(labels)
    assert all(len(label) <= LIMIT for label in labels)


@given(st.lists(st.integers() | st.lists(st.integers(), max_size=3), min_size=2, max_size=8, unique_by=repr), st.data())
def test_labels_are_stable_when_the_grid_grows(values: list[Any], data: st.DataObject) -> None:
    """A point keeps its label when other values come, wherever they are put in."""
    grown = data.draw(st.permutations(values))
    before = dict(zip(map(repr, values[:1]), labels_of_grid(*values[:1]), strict=True))
    after = dict(zip(map(repr, grown), labels_of_grid(*grown), strict=True))
    assert before.items() <= after.items()


def test_long_labels_are_cut_with_a_digest() -> None:
    """A label of 120 characters stays; a longer one ends with eight digits of the identity of its configuration."""
    just, over = "x" * (LIMIT - 2), "x" * (LIMIT - 1)
    fits, cut = labels_of_grid(just, over)
    assert fits == f"k={just}"
    assert cut == f"k={'x' * (LIMIT - 11)}~{digest({'k': over}, 8)}"
    assert len(cut) == LIMIT


def test_different_configurations_that_read_the_same() -> None:
    """All of them get a digest of their own configuration, whatever their order; equal ones among them also a number."""
    labels = labels_of_grid(1, "1", 1)
    one, text = digest({"k": 1}, 8), digest({"k": "1"}, 8)
    assert labels == [f"k=1~{one}", f"k=1~{text}", f"k=1~{one}#2"]
    assert labels_of_grid("1", 1) == [f"k=1~{text}", f"k=1~{one}"]


def test_equal_configurations_are_numbered() -> None:
    """The second of equal configurations gets #2, the third #3; the first stays as it is."""
    assert labels_of_grid("a", "a", "b", "a") == ["k=a", "k=a#2", "k=b", "k=a#3"]


def test_a_value_that_looks_like_a_number_of_a_replicate() -> None:
    """A string that ends in #2 cannot be taken for the second of equal configurations."""
    labels = labels_of_grid("a", "a", "a#2")
    one, other = digest({"k": "a"}, 8), digest({"k": "a#2"}, 8)
    assert labels == [f"k=a~{one}", f"k=a~{one}#2", f"k=a#2~{other}"]


def test_digests_grow_until_labels_differ() -> None:
    """A label that eight digits do not keep apart gets more of them."""
    taken = {"s", f"s~{digest('x', 8)}"}
    assert unique_labels(["s"], [0], ["x"], taken) == [f"s~{digest('x', 16)}"]


def test_equal_labels_of_choices() -> None:
    """Choices with one label and different values get digests, as whole configurations do."""
    one, two = expand(Listed([Choice({"a": 1}, "same"), Choice({"a": 2}, "same")])).points
    assert (one.label, two.label) == (f"same~{digest({'a': 1}, 8)}", f"same~{digest({'a': 2}, 8)}")


def test_given_ids_are_used_as_they_are() -> None:
    """A list of ids is taken to the letter, whatever its length and whether configurations are equal."""
    ids = ["x" * 200, "two\nlines", "a"]
    assert [point.label for point in expand({"k": [1, 1, 2]}, ids=ids).points] == ids


def test_ids_from_a_function() -> None:
    """A function names configurations; None leaves one to the usual label, which then avoids the given ones."""
    points = expand({"k": [1, 2, 2, 3]}, ids=lambda config: {2: "two", 3: "k=1"}.get(config["k"])).points
    assert [point.label for point in points] == [f"k=1~{digest({'k': 1}, 8)}", "two", "two#2", "k=1"]
    assert [point.label for point in expand(Listed([{"a": 1}]), ids=lambda config: f"a{config['a']}").points] == ["a1"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([64, 32], "[64,32]"),
        ([], "[]"),
        ((64, 32), "(64,32)"),
        ((1,), "(1)"),
        ([[64, 32], [16]], "[[64,32],[16]]"),
        ({"name": "adam", "lr": 1e-05}, "{name:adam,lr:1e-05}"),
        ({1: None, "a": [True, (0.5,)]}, "{1:None,a:[True,(0.5)]}"),
        ([train, Net, np.float32(0.5)], "[train,Net,0.5]"),
    ],
)
def test_small_lists_are_written_out(value: object, text: str) -> None:
    """A list, a tuple or a dict of a few plain values reads as it is written, without spaces and quotes."""
    (point,) = expand({"k": [value]}).points
    assert point.label == f"k={text}"


def test_lists_that_read_the_same_stay_apart() -> None:
    """Lists of numbers and of their texts are told apart as the numbers are: by a digest of their own."""
    labels = [point.label for point in expand({"k": [[1], ["1"], [1.5]]}).points]
    assert [label.partition("~")[0] for label in labels] == ["k=[1]", "k=[1]", "k=[1.5]"]
    assert len(set(labels)) == 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain 模型", "plain 模型"),
        ("\ttab\t", "\ttab\t"),
        ("a\nb\x1b[2J\u202e\ud800", "a\\nb\\x1b[2J\\u202e\\ud800"),
        ("::error file=a::b", "\\x3a:error file=a::b"),
        ("  ##[error]a", "  \\x23#[error]a"),
        ("##vso[task.complete]", "\\x23#vso[task.complete]"),
        ("a::b", "a::b"),
        (": a", ": a"),
        ("## heading", "## heading"),
    ],
)
def test_a_printable_line(text: str, shown: str) -> None:
    """A line moves no cursor, colours nothing, and is no command to the services that run tests."""
    assert printable(text) == shown
