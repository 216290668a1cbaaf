"""The targets: each reads what somebody else has written, and either understands it or refuses it with an error of its own.

A target is a test of hypothesis. Any other error, and an answer that takes seconds or gigabytes, is a finding.
"""

from __future__ import annotations

import json
import os
import pickle
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from unittest import mock

from hypothesis import example, given
from hypothesis import strategies as st

from pytest_sweep.durations import duration_words, parse_duration
from pytest_sweep.errors import DefinitionError, ExecutorError, NoResultsError, ResourcesError, SpaceError
from pytest_sweep.executors.ray.cluster.token import check_token, has_token
from pytest_sweep.model.exact_json import from_json, to_json
from pytest_sweep.model.placement import Placement
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.stop import StopRule
from pytest_sweep.plugin.option_table import OPTIONS
from pytest_sweep.results.finding import find_run
from pytest_sweep.results.project import results_folder
from pytest_sweep.sizes import parse_size, size_words
from pytest_sweep.space import AbsentError, grid, parse_condition, parse_override, restored, stored
from pytest_sweep.space.domains import Float, Integer
from pytest_sweep.wire.captured import read_captured
from pytest_sweep.wire.lastwords import readable
from pytest_sweep.wire.messages import pack, unpack
from pytest_sweep.wire.spool import read_spool

ANY_TEXT = st.text(st.characters(exclude_categories=[]))
CONFIG: Mapping[str, Any] = {
    "lr": 0.1,
    "n": 10**30,
    "name": "a'b",
    "on": True,
    "none": None,
    "layers": [64, [32]],
    "path": PurePosixPath("/a"),
    "model": {"depth": 2, "act": len},
    "a.b": 1,
}
WORDS = (
    *[
        "lr",
        "n",
        "name",
        "on",
        "none",
        "layers",
        "path",
        "model.depth",
        "model.act",
        "a.b",
        "missing",
        "True",
        "False",
        "None",
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
        "for",
        "lambda",
    ],
    *[
        "0",
        "1",
        "-1",
        "0.5",
        "1e400",
        "9**9",
        "99999999999999999999",
        "1_0",
        "0x1f",
        "1j",
        "'a'",
        '"b"',
        "f'{lr}'",
        "b'a'",
        "'''",
        "\\",
        "#",
        ":=",
    ],
    *[
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ".",
        ":",
        ";",
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "**",
        "@",
        "<<",
        ">>",
        "&",
        "|",
        "^",
        "~",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "=",
        "=>",
        "<>",
        "!",
        "$",
        "?",
    ],
    " ",
    "\n",
    "\t",
    "\0",
    "__class__",
    ".__class__",
    "len(",
    "é",
    "ﬁ",
    "\ud800",
    "\u202e",
)
PARTS = st.lists(st.sampled_from(WORDS) | ANY_TEXT, max_size=30)
EXPRESSIONS = PARTS.map(" ".join) | PARTS.map("".join)
NUMBERS = st.lists(
    st.sampled_from([*"0123456789.eE+-_smhdMGTKiB ", "inf", "nan", "9" * 400]) | ANY_TEXT, max_size=12
).map("".join)
SPACE = grid(
    {
        "lr": [0.1, 0.2],
        "n": [1, None, True],
        "name": ["a", "b,c"],
        "layers": [[1], (2,), {"a": {3}}],
        "path": [PurePosixPath("/a")],
        "drawn": Float(0.0, 1.0),
        "count": Integer(1, 5),
        "act": [len, str],
    }
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
KINDS = (
    *[
        "float",
        "int",
        "dict",
        "tuple",
        "set",
        "frozenset",
        "bytes",
        "bytearray",
        "complex",
        "Decimal",
        "Fraction",
        "datetime",
        "time",
        "date",
        "timedelta",
        "timezone",
        "ZoneInfo",
    ],
    *[
        "UUID",
        "range",
        "slice",
        "OrderedDict",
        "Counter",
        "defaultdict",
        "deque",
        "SimpleNamespace",
        "Pattern",
        "PosixPath",
        "PurePosixPath",
        "class",
        "function",
    ],
    *["object", "module", "enum", "dataclass", "namedtuple", "partial", "numpy", "array", "dtype", "text"],
)
PATHS = st.sampled_from(
    [
        "builtins:int",
        "collections:OrderedDict",
        "enum:Enum",
        "re:RegexFlag",
        "os:system",
        "sys:exit",
        "pytest_sweep:Column",
        "pytest_sweep.model.trials:TrialState",
        "pytest_sweep.model.resources:Resources",
        "nowhere:x",
        "sys",
        ":",
        "sys:modules.os",
    ]
)
FORMS = st.recursive(
    JSON_VALUES
    | PATHS
    | st.sampled_from(["0x1f", "|O", "<f8", "|S9000000000", "2024-01-01", "Europe/Paris", "AAAA", "(a+)+$"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.fixed_dictionaries(
            {"$type": st.sampled_from(KINDS)},
            optional={
                name: inner | st.integers(-(10**12), 10**12)
                for name in [
                    "value",
                    "zone",
                    "fold",
                    "class",
                    "text",
                    "rest",
                    "args",
                    "keywords",
                    "factory",
                    "maxlen",
                    "flags",
                    "dtype",
                    "shape",
                    "entries",
                ]
            },
        )
    ),
    max_leaves=12,
)
PICKLES = st.sampled_from(
    [pickle.dumps(it) for it in ((1, pack(None)), ([1], ("", "", 0, 0)), ("1", pack("x")), 7, None, (2,))]
)
CUT = st.tuples(PICKLES | st.binary(max_size=40), st.integers(0, 60)).map(
    lambda it: it[0][: len(it[0]) - it[1]] if it[1] < 9 else it[0]
)


@given(EXPRESSIONS)
def condition(text: str) -> None:
    """``--sweep-where``: a condition that can be asked, or a SpaceError when it is read or asked."""
    try:
        parsed = parse_condition(text)
        assert isinstance(parsed.holds(CONFIG), bool)
        for part in parsed.clauses():
            part.holds(CONFIG)
    except (SpaceError, AbsentError):
        return


@given(
    st.sampled_from(["", "lr=", "n=", "name=", "layers=", "path=", "drawn=", "count=", "act="]), EXPRESSIONS | NUMBERS
)
@example("layers=", "-" * 5000 + "1")
@example("name=", "1if")
@example("name=", "'" + "\\d'")
def override(name: str, values: str) -> None:
    """``--sweep-set``: an axis with values of its types, or a SpaceError."""
    try:
        parsed = parse_override(name + values)
        key = parsed.key_in(["train"], ["lr", "n", "name", "layers", "path", "drawn", "count", "act"])
        if key is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                parsed.applied(SPACE, key)
    except SpaceError:
        return


@given(st.sampled_from(OPTIONS), NUMBERS | EXPRESSIONS)
def option(option: Any, text: str) -> None:
    """An option, or its ini key: a value, or a ValueError that pytest shows as a usage error."""
    try:
        option.kind(text)
    except ValueError:
        return


@given(NUMBERS | JSON_VALUES)
def duration(value: object) -> None:
    """A span of time: finite seconds that are not negative, or a ValueError."""
    try:
        seconds = parse_duration(value)
    except ValueError:
        return
    assert 0 <= seconds < float("inf")
    duration_words(seconds)


@given(NUMBERS)
def size(text: str) -> None:
    """An amount of memory: bytes, or a ValueError."""
    try:
        size_words(parse_size(text))
    except ValueError:
        return


@given(
    st.dictionaries(
        st.sampled_from(["cpu", "gpu", "memory", "custom"]), NUMBERS | JSON_VALUES | st.integers() | st.floats()
    )
)
def resources(arguments: dict[str, object]) -> None:
    """``@pytest.mark.resources``: amounts that can be summed and shown, or sentences on what is wrong."""
    problems: list[str] = []
    parsed = Resources.parse(arguments, problems)
    assert all(problems)
    assert str(parsed.plus(parsed).minus(parsed))
    parsed.how_often(parsed)


@given(st.dictionaries(st.sampled_from(["workers", "strategy", "label"]), NUMBERS | JSON_VALUES))
def placement(arguments: dict[str, object]) -> None:
    """What the mark says of workers, strategy and labels: a placement, or sentences on what is wrong."""
    problems: list[str] = []
    try:
        str(Placement.parse(arguments, problems))
    except ResourcesError:
        return


@given(ANY_TEXT, NUMBERS | JSON_VALUES)
def stop_rule(metric: str, condition: object) -> None:
    """``stop=``: a rule, or the error of a definition."""
    try:
        rule = StopRule.parse(metric, condition)
    except DefinitionError:
        return
    rule.met({metric: 1.0, "a": {"b": 2}})
    str(rule)


@given(ANY_TEXT | st.sampled_from(["..", "/", "a" * 300, "a/" * 3000, "~", "\0", "run/../.."]))
@example("a" * 300)
@example("\0")
def run_name(name: str) -> None:
    """``--sweep-resume`` and ``load_results``: the name or path of a run, or the error that there is none."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            find_run(name, Path(folder))
        except NoResultsError:
            return


SETTINGS = st.lists(
    st.sampled_from(
        [
            "[pytest]",
            "[tool.pytest]",
            "[tool.pytest.ini_options]",
            "[tool:pytest]",
            "tool = 1",
            "[tool]",
            "pytest = 1",
            "sweep_dir = a",
            'sweep_dir = "~nobody-here/a"',
            "sweep_dir = 1",
            'sweep_dir = "\\u0000"',
            "addopts = 1",
            'addopts = "--sweep-dir=\'a b"',
            'addopts = ["--sweep-dir", 1]',
            "addopts = --sweep-dir=b",
            "ini_options = 1",
            "\\",
            "[[",
        ]
    )
    | ANY_TEXT,
    max_size=6,
).map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass"))


@given(st.sampled_from(["pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", "pytest.toml"]), SETTINGS | st.binary())
@example("pyproject.toml", b"tool = 1")
@example("pytest.toml", b"[pytest]\naddopts = 1")
@example("pytest.ini", b"[pytest]\nsweep_dir = ~nobody-here/a")
def project_settings(name: str, content: bytes) -> None:
    """A project's configuration, where ``load_results()`` looks for results: a folder, or the error that there is none."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(Path, "cwd", return_value=Path(folder)):
        Path(folder, name).write_bytes(content)
        try:
            results_folder(None)
        except NoResultsError:
            return


@given(st.lists(CUT, max_size=4), st.lists(CUT, max_size=2))
@example([], [pickle.dumps((1, pack(None))), pickle.dumps(("1", pack(None)))])
@example([pickle.dumps(([1], pack(None)))], [])
def spool(first: list[bytes], second: list[bytes]) -> None:
    """The events of a dead worker, whose files may be damaged: numbered events in order."""
    with tempfile.TemporaryDirectory() as folder:
        for name, records in (("events-0", first), ("events-1", second)):
            Path(folder, name).write_bytes(b"".join(records))
        found = read_spool(Path(folder))
    assert [number for number, _ in found] == sorted({number for number, _ in found})
    for _, packed in found:
        unpack(packed)


@given(st.binary(max_size=100), CUT)
@example(b"", pickle.dumps(7))
@example(b"", pickle.dumps([1, ("a",), ("a", 1), ("a", "b")]))
def captured(stream: bytes, sections: bytes) -> None:
    """The output of a trial whose process died, whose files may be damaged: names and texts."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "stdout").write_bytes(stream)
        Path(folder, "sections").write_bytes(b"call    " + sections)
        for name, text in read_captured(Path(folder)):
            assert isinstance(name, str)
            assert isinstance(text, str)


@given(
    st.lists(
        st.sampled_from(
            [
                "Current thread 0x1 (most recent call first):",
                "Thread 0x2",
                "Fatal Python error: x",
                '  File "a", line 1',
                "Extension modules: a",
            ]
        )
        | ANY_TEXT
    ).map("\n".join)
)
def stacks(text: str) -> None:
    """What faulthandler has written of a dead process: a text that is not longer."""
    assert len(readable(text)) <= 3 * len(text) + 100


@given(CUT, ANY_TEXT, st.integers(), st.integers())
def message(content: bytes, key: str, attempt: int, lease: int) -> None:
    """An event on its way to the driver: the event, or the error of its trial."""
    unpack((content, key, attempt, lease))


@given(FORMS)
def configuration(form: Any) -> None:
    """A stored configuration, of whatever database: values, or texts that say why there are none; nothing runs."""
    text = json.dumps(form)
    with mock.patch("os.system", side_effect=AssertionError), mock.patch("sys.exit", side_effect=AssertionError):
        value = restored(json.loads(text))
        repr(value)
        json.dumps(stored(value))


@given(ANY_TEXT | st.binary() | JSON_VALUES.map(json.dumps) | FORMS.map(json.dumps))
def metrics(text: str | bytes) -> None:
    """Stored metrics: plain data that can be written again, or a ValueError."""
    try:
        data = from_json(text)
    except ValueError:
        return
    to_json(data)


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    | st.sampled_from(["a" * 5000, "/dev/null", "/"])
)
@example("a" * 300)
def token(path: str) -> None:
    """``RAY_AUTH_TOKEN_PATH``: a token that is private, or the error that says what to do."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    with mock.patch.dict(os.environ, {**environ, "RAY_AUTH_TOKEN_PATH": path}, clear=True):
        try:
            has_token()
            check_token()
        except ExecutorError:
            return


TARGETS: Mapping[str, Callable[[], None]] = {
    target.__name__: target
    for target in (
        condition,
        override,
        option,
        duration,
        size,
        resources,
        placement,
        stop_rule,
        run_name,
        project_settings,
        spool,
        captured,
        stacks,
        message,
        configuration,
        metrics,
        token,
    )
}
"""The targets by their names."""
