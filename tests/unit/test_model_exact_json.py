"""Plain data is written as JSON and read back as it was, whatever JSON has no words for."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.model.exact_json import MOST_DEPTH, from_json, plain_json, to_json

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text() | st.just("$type"), part),
)


@given(PLAIN)
def test_round_trip(data: Any) -> None:
    """What is read equals what was written."""
    assert from_json(to_json(data)) == data


@pytest.mark.parametrize(
    "data",
    [10**5000, -(10**5000), [1e999], {"a": (1, -math.inf)}, {"$type": "float", "value": "1"}],
    ids=["long", "long and negative", "infinity", "tuple", "like a form"],
)
def test_what_json_has_no_words_for(data: Any) -> None:
    """Infinities, integers of thousands of digits and dicts that look like our forms are written as JSON, and come back."""
    text = to_json(data)
    json.loads(text, parse_constant=lambda token: pytest.fail(f"{token} is no JSON"))
    assert from_json(text) == ({"a": [1, -math.inf]} if isinstance(data, dict) and "a" in data else data)


def test_nan() -> None:
    """NaN comes back as NaN, and the token of Python's is read, too."""
    assert math.isnan(from_json(to_json([math.nan]))[0])
    assert math.isnan(from_json("NaN"))


@pytest.mark.parametrize(
    "form",
    [
        {"$type": "float", "value": "much"},
        {"$type": "int", "value": 3},
        {"$type": "dict", "value": [[1, 2]]},
        {"$type": "dict", "value": [[1]]},
        {"$type": "float", "value": "1", "more": 1},
        {"$type": "other", "value": "1"},
        {"$type": ["float"], "value": "1"},
    ],
)
def test_what_we_have_not_written(form: Any) -> None:
    """A dict that only looks like one of our forms stays as it is."""
    assert from_json(json.dumps([form])) == [form]


@pytest.mark.parametrize(("levels", "is_read"), [(MOST_DEPTH, True), (MOST_DEPTH + 1, False), (100_000, False)])
@pytest.mark.parametrize("ends", [("[", "1", "]"), ('{"a":', "1", "}")], ids=["lists", "dicts"])
def test_depth(levels: int, is_read: bool, ends: tuple[str, str, str]) -> None:
    """So many levels are read; where there are more, the error says it."""
    first, inner, last = ends
    text = first * levels + inner + last * levels
    if is_read:
        assert plain_json(text) == plain_json(text.encode())
    else:
        for given_as in (text, text.encode()):
            with pytest.raises(ValueError, match=f"nested more than {MOST_DEPTH} levels deep"):
                plain_json(given_as)
