"""Identity is content: equal for equal, different for different, the same in every process."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import itertools
import json
import math
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.errors import SpaceError
from pytest_sweep.space import (
    Choice,
    canonical,
    digest,
    displayable,
    expand,
    flatten,
    identity_text,
    trial_key,
    trial_seed,
)

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary())
KEYS = st.one_of(st.text(), st.integers())
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3) | st.tuples(inner)
)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Shade(enum.Enum):
    RED = 1


class Access(enum.IntFlag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Layer:
    width: int
    name: str = "dense"


@dataclasses.dataclass
class Other:
    width: int
    name: str = "dense"


class Model:
    def __init__(self, depth: int) -> None:
        self.depth = depth

    def run(self) -> None:
        pass


class Slotted:
    __slots__ = ("depth",)

    def __init__(self, depth: int) -> None:
        self.depth = depth


class Plain:
    """Cannot be pickled, but says what it is."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError

    def __repr__(self) -> str:
        return self.text


class Broken(Plain):
    def __repr__(self) -> str:
        raise ValueError


def make(factor: int) -> Callable[[int], int]:
    def scaled(number: int) -> int:
        return number * factor

    return scaled


def countdown() -> Callable[[int], int]:
    def count(number: int) -> int:
        return count(number - 1) if number else 0

    return count


def wrapped(factor: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def scaled(*arguments: Any) -> Any:
            return factor * function(*arguments)

        return scaled

    return decorate


def version() -> int:
    return 1


first_version = version


def version() -> int:  # type: ignore[no-redef]
    return 2


second_version = version


def model_of(depth: int | str) -> type:
    class Net:
        layers = depth

        def __init__(self) -> None:
            super().__init__()

        def run(self) -> object:
            return depth

    return Net


def _async() -> Callable[..., Any]:
    async def call(x: int) -> int:
        return 0

    return call


def _padded() -> Any:
    """Return zeros between which lies something else."""
    dtype = np.dtype([("a", "i1"), ("b", "i8")], align=True)
    array = np.frombuffer(bytearray(b"\xff" * (2 * dtype.itemsize)), dtype)
    array["a"] = array["b"] = 0
    return array


STRUCTURES: list[Any] = [
    [("a", "i4")], [("b", "i4")], [("a", "i8")], [("a", "i4"), ("b", "i4")], [("b", "i4"), ("a", "i4")], [("a", "i4", (2,))],
    [("a", [("b", "i4")])], [("a", "S4")], [("a", "M8[s]")], [("a", "M8[D]")],
]  # fmt: skip


@given(VALUES)
def test_canonical_forms_survive_json(value: object) -> None:
    """A canonical form is the same after a round trip through JSON, and its text is ASCII."""
    form = canonical(value)
    assert json.loads(json.dumps(form)) == form
    assert json.loads(identity_text(value)) == form
    assert identity_text(value).isascii()


@given(st.data())
def test_equal_values_have_equal_identities(data: st.DataObject) -> None:
    """The identity of a value depends on its content only, not on which object it is or how its keys are ordered."""
    pairs = data.draw(st.lists(st.tuples(KEYS, VALUES), max_size=4, unique_by=lambda pair: repr(pair[0])))
    shuffled = data.draw(st.permutations(pairs))
    assert identity_text(dict(pairs)) == identity_text(dict(shuffled))


@given(SCALARS, SCALARS)
def test_different_scalars_have_different_identities(one: Any, two: Any) -> None:
    """Scalars are told apart by type and value; NaN equals NaN."""
    both_nan = all(isinstance(value, float) and math.isnan(value) for value in (one, two))
    same = type(one) is type(two) and (one == two or both_nan)
    assert (identity_text(one) == identity_text(two)) == same


DISTINCT = [
    1, 1.0, True, "1", None, "None", "", 0, False, b"1", math.nan, math.inf, -math.inf, "nan",
    [], (), {}, set(), frozenset(), [1], (1,), {1}, frozenset({1}), {"a": 1}, {"a": 1.0}, {1: "a"}, {"1": "a"},
    ["int", 1], ["float", "1.0"], ["list", [1]], [["int", 1]], {"a": {"b": 1}}, {"a.b": 1},
    Color.RED, Color.BLUE, Shade.RED, Color, Access.READ, Access.READ | Access.WRITE, Layer(1), Layer(2), Other(1), Layer,
    Model(1), Model(2), Model, Slotted(1), Slotted(2), pathlib.Path("a/b"), "a/b",
    len, "builtins:len", make, make(1), make(2), lambda x: x + 1, lambda x: x + 2, lambda x=1: x, lambda x=2: x, lambda *, x=1: x,
    functools.partial(make, 1), functools.partial(make, 2), functools.partial(make, factor=1),
    [].append, [1].append, Model(1).run, Model(2).run, collections.OrderedDict(a=1), collections.Counter("a"),
    collections.deque([1]), collections.deque([2]), range(3), range(4), 1j, np.sin, np.cos, np.float64, math, json,
    np.arange(3), np.arange(4), np.arange(3.0), np.zeros((2, 3)), np.zeros((3, 2)), np.array([None, "a"]), np.dtype("int8"),
    list[int], list[str], ..., Plain("a"), Plain("b"), np.longdouble(1), np.longdouble(1) / 3,
    10**5000, 10**5000 + 1, -(10**5000), hex(10**5000), 2**64, 2**64 + 1,
    lambda: 0, lambda x: 0, lambda x, y: 0, lambda *x: 0, lambda **x: 0, lambda *, x: 0, lambda *, y: 0, lambda x, /: 0,
    lambda x, /, y: 0, lambda: (yield 0), _async(), functools.lru_cache(lambda x: x), functools.lru_cache(lambda x: -x),
    wrapped(1)(make), wrapped(2)(make), first_version, second_version, model_of(1), model_of(2), model_of("1"),
    np.datetime64("2024-01-01", "D"), np.datetime64("2024-01-01", "s"), np.datetime64("2024-01-01", "ns"), np.datetime64("NaT"),
    np.datetime64("NaT", "s"), np.timedelta64("NaT"), np.timedelta64(1, "s"), np.timedelta64(1, "ms"), np.array(["2024"], "M8[D]"),
    np.array(["2024"], "M8[s]"), np.array("2024", "M8[Y]"),
    *(np.zeros((), dtype) for dtype in STRUCTURES), *(np.zeros(2, dtype) for dtype in STRUCTURES), *map(np.dtype, STRUCTURES),
]  # fmt: skip


@dataclasses.dataclass
class Net:
    """Keeps something that is no field."""

    widths: dataclasses.InitVar[list[int]]

    def __post_init__(self, widths: list[int]) -> None:
        self.layers = [width * 2 for width in widths]

    @functools.cached_property
    def size(self) -> int:
        """Is kept, too, but follows from the rest."""
        return sum(self.layers)


@dataclasses.dataclass
class Labelled(list[int]):
    """Holds more than its fields."""

    label: str = ""


def labelled(*values: int) -> Labelled:
    """Return one that holds these values."""
    made = Labelled()
    made.extend(values)
    return made


def local_dataclass(value: int) -> object:
    """Return an instance of a class whose method closes over `value`."""

    @dataclasses.dataclass
    class Local:
        x: int = 1

        def value(self) -> int:
            return value

    return Local()


def test_what_is_no_field_counts() -> None:
    """Dataclasses differ by attributes that are no fields, by what they hold, and by a class that a function makes."""
    assert identity_text(Net([1])) != identity_text(Net([2]))
    read = Net([1])
    assert read.size == 2
    assert identity_text(read) == identity_text(Net([1]))
    assert identity_text(labelled(1)) != identity_text(labelled(2))
    assert identity_text(local_dataclass(1)) != identity_text(local_dataclass(2))


def test_enums_that_a_function_makes() -> None:
    """Their members differ by their values: the enums have one name."""
    one, two = (enum.Enum("Size", {"BIG": value}).BIG for value in (1, 2))  # type: ignore[attr-defined]
    assert identity_text(one) != identity_text(two)


def test_ordered_dicts() -> None:
    """The order counts where Python's equality counts it."""
    one, two = collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1)
    assert identity_text(one) != identity_text(two)
    assert identity_text(one) == identity_text(one.copy())


def test_different_things_have_different_identities() -> None:
    """Types, nesting, classes and contents are all part of an identity."""
    texts = [identity_text(value) for value in DISTINCT]
    for (one, text), (two, other) in itertools.combinations(zip(DISTINCT, texts, strict=True), 2):
        assert text != other, (one, two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (0.0, -0.0),
        (math.nan, -math.nan),
        (np.float64(0.5), 0.5),
        (np.int8(3), 3),
        (np.bool_(False), False),
        (np.str_("a"), "a"),
        (np.array(3), 3),
        ({3, 1, 2}, {2, 3, 1}),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}),
        (np.arange(3), np.array([0, 1, 2])),
        (np.arange(6)[::2], np.array([0, 2, 4])),
        (Layer(1), Layer(1, "dense")),
        (Model(1), Model(1)),
        (pathlib.Path("a/b"), pathlib.PurePosixPath("a/b")),
        (make(1), make(1)),
        (countdown(), countdown()),
        (functools.partial(make, 1), functools.partial(make, 1)),
        (Choice(1, "one"), 1),
        (Choice(1, "one"), Choice(1, "uno", ("mark",))),
        (bytearray(b"a"), bytearray(b"a")),
        (wrapped(1)(make), wrapped(1)(make)),
        (model_of(1), model_of(1)),
        (np.datetime64("2024-01-01", "D"), np.array("2024-01-01", "M8[D]")),
        (np.zeros(2, np.dtype([("a", "i1"), ("b", "i8")], align=True)), _padded()),
        (functools.lru_cache(make(1)), functools.lru_cache(make(1))),
    ],
)
def test_equal_content_is_one_identity(one: object, two: object) -> None:
    """What holds the same content is the same, whichever object it is."""
    assert identity_text(one) == identity_text(two)
    assert digest(one, 64) == digest(two, 64)


def test_an_inner_function_with_an_unassigned_variable() -> None:
    """A function whose closed-over variable has no value yet is identified by the rest."""

    def use() -> int:
        return later

    text = identity_text(use)
    later = 1
    assert text != identity_text(use)


def generator() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    "value",
    [generator(), threading.Lock(), [threading.Lock()], Broken("a")],
    ids=["generator", "lock", "list", "broken"],
)
def test_a_label_counts_only_where_there_is_no_content(value: object) -> None:
    """Something that only its address tells from others is identified by the label of its choice, and else refused."""
    assert canonical(Choice(value, "mine")) == ["label", "mine"]
    with pytest.raises(SpaceError, match=r"cannot be told from other values: .*pytest\.param\(value, id='\.\.\.'\)"):
        canonical(value)
    with pytest.raises(SpaceError, match="shows only its address"):
        canonical(Choice(value))


def test_values_that_contain_themselves_are_refused() -> None:
    """A cycle has no finite form; the error says so."""
    cycle: list[Any] = []
    cycle.append({"inner": cycle})
    with pytest.raises(SpaceError, match="it contains itself"):
        canonical(cycle)
    model = Model(1)
    model.depth = model  # type: ignore[assignment]
    with pytest.raises(SpaceError, match="it contains itself"):
        canonical(model)


def test_values_that_are_nested_too_deeply_are_refused() -> None:
    """Nesting that exhausts the stack is an error about the value, not a crash."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(SpaceError, match="nested too deeply"):
        canonical(deep)


def test_a_shared_value_is_no_cycle() -> None:
    """A value may occur several times beside itself."""
    part = [1]
    assert canonical([part, part]) == canonical([[1], [1]])


def test_identities_are_those_of_other_processes() -> None:
    """Neither string hashing nor addresses enter an identity."""
    expression = "[{'b', 'a', 'c'}, {'x': frozenset({'p', 'q'})}, len, lambda x: x + 1]"
    code = f"from pytest_sweep.space import digest; print(digest({expression}))"
    runs = {
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


def test_digests_do_not_change_between_versions() -> None:
    """The identities of plain configurations are pinned: stored results are found by them."""
    config = {"lr": 0.001, "model": {"depth": 2, "layers": [64, 32]}, "name": "a", "flag": True, "none": None}
    assert identity_text(config) == (
        '{"flag":["bool",true],"lr":["float","0.001"],"model":{"depth":["int",2],'
        '"layers":["list",[["int",64],["int",32]]]},"name":"a","none":null}'
    )
    assert digest(config) == "b587374c9695790f"
    assert trial_key("test_a.py::train", config, {}, 0) == "853db0d42c4c720b"
    assert trial_seed(0, "853db0d42c4c720b") == 553208933


def test_keys_are_made_of_all_that_makes_a_trial() -> None:
    """Sweep, configuration, other parameters, replicate: a change of any is another key; the type of mapping is not."""
    keys = [
        trial_key("a.py::f", {"lr": 1}, {}, 0),
        trial_key("a.py::g", {"lr": 1}, {}, 0),
        trial_key("a.py::f", {"lr": 2}, {}, 0),
        trial_key("a.py::f", {"lr": 1}, {"data": "x"}, 0),
        trial_key("a.py::f", {"lr": 1}, {}, 1),
    ]
    assert len(set(keys)) == 5
    assert all(len(key) == 16 and int(key, 16) >= 0 for key in keys)
    assert trial_key("a.py::f", MappingProxyType({"lr": 1}), {}, 0) == keys[0]


@given(st.integers(), st.integers())
def test_seeds_are_32_bits_and_stable(run_seed: int, number: int) -> None:
    """A seed fits what numpy takes, and depends on the run's seed and the key."""
    seed = trial_seed(run_seed, f"{number:016x}")
    assert 0 <= seed < 2**32
    assert seed == trial_seed(run_seed, f"{number:016x}")
    assert trial_seed(1, "a") != trial_seed(2, "a") != trial_seed(2, "b")


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"lr": 0.1, 2: (1, [None, True])}, {"lr": 0.1, "2": [1, [None, True]]}),
        (math.inf, math.inf),
        (np.float32(0.5), 0.5),
        (Access.READ, "READ"),
        (Color.BLUE, "BLUE"),
        (len, "builtins.len"),
        (Model, f"{__name__}.Model"),
        (make, f"{__name__}.make"),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (Layer(1), "Layer(width=1, name='dense')"),
        (Model(1), f"<{__name__}.Model object>"),
        (functools.partial(make, 1), "functools.partial(<function make>, 1)"),
        (Plain("x" * 300), "x" * 197 + "..."),
        (Broken("a"), "<Broken>"),
    ],
)
def test_displayable_forms_can_be_read(value: object, form: object) -> None:
    """What is stored and shown of a configuration is plain, short and free of addresses."""
    assert displayable(value) == form
    assert type(displayable(value)) is type(form)


@pytest.mark.parametrize("kind", [set, frozenset])
@pytest.mark.parametrize(
    ("members", "form"),
    [
        ([f"layer{letter}" for letter in "qwertyuiopasdfgh"], [f"layer{letter}" for letter in "adefghiopqrstuwy"]),
        ([64, 1, 32, 8], [1, 32, 64, 8]),
        ([("b", 2), ("a", 1), ("c", 3)], [["a", 1], ["b", 2], ["c", 3]]),
        ([Color.RED, Color.BLUE], ["BLUE", "RED"]),
    ],
)
def test_sets_are_shown_sorted(kind: type, members: list[Any], form: list[Any]) -> None:
    """A set reads the same in every process: its members are sorted by how they read, whatever their hashes."""
    for order in (members, members[::-1]):
        assert displayable(kind(order)) == form
        assert displayable({"x": [kind(order)]}) == {"x": [form]}


def test_sets_are_shown_alike_under_any_hash_seed() -> None:
    """Processes with other hashes of strings show one set alike."""
    code = (
        "from pytest_sweep.space import displayable; print(displayable({'adam', 'sgd', 'lion', 'rmsprop', 'adagrad'}))"
    )
    shown = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in (1, 2, 3)
    ]
    assert shown == ["['adagrad', 'adam', 'lion', 'rmsprop', 'sgd']"] * 3


@given(VALUES)
def test_displayable_forms_fit_json(value: object) -> None:
    """Whatever the configuration, its readable form can be written as JSON."""
    json.dumps(displayable(value))


def test_displayable_forms_of_nan_and_cycles() -> None:
    """NaN stays NaN, and a value that contains itself is shown as Python shows it."""
    assert math.isnan(displayable(math.nan))
    cycle: list[Any] = []
    cycle.append(cycle)
    assert displayable(cycle) == "[[...]]"


def test_flatten() -> None:
    """Nested plain dicts become dotted keys; empty ones, others, and those with other keys, are values."""
    ordered = collections.OrderedDict(a=1)
    config = {"a": {"b": {"c": 1}, "d": 2}, "e": {}, "f": ordered, "g": {1: 2}, "h": [{"i": 1}]}
    assert flatten(config) == {"a.b.c": 1, "a.d": 2, "e": {}, "f": ordered, "g": {1: 2}, "h": [{"i": 1}]}


def test_points_of_a_grid_have_the_keys_of_their_configurations() -> None:
    """For values with content, the identity of a point is its configuration."""
    (point,) = expand({"a": {"b": [Choice(1, "one")]}}).points
    assert point.identity == point.config == {"a": {"b": 1}}
