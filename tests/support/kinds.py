"""Sixty kinds of values that a configuration may hold. Imports neither pytest nor us, so that any Python can import it as a test file."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import math
import operator
import pathlib
import re
import types
import uuid
import zoneinfo
from typing import Any, NamedTuple

UTC = datetime.timezone.utc


class Color(enum.Enum):
    RED = 1
    BLUE = "b"


class Level(enum.IntEnum):
    HIGH = 3


class Access(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


class Bits(enum.IntFlag):
    ONE = 1
    TWO = 2


class Text(str, enum.Enum):
    ADAM = "adam"


class Net:
    class Head:
        """A class in a class."""

    @staticmethod
    def loss(x: float) -> float:
        return x

    @classmethod
    def build(cls) -> Net:
        return cls()


class Pair(NamedTuple):
    x: int
    y: Any = None


Point = collections.namedtuple("Point", "x y")  # noqa: PYI024 - the other way to write one


@dataclasses.dataclass
class Head:
    width: int
    acts: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Frozen:
    head: Head
    rate: float = 0.1


@dataclasses.dataclass
class Checked:
    n: int
    twice: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.twice = 2 * self.n


def act(x: float) -> float:
    return x


KINDS: dict[str, Any] = {
    "none": None,
    "true": True,
    "int": 3,
    "negative": -7,
    "int of 64 bits": 2**63,
    "int of 80 bits": -(2**80),
    "int of 5001 digits": 10**5000,
    "float": 0.1,
    "tiny float": 5e-324,
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "complex": 1.5 - 2j,
    "complex infinity": complex(math.inf, 0),
    "str": "relu",
    "empty str": "",
    "str of all sorts": "a\n\u00e4\u2713'\"\\\x00",
    "bytes": b"\x00\xffabc",
    "bytearray": bytearray(b"ab"),
    "list": [1, 2.0, "x", None],
    "empty list": [],
    "nested list": [[1, [2]], []],
    "tuple": (64, 32),
    "empty tuple": (),
    "nested tuple": ((1, 2), [(3,)], {"a": (4,)}),
    "dict": {"a": 1, "b": {"c": [1, (2,)]}},
    "empty dict": {},
    "dict of ints": {1: "a", 2: "b"},
    "dict of 1 and '1'": {1: "a", "1": "b"},
    "dict of tuples": {(1, 2): "x", None: 3, 1.5: Color.RED},
    "dict with our tag": {"$type": "tuple", "value": [1]},
    "dict with dots": {"a.b": 1, "c": {"d.e": 2}},
    "set": {1, 2, 3},
    "set of str": {"a", "b", "c", "d"},
    "frozenset": frozenset({"relu", "tanh", (1, 2)}),
    "range": range(2, 20, 3),
    "slice": slice(1, None, 2),
    "ellipsis": ...,
    "enum": Color.RED,
    "enum of str": Text.ADAM,
    "int enum": Level.HIGH,
    "flag": Access.READ,
    "flags": Access.READ | Access.RUN,
    "no flags": Access(0),
    "int flags": Bits.ONE | Bits.TWO,
    "int flags without a name": Bits(8) | Bits.ONE,
    "no int flags": Bits(0),
    "path": pathlib.Path("data/train.csv"),
    "pure path": pathlib.PurePosixPath("/data/x"),
    "windows path": pathlib.PureWindowsPath("C:\\data\\x"),
    "decimal": decimal.Decimal("1.10"),
    "fraction": fractions.Fraction(-1, 3),
    "datetime": datetime.datetime(2024, 2, 29, 12, 30, 1, 5),
    "folded datetime": datetime.datetime(2024, 10, 27, 2, 30, fold=1),
    "folded time": datetime.time(2, 30, tzinfo=UTC, fold=1),
    "folded zoned datetime": datetime.datetime(2024, 10, 27, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Paris"), fold=1),
    "aware datetime": datetime.datetime(2024, 2, 29, tzinfo=UTC),
    "offset datetime": datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone(datetime.timedelta(hours=9))),
    "zoned datetime": datetime.datetime(2024, 2, 29, tzinfo=zoneinfo.ZoneInfo("Asia/Tokyo")),
    "date": datetime.date(2024, 2, 29),
    "time": datetime.time(23, 59, 1),
    "timedelta": datetime.timedelta(days=-1, microseconds=3),
    "timezone": datetime.timezone(datetime.timedelta(hours=-3)),
    "uuid": uuid.UUID("12345678123456781234567812345678"),
    "pattern": re.compile(r"a.*b", re.IGNORECASE),
    "function": act,
    "builtin function": math.sqrt,
    "method of a builtin": str.upper,
    "operator": operator.add,
    "static method": Net.loss,
    "class method": Net.build,
    "class": Net,
    "inner class": Net.Head,
    "builtin class": int,
    "module": math,
    "named tuple": Pair(1, [2]),
    "collections.namedtuple": Point(1, (2, 3)),
    "dataclass": Head(64, ["relu"]),
    "frozen dataclass": Frozen(Head(2)),
    "dataclass with __post_init__": Checked(3),
    "ordered dict": collections.OrderedDict(b=1, a=2),
    "default dict": collections.defaultdict(list, a=[1]),
    "counter": collections.Counter("abca"),
    "deque": collections.deque([1, 2], maxlen=3),
    "namespace": types.SimpleNamespace(a=1, b=(2,)),
    "classes in a list": [Net, {"act": act, "level": Level.HIGH}],
}
"""The values, each by a name."""

PARTIAL = functools.partial(act, x=1.0)
"""Equals itself only."""


def numpy_kinds() -> dict[str, Any]:
    """Return kinds that numpy has."""
    import numpy as np

    structure = np.dtype([("a", "<i4"), ("b", "<f8", (2,))])
    return {
        "numpy float": np.float32(0.1),
        "numpy double": np.float64(0.1),
        "numpy nan": np.float64("nan"),
        "numpy int": np.int64(3),
        "numpy uint": np.uint64(2**64 - 1),
        "numpy bool": np.bool_(True),
        "numpy str": np.str_("relu"),
        "numpy bytes": np.bytes_(b"ab"),
        "numpy complex": np.complex64(1 + 2j),
        "numpy long double": np.longdouble(1) / 3,
        "datetime64": np.datetime64("2024-02-29T12:00:00", "s"),
        "datetime64 in ns": np.datetime64("2024-02-29", "ns"),
        "not a time": np.datetime64("NaT"),
        "timedelta64": np.timedelta64(3, "h"),
        "array": np.arange(6, dtype="<i2").reshape(2, 3),
        "array of floats": np.array([0.1, np.nan]),
        "empty array": np.zeros((0, 3)),
        "array of str": np.array(["a", "bcd"]),
        "array of objects": np.array([1, "a", None], dtype=object),
        "structured array": np.zeros(2, structure),
        "structured scalar": np.zeros(2, structure)[0],
        "dtype": np.dtype("float32"),
        "structured dtype": structure,
        "numpy type": np.float32,
        "ufunc": np.tanh,
        "numpy function": np.mean,
    }


def same(one: Any, two: Any) -> bool:  # noqa: PLR0911 - one for each sort
    """Say whether two values are equal, of one class, down to NaN and the elements of arrays."""
    if one is two or type(one) is not type(two):
        return one is two
    if hasattr(one, "dtype") and hasattr(one, "tobytes"):
        if one.dtype.hasobject:
            return bool(one.shape == two.shape and one.tolist() == two.tolist())
        return bool(one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes())
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(two)
    if isinstance(one, dict) and type(one) is dict:
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    if type(one) in (list, tuple):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == two) and getattr(one, "fold", 0) == getattr(two, "fold", 0)
