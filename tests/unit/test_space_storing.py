"""Configurations are stored as strict JSON, and come back as they were, without pickle and without running foreign code."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
import sys
from typing import Any, NamedTuple, NoReturn

import pytest

from pytest_sweep import Unrestored, secret
from pytest_sweep.model.exact_json import from_json, to_json
from pytest_sweep.space import restored, stored
from tests.support import kinds
from tests.support.kinds import KINDS, numpy_kinds, same


def _strict(text: str) -> Any:
    def refuse(token: str) -> NoReturn:
        raise AssertionError(f"{token} is no JSON")

    return json.loads(text, parse_constant=refuse)


def _back(value: Any) -> Any:
    return restored(_strict(json.dumps(stored(value))))


@pytest.mark.parametrize("name", KINDS)
def test_a_value_comes_back(name: str) -> None:
    """Each kind of value comes back equal and of its own class."""
    assert same(_back({"v": KINDS[name]}), {"v": KINDS[name]})


@pytest.mark.parametrize("name", numpy_kinds())
def test_a_value_of_numpy_comes_back(name: str) -> None:
    """Each kind that numpy has comes back equal and of its own class."""
    value = numpy_kinds()[name]
    assert same(_back(value), value)


def test_json_stays_json() -> None:
    """What JSON has is stored as it is, so that a database can be queried."""
    config = {"lr": 0.1, "layers": [64, 32], "opt": {"name": "adam", "nesterov": True, "decay": None}}
    assert stored(config) == config


def test_an_older_database_is_read() -> None:
    """What the plain JSON of older versions holds is read as it is, a key of its own called ``$type`` included."""
    config = {"act": "torch.nn.ReLU", "net": [1, [2]], "opt": {"$type": "adam", "lr": 0.1}, "x": float("inf")}
    assert restored(config) == config


class TestUnrestored:
    """What cannot be restored is a text that says why."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (lambda x: x, "tests.unit.test_space_storing.TestUnrestored.<lambda>"),
            (object(), "<object object>"),
            (bytes(100_000), "b'"),
        ],
    )
    def test_without_a_form(self, value: Any, text: str) -> None:
        """A lambda, an object without content and what is too large are stored as their text."""
        found = _back({"v": value})["v"]
        assert isinstance(found, Unrestored)
        assert found.startswith(text)
        assert "no form" in found.reason
        assert repr(found).startswith("<not restored: ")

    def test_large_arrays_are_not_stored(self) -> None:
        """An array of a megabyte is not stored with each trial."""
        import numpy as np

        assert isinstance(_back(np.zeros(200_000)), Unrestored)

    @pytest.mark.parametrize("name", ["class", "function", "enum", "dataclass", "named tuple", "flags"])
    def test_nothing_is_imported(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A module that is not imported stays so; once it is, the value is there."""
        form = stored({"v": KINDS[name]})
        monkeypatch.delitem(sys.modules, kinds.__name__)
        found = restored(form)["v"]
        assert isinstance(found, Unrestored)
        assert found.reason == f"the module {kinds.__name__!r} is not imported"
        assert kinds.__name__ not in sys.modules
        monkeypatch.setitem(sys.modules, kinds.__name__, kinds)
        assert restored(form)["v"] == KINDS[name]

    def test_no_code_of_a_class_runs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither __init__, nor __post_init__, __new__, __setattr__, __reduce__ or __setstate__ is called to restore a value."""
        values = {"v": Guarded(3), "pair": GuardedPair(1, 2)}
        form = stored(values)
        for name in (
            "__init__",
            "__post_init__",
            "__new__",
            "__setattr__",
            "__setstate__",
            "__reduce__",
            "__reduce_ex__",
        ):
            monkeypatch.setattr(Guarded, name, _refuse, raising=False)
            monkeypatch.setattr(GuardedPair, name, _refuse, raising=False)
        assert restored(form) == values

    def test_an_attribute_is_not_computed(self) -> None:
        """A path that only a property or a module's __getattr__ could follow leads nowhere."""
        for path in ("pytest_sweep:grid", f"{__name__}:Guarded.computed.real"):
            assert isinstance(restored({"$type": "object", "value": path}), Unrestored)

    @pytest.mark.parametrize(
        "form",
        [
            {"$type": "class", "value": "builtins:len"},
            {"$type": "function", "value": "sys:path"},
            {"$type": "enum", "class": "builtins:int", "value": ["x"]},
            {"$type": "enum", "class": "tests.support.kinds:Color", "value": ["GREEN"]},
            {"$type": "dataclass", "class": "tests.support.kinds:Head", "value": [["width", 1]]},
            {"$type": "dataclass", "class": "builtins:int", "value": []},
            {"$type": "namedtuple", "class": "tests.support.kinds:Pair", "value": [1, 2, 3]},
            {"$type": "datetime", "value": "yesterday"},
            {"$type": "set", "value": [[]]},
            {"$type": "tuple"},
            {"$type": "numpy", "dtype": "no such", "value": 1},
        ],
    )
    def test_a_form_that_fits_nothing_any_more(self, form: dict[str, Any]) -> None:
        """What has changed since, or is damaged, does not keep the rest from being read."""
        found = restored({"a": 1, "v": form})
        assert found["a"] == 1
        assert isinstance(found["v"], Unrestored)
        assert found["v"].reason

    @pytest.mark.parametrize(
        ("kind", "reason"),
        [
            ("builtins:int", "'builtins:int' is no enum any more"),
            ("tests.support.kinds:Color", "'tests.support.kinds:Color' has no member 'GREEN' any more"),
        ],
    )
    def test_what_is_no_member_any_more(self, kind: str, reason: str) -> None:
        """The reason names the class."""
        found = restored({"$type": "enum", "class": kind, "value": ["GREEN"]})
        assert isinstance(found, Unrestored)
        assert found.reason == reason

    def test_it_can_be_pickled(self) -> None:
        """An Unrestored keeps its reason when it is pickled or copied."""
        found = _back(object())
        again = pickle.loads(pickle.dumps(found))
        assert (again, again.reason) == (found, found.reason)

    def test_equal_texts_stay_apart(self) -> None:
        """Keys of a dict, and members of a set, that read the same are all kept: each further one has a number."""
        one, two = Nameless(), Nameless()
        assert _back({"v": {one: 1, two: 2}})["v"] == {"<nameless>": 1, "<nameless> (2)": 2}
        assert _back({"v": {one: 1, "<nameless>": 2, "<nameless> (2)": 3}})["v"] == {
            "<nameless> (3)": 1,
            "<nameless>": 2,
            "<nameless> (2)": 3,
        }
        for kind in (set, frozenset):
            assert _back({"v": kind((one, two, 3))})["v"] == kind(("<nameless>", "<nameless> (2)", 3))
        assert isinstance(next(iter(_back({"v": {one: 1}})["v"])), Unrestored)

    def test_a_secret_is_not_stored(self) -> None:
        """Of a secret only its name is stored."""
        form = stored({"key": secret("hunter2", name="api")})
        assert "hunter2" not in json.dumps(form)
        assert restored(form) == {"key": "secret(name='api')"}


class TestHostileForms:
    """A database may come from anyone: what it says costs neither memory nor code."""

    def test_a_setter_is_not_called(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An attribute that a property of the class would set is not set, and the class of an object is not changed."""
        path = f"{__name__}:Settable"
        for name in ("settable", "__class__", "__dict__"):
            form = {"$type": "dataclass", "class": path, "value": [["n", 3], [name, {"$type": "class", "value": path}]]}
            assert restored(form) == Settable(3)
        monkeypatch.setattr(Settable, "n", Settable.settable, raising=False)
        found = restored({"$type": "dataclass", "class": path, "value": [["n", 3]]})
        assert isinstance(found, Unrestored)
        assert found.reason.endswith("computes 'n' now")

    @pytest.mark.parametrize(
        "form",
        [
            {"$type": "array", "dtype": "|S1000000000", "shape": [100], "entries": ["x"] * 100},
            {"$type": "array", "dtype": ["|O", [1_000_000_000]], "shape": [1], "entries": [[]]},
            {"$type": "numpy", "dtype": "|V9000000000", "value": 9_000_000_000},
            {"$type": "numpy", "dtype": "|S9000000000", "value": "x"},
        ],
        ids=repr,
    )
    def test_memory(self, form: dict[str, Any]) -> None:
        """A few bytes that ask for gigabytes get none."""
        pytest.importorskip("numpy")
        assert isinstance(restored(form), Unrestored)

    @pytest.mark.parametrize("form", ["[{}]", '{{"a": {}}}', '{{"$type": "tuple", "value": [{}]}}'])
    def test_deep_nesting(self, form: str) -> None:
        """What is nested deeper than can be read is a text, beside which the other values are what they are."""
        inner: Any = 1
        for _ in range(1_500):
            outer = json.loads(form.format("0"))
            place = outer["value"] if "$type" in outer else outer
            place[0 if isinstance(place, list) else "a"] = inner
            inner = outer
        found = restored({"a": 1, "deep": inner})
        assert found["a"] == 1
        assert isinstance(found["deep"], Unrestored)
        assert "nested too deeply" in found["deep"].reason

    def test_a_pattern_prints_nothing(self, capfd: pytest.CaptureFixture[str]) -> None:
        """A pattern with the flag for debugging is compiled without it."""
        assert restored({"$type": "Pattern", "value": "a+", "flags": 128 | 32}).pattern == "a+"
        assert capfd.readouterr().out == ""


class Nameless:
    """A class whose objects read the same."""

    def __repr__(self) -> str:
        return "<nameless>"


@dataclasses.dataclass(frozen=True)
class Guarded:
    """A class whose code must not run."""

    n: int

    @property
    def computed(self) -> int:
        """Refuse, as all."""
        return _refuse()


@dataclasses.dataclass(frozen=True)
class Settable:
    """A class with a setter that must not run."""

    n: int

    @property
    def settable(self) -> int:
        """Refuse, as all."""
        return _refuse()

    @settable.setter
    def settable(self, _: int) -> None:
        _refuse()


class GuardedPair(NamedTuple):
    """As above, for a named tuple."""

    x: int
    y: int


def _refuse(*_: object, **__: object) -> NoReturn:
    raise AssertionError("code of the class was run")


EXACT: dict[str, Any] = {
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "huge": 10**5000,
    "-huge": -(10**5000),
    "long": 2**70,
    "plain": [0.1, "x", None, True],
    "list": [math.nan],
    "dict": {"a": {"b": math.inf}},
    "our tag": {"$type": "float", "value": "nan"},
    "our tag and more": {"$type": [math.nan]},
    "our tag within": {"x": [{"$type": "dict", "value": []}]},
    "our tag as text": '"$type"',
}


class TestExactJson:
    """Metrics are strict JSON in the database, and come back as they were."""

    @pytest.mark.parametrize("name", EXACT)
    def test_round_trip(self, name: str) -> None:
        """NaN, infinities and integers of any length are kept, in JSON that every parser takes."""
        text = to_json({"m": EXACT[name]})
        _strict(text)
        assert same(from_json(text), {"m": EXACT[name]})

    def test_the_tokens_of_older_databases(self) -> None:
        """Python's own tokens, which older versions wrote, are read."""
        assert same(from_json('{"loss":NaN,"x":[-Infinity]}'), {"loss": math.nan, "x": [-math.inf]})
