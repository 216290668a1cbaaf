"""Conditions: that they mean what Python means, that nothing is run, and what is said of wrong ones."""

from __future__ import annotations

import contextlib
import enum
import functools
import re
import sys
import warnings
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.errors import SpaceError
from pytest_sweep.space.expressions import AbsentError, parse_condition, unknown_name

ORDERS = ["==", "!=", "<", "<=", ">", ">="]
SCALARS = st.integers(-5, 5) | st.floats() | st.booleans()
CONFIGS = st.fixed_dictionaries({"a": SCALARS, "b": SCALARS, "c": SCALARS})
ATOMS = st.sampled_from(["a", "b", "c", "0", "1", "-2", "0.5", "1e3", "True", "False"])


def arithmetic(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), inner)
    return binary | st.builds("{}{}".format, st.sampled_from("+-"), inner)


def comparisons(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=1, max_size=3).map(", ".join)
    displays = (
        st.builds("({},)".format, several) | st.builds("[{}]".format, several) | st.builds("{{{}}}".format, several)
    )
    links = st.builds(" {} {}".format, st.sampled_from(ORDERS), inner)
    links |= st.builds(" {} {}".format, st.sampled_from(["is", "is not"]), st.sampled_from(["None", "True", "False"]))
    return st.builds("({}{})".format, inner, st.lists(links, min_size=1, max_size=3).map("".join)) | st.builds(
        "({} {} {})".format, inner, st.sampled_from(["in", "not in"]), displays
    )


def junctions(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
    return binary | st.builds("(not {})".format, inner)


NUMBERS = st.recursive(ATOMS, arithmetic, max_leaves=4)
CONDITIONS = st.recursive(comparisons(NUMBERS), junctions, max_leaves=4)
# The value of `and` and `or` is that of an operand, and goes on into arithmetic and comparisons.
NESTED = comparisons(NUMBERS | junctions(NUMBERS) | CONDITIONS)


class Color(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 3


class Mode(str, enum.Enum):
    FAST = "fast"


class Net:
    pass


def relu() -> None:
    pass


def holds(text: str, **config: Any) -> bool:
    return parse_condition(text).holds(config)


def said(text: str, **config: Any) -> str:
    with pytest.raises(SpaceError) as caught:
        parse_condition(text).holds(config)
    return str(caught.value)


@given(CONDITIONS | NESTED, CONFIGS)
def test_conditions_mean_what_python_means(text: str, config: dict[str, Any]) -> None:
    """A condition holds exactly if Python's own expression is true, and fails exactly if that fails."""
    condition = parse_condition(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # `1 is None`
            expected = bool(eval(text, {}, dict(config)))
    except (TypeError, ArithmeticError):
        with pytest.raises(SpaceError, match=r"cannot (calculate|compare)"):
            condition.holds(config)
    else:
        assert condition.holds(config) is expected


@given(st.lists(CONDITIONS, min_size=1, max_size=4), CONFIGS)
def test_clauses_hold_together(parts: list[str], config: dict[str, Any]) -> None:
    """A condition holds exactly if all its clauses do, and uses the names that they use."""
    condition = parse_condition(" and ".join(parts))
    clauses = condition.clauses()
    assert condition.names == frozenset().union(*(clause.names for clause in clauses))
    try:
        expected = condition.holds(config)
    except SpaceError:
        with pytest.raises(SpaceError):
            all(clause.holds(config) for clause in clauses)
    else:
        assert all(clause.holds(config) for clause in clauses) is expected


@given(st.text(max_size=30) | st.text("ab1.'\"()[]{}<>=!+*-,: \n\\", max_size=30))
def test_any_text_is_a_condition_or_a_space_error(text: str) -> None:
    """Whatever is written, it is parsed or refused with a sentence; nothing else is raised and nothing warned of."""
    with contextlib.suppress(SpaceError):
        assert parse_condition(text).text == text


def test_what_a_condition_is() -> None:
    """A condition knows its text as written and the dotted names; equal texts are equal conditions."""
    condition = parse_condition(" model.depth in (2, 4) and lr < 1 ")
    assert condition.text == " model.depth in (2, 4) and lr < 1 "
    assert condition.names == {"model.depth", "lr"}
    assert condition == parse_condition(condition.text)
    assert repr(parse_condition("True")) == "Condition(text='True', names=frozenset())"


def test_clauses_have_their_own_text() -> None:
    """The parts of a top-level `and` read as they were written, without the parentheses around them."""
    texts = [part.text for part in parse_condition("a  < 1 and (b or c == 'x and y') and not(d and e)").clauses()]
    assert texts == ["a  < 1", "b or c == 'x and y'", "not(d and e)"]


@pytest.mark.parametrize("text", ["a < 1", "a < 1 or b and c", "not (a and b)", "0 < a < 1"])
def test_without_a_top_level_and_the_condition_is_its_own_clause(text: str) -> None:
    """There is one clause, the condition itself."""
    condition = parse_condition(text)
    assert condition.clauses() == (condition,)


def test_clauses_over_several_lines() -> None:
    """A part with a line break, which only parentheses allow, keeps parentheses."""
    clauses = parse_condition("(a\n < 1) and b == 2").clauses()
    assert [part.text for part in clauses] == ["(a\n < 1)", "b == 2"]
    assert clauses[0].holds({"a": 0})


def test_clauses_are_as_lenient_as_the_whole() -> None:
    """A lone name is the truth of its value within an `and`, so that it is in the clause made of it."""
    condition = parse_condition("depth and lr < 1")
    assert condition.holds({"depth": 2, "lr": 0.1})
    assert condition.clauses()[0].holds({"depth": 2})


@pytest.mark.parametrize(
    "config",
    [
        {"a": {"b": {"c": 1}}},
        {"a.b.c": 1},
        {"a.b": {"c": 1}},
        {"a": {"b.c": 1}},
        {"a": 3, "a.b.c": 1},
        {"a": {"b": 2}, "a.b.c": 1},
    ],
)
def test_dotted_names(config: dict[str, Any]) -> None:
    """A dotted name leads into nested dicts, or is itself a key, or both."""
    assert parse_condition("a.b.c == 1").holds(config)


@pytest.mark.parametrize("config", [{}, {"a": 1}, {"a": {}}, {"a": {"b": 1}}, {"a": {"b": {}}}])
def test_absent_names(config: dict[str, Any]) -> None:
    """A name that leads nowhere raises an error that carries it, and is no SpaceError: the caller decides."""
    with pytest.raises(AbsentError, match=r"the configuration has no 'a\.b\.c'") as caught:
        parse_condition("a.b.c == 1").holds(config)
    assert caught.value.name == "a.b.c"
    assert not isinstance(caught.value, SpaceError)


def test_names_are_only_keys() -> None:
    """Attributes of values are never looked at, and asking puts no key into a configuration that would make one."""
    config: defaultdict[str, Any] = defaultdict(int, {"a": Net})
    for text in ("a.mro == 1", "b == 0"):
        with pytest.raises(AbsentError):
            parse_condition(text).holds(config)
    assert config == {"a": Net}


@pytest.mark.parametrize(
    "text", ["a and b", "not a or c < 1 and not a", "a and 1 / 0 < 1 or a is False", "1 < 0 < missing"]
)
def test_what_need_not_be_looked_at_is_not(text: str) -> None:
    """What `and`, `or` and chains do not reach may be absent or wrong."""
    assert holds(text, a=False, c=None) is (text[0] == "n" or text.endswith("False"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Color.RED, "RED"),
        (Level.HIGH, "HIGH"),
        (Net, "Net"),
        (relu, "relu"),
        (len, "len"),
        (np.float32, "float32"),
        (PurePosixPath("data/a"), "data/a"),
        (np.str_("s"), "s"),
    ],
)
def test_values_that_cannot_be_written(value: object, text: str) -> None:
    """Classes, functions, enum members and paths compare to strings by the text in node ids, wherever they stand."""
    for condition in ("x == {}", "{} == x", "x in ('other', {})", "{} in (1, x)", "(x, 1) == ({}, 1)", "x not in [1]"):
        assert holds(condition.format(repr(text)), x=value)
    for condition in ("x != {}", "x not in ({}, 1)", "(x, 1) != ({}, 1)"):
        assert not holds(condition.format(repr(text)), x=value)
    assert holds(f"{text!r} in xs and 'no' not in xs and {text!r} in nets", xs=[1, value], nets={value: 1})
    assert holds(f"x in {text + ' more'!r} and {text[:1]!r} in x", x=value)
    assert holds("x == y and x in (y, 1)", x=value, y=value)


def test_values_that_have_no_such_text() -> None:
    """A member that is a string compares as one; other objects never equal a string, and members keep their equality."""
    assert holds("x == 'fast' and x != 'FAST'", x=Mode.FAST)
    assert holds("x != 'partial' and x != 'relu'", x=functools.partial(relu))
    assert holds("x == 3 and x > 2 and x in (1, 3) and x + 1 == 4", x=Level.HIGH)


@pytest.mark.parametrize(
    "layers", [["relu", "tanh"], ("relu",), {"relu"}, frozenset({"relu"}), {"relu": 1}, "my relu"], ids=repr
)
def test_configured_containers(layers: object) -> None:
    """A value of the configuration may be on the right of `in`."""
    assert holds("'relu' in layers and 'x' not in layers", layers=layers)


def test_lists_and_sets_on_the_right_of_in() -> None:
    """Lists may also stand within what is on the right of `in`, with names or without."""
    assert holds("x in [[1, 2], [3]] and x in ([y, 2],) and y in {1, y}", x=[1, 2], y=1)
    assert holds("(x, y) in [([1, 2], 1)] and 3 not in x", x=[1, 2], y=1)


@pytest.mark.parametrize("value", [np.float64(0.5), np.array(0.5), Fraction(1, 2), Decimal("0.5")], ids=repr)
def test_other_numbers(value: object) -> None:
    """Scalars of numpy and of the standard library can be compared and calculated with."""
    assert holds("x < 1 and x * 2 == 1 and x ** 2 < x and -x < 0 and x in (0.5, 2)", x=value)


def test_numpy_booleans_are_booleans() -> None:
    """A lone name may be numpy's boolean, which `is True` as well."""
    assert holds("flag", flag=np.bool_(True))
    assert holds("flag is True", flag=np.bool_(True))


def test_nan_compares_as_in_python() -> None:
    """NaN equals nothing, but is in a tuple that has the same object."""
    nan = float("nan")
    assert holds("x != x and not x < 1 and not x >= 1 and x in (x,) and x in xs", x=nan, xs=[nan])


def test_names_with_underscores_inside() -> None:
    """Keys such as scikit-learn's are names; one that begins with two underscores is not."""
    assert holds("svc__C < 2 and _a == 1", svc__C=1, _a=1)
    assert "a name that begins with two underscores is not possible" in said("model.__x < 1")


NOT_POSSIBLE = [
    ("lr < f(1)", "a call", 6, "f(1)"),
    ("é == 1 and f(1)", "a call", 12, "f(1)"),
    ("__import__('os').system('x') == 1", "a call", 1, "__import__('os').system('x')"),
    ("o['lr'] < 1", "a subscript (write dots: `optimizer.lr`)", 1, "o['lr']"),
    ("().__class__ == 1", "an attribute of what is not a name", 1, "().__class__"),
    ("a.__class__ == 1", "a name that begins with two underscores", 1, "a.__class__"),
    ("__class__ == 1", "a name that begins with two underscores", 1, "__class__"),
    ("(lambda: 1) == 1", "a lambda", 2, "lambda: 1"),
    ("a if b else c", "`if` (write `and` and `or`)", 1, "a if b else c"),
    ("a == f'{b}'", "an f-string", 6, "f'{b}'"),
    ("(a < 1) & (b < 1)", "`&` (write `and`)", 1, "(a < 1) & (b < 1)"),
    ("a < 1 | b", "`|` (write `or`)", 5, "1 | b"),
    ("~a", "`~` (write `not`)", 1, "~a"),
    ("1 << a < 3", "this operator", 1, "1 << a"),
    ("{1} == a", "a set that is not on the right of `in`", 1, "{1}"),
    ("a in {1: 2}", "this (Dict)", 6, "{1: 2}"),
    ("a in [b for b in c]", "this (ListComp)", 6, "[b for b in c]"),
    ("a in (*b, 1)", "this (Starred)", 7, "*b"),
    ("(a := 1) < 2", "this (NamedExpr)", 2, "a := 1"),
    ("a == b'x'", "a value of type bytes", 6, "b'x'"),
    ("a == ...", "a value of type ellipsis", 6, "..."),
    ("a == 1j", "a value of type complex", 6, "1j"),
    ("a is 3", "`is` with other than None, True and False (write `==`)", 1, "a is 3"),
]


@pytest.mark.parametrize(("text", "what", "column", "source"), NOT_POSSIBLE, ids=[case[0] for case in NOT_POSSIBLE])
def test_what_is_not_possible(text: str, what: str, column: int, source: str) -> None:
    """Whatever is not a condition's is refused before anything is looked at, with its place and what there is instead."""
    with pytest.raises(SpaceError) as caught:
        parse_condition(text)
    start = (
        f"where {text!r}: {what} is not possible, at column {column}: `{source}`; a condition is made of names, numbers"
    )
    assert str(caught.value).startswith(start)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a condition is empty: write a comparison such as `lr < 0.1`"),
        (" \n", "a condition is empty: write a comparison such as `lr < 0.1`"),
        ("lr = 1", "where 'lr = 1': `=` at column 4 sets a value: write `==` to compare"),
        ("a != '=' and b='x'", """where "a != '=' and b='x'": `=` at column 15 sets a value: write `==` to compare"""),
        (
            "lambda < 1",
            "where 'lambda < 1': 'lambda' is a keyword of Python, which no name in a condition can be: rename the key",
        ),
        ("lr * 2", "where 'lr * 2' is a value and no condition: write a comparison such as `lr < 0.1`"),
        ("'lr < 1'", """where "'lr < 1'" is a value and no condition: write a comparison such as `lr < 0.1`"""),
        ("lr < 1,", "where 'lr < 1,' is a value and no condition: write a comparison such as `lr < 0.1`"),
        ("-lr", "where '-lr' is a value and no condition: write a comparison such as `lr < 0.1`"),
    ],
)
def test_texts_that_are_no_conditions(text: str, sentence: str) -> None:
    """What is no condition is refused with a sentence that says what to write."""
    with pytest.raises(SpaceError, match=f"^{re.escape(sentence)}$"):
        parse_condition(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("(lr < 1", "at column 1;"),
        ("lr < 1)", "at column 7;"),
        ("lr <", "at column "),
        ("m == 'x", "at column 6;"),
        ("a < 1 && b", "at column 8;"),
        ("(a <\n$)", "at line 2, column 1;"),
    ],
)
def test_syntax_errors_have_a_place(text: str, place: str) -> None:
    """What Python's parser refuses is said with the line and column, and with what a condition is made of."""
    assert f"{place}" in said(text)
    assert said(text).endswith("and tuples")


@pytest.mark.parametrize(
    ("text", "config", "sentence"),
    [
        ("lr < 1", {"lr": None}, "cannot compare lr=None (NoneType) with 1 (int); write `lr != None and lr < 1`"),
        (
            "0 < o.lr < 1",
            {"o": {"lr": None}},
            "cannot compare 0 (int) with o.lr=None (NoneType); write `o.lr != None and 0 < o.lr < 1`",
        ),
        ("lr < 1", {"lr": "auto"}, "cannot compare lr='auto' (str) with 1 (int); write `lr != 'auto' and lr < 1`"),
        (
            "lr < 'a'",
            {"lr": 0.1},
            (
                "cannot compare lr=0.1 (float) with 'a' (str); numbers are ordered with numbers and strings with "
                "strings; for other values there are == and !="
            ),
        ),
        (
            "x in (2)",
            {"x": 2},
            (
                "cannot look for x=2 (int) in 2 (int); on the right of `in` stand several values, such as `(1, 2)`, "
                "or a string for a string"
            ),
        ),
        ("2 in x", {"x": None}, "cannot look for 2 (int) in x=None (NoneType); write `x != None and 2 in x`"),
        (
            "a / b < 1",
            {"a": 1, "b": 0},
            ("cannot calculate `a / b` with a=1 (int) and b=0 (int): division by zero; write `b != 0 and` before it"),
        ),
        (
            "-a < 1",
            {"a": None},
            (
                "cannot calculate `-a` with a=None (NoneType): arithmetic is for numbers only; "
                "write `a != None and` before it"
            ),
        ),
        (
            "a * 9 == 'x'",
            {"a": "x"},
            "cannot calculate `a * 9` with a='x' (str) and 9 (int): arithmetic is for numbers only",
        ),
        (
            "a ** 9999 > 1",
            {"a": 9},
            (
                "cannot calculate `a ** 9999` with a=9 (int) and 9999 (int): the result would have more than 10000 "
                "bits; compare smaller numbers"
            ),
        ),
    ],
)
def test_failures_name_the_operation_and_the_values(text: str, config: dict[str, Any], sentence: str) -> None:
    """What fails for a configuration is said with the condition, the operation, the values and their types, and a way out."""
    assert said(text, **config) == f"where {text!r}: {sentence}"


def test_the_way_out_is_one() -> None:
    """The conditions that the sentences propose hold or not, without an error."""
    assert not holds("lr != None and lr < 1", lr=None)
    assert holds("b != 0 and a / b < 1 or a == 1", a=1, b=0)


@pytest.mark.parametrize(
    ("value", "example"), [(2, "== 2"), ("mlp", "== 'mlp'"), (Net, "== 'Net'"), (None, "!= None"), ([1], "!= None")]
)
def test_a_lone_name_is_a_boolean(value: object, example: str) -> None:
    """A name alone holds if it is True; any other value asks for a comparison, and is given one."""
    assert [holds("x.y", x={"y": flag}) for flag in (True, False)] == [True, False]
    sentence = said("x.y", x={"y": value})
    assert sentence.endswith(f"({type(value).__name__}) is no condition: write a comparison: `x.y {example}`")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v == '1'", False),
        ("v != '1'", True),
        ("v == 1", False),
        ("v == None", False),
        ("v == [1, 1]", True),
        ("v == (1, 1)", True),
        ("[1, 1, 1] == v", False),
        ("v == w", True),
        ("v in ('1', [1, 1])", True),
        ("v in ('1', 1)", False),
        ("1 in v", True),
        ("'1' not in v", True),
    ],
)
def test_an_array_equals_a_list_of_its_values(text: str, *, expected: bool) -> None:
    """An array is equal to a list, a tuple or an array of the same values, and to nothing else: no text, and no number."""
    assert holds(text, v=np.array([1, 1]), w=np.array([1.0, 1.0])) is expected


def test_an_equality_that_fails() -> None:
    """Where == of a class raises, the sentence says what it raised, and does not propose ==."""

    class Odd:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("it is odd")

        def __hash__(self) -> int:
            return 1

        def __repr__(self) -> str:
            return "Odd()"

    assert said("x == 1", x=Odd()) == (
        "where 'x == 1': cannot compare x=Odd() (Odd) with 1 (int); their own comparison failed with RuntimeError: it is odd"
    )


def test_arrays_have_no_truth() -> None:
    """Values that do not compare to one True or False are an error of the condition, not a traceback."""
    array = np.arange(3)
    assert "cannot compare x=array([0, 1, 2]) (ndarray) with 1 (int)" in said("x < 1", x=array)
    assert "failed with ValueError: The truth value" in said("x and x == 1", x=array)


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9**9 > 1",
        "a ** 99999 > 1",
        "*".join(["9 ** 3000"] * 50) + " > 1",
        "'a' * 10**9 == a",
    ],
    ids=lambda text: text[:20],
)
def test_huge_results_are_refused_at_once(text: str) -> None:
    """No condition takes long: a number that would have more than 10,000 bits is refused before it is made."""
    assert "cannot calculate" in said(text, a=Fraction(3, 2))


@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_001,
        "(" * 250,
        "-" * 9_000 + "1 < 2",
        "a" + "+a" * 4_000 + " < 1",
        "not " * 200 + "a",
        "a" + ".b" * 300 + " < 1",
    ],
    ids=lambda text: f"{text[:4]}{len(text)}",
)
def test_long_and_deep_texts_are_refused(text: str) -> None:
    """Text of more than 10,000 characters or 100 levels is refused, and shown in part only."""
    with pytest.raises(SpaceError, match=r"at most|too deeply|too many nested") as caught:
        parse_condition(text)
    assert len(str(caught.value)) < 600


def test_long_flat_conditions_are_possible() -> None:
    """Many clauses, and many values on the right of `in`, are not deep."""
    assert holds(f"a in {tuple(range(1000))} and " + " and ".join(["a == 999"] * 200), a=999)


def test_integers_that_cannot_be_printed() -> None:
    """A failure with an integer of more digits than Python prints is still a sentence."""
    limit = getattr(sys, "get_int_max_str_digits", int)()
    sentence = said("x < 'a'", x=10 ** (limit + 1))
    assert "(int) with 'a' (str)" in sentence


@pytest.mark.parametrize("text", ["a == '\ud800'", "a == '\0'"])
def test_characters_that_cannot_be_read(text: str) -> None:
    """A character that Python's parser does not take is an error of the condition."""
    with pytest.raises(SpaceError, match=r"cannot be read|null bytes"):
        parse_condition(text)


def test_unknown_escapes() -> None:
    """A backslash that begins no escape stays, without a warning."""
    assert holds(r"a == 'C:\data'", a=r"C:\data")


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        ("dept", ["lr", "depth"], "there is no 'dept': did you mean 'depth'? There are depth, lr"),
        (
            "lr",
            ["optimizer.lr", "depth"],
            "there is no 'lr': did you mean 'optimizer.lr'? There are depth, optimizer.lr",
        ),
        ("x", ["lr", "depth"], "there is no 'x': there are depth, lr"),
        ("x", [], "there is no 'x': there are no names at all"),
    ],
)
def test_unknown_names(name: str, known: list[str], sentence: str) -> None:
    """The sentence for a wrong name has the one that is meant, and those that there are."""
    assert unknown_name(name, known) == sentence


def test_many_known_names() -> None:
    """At most twenty names are listed."""
    sentence = unknown_name("x", {f"key{number:02}" for number in range(25)})
    assert sentence.endswith("key18, key19 and 5 more")
    assert unknown_name("x", [f"key{number}" for number in range(20)]).count("key") == 20


@pytest.mark.parametrize(("levels", "is_possible"), [(100, True), (101, False)])
def test_how_deep_a_condition_may_be(levels: int, is_possible: bool) -> None:
    """A hundred levels are possible, one more is refused."""
    source = "-" * (levels - 1) + "n < 0"
    if is_possible:
        assert parse_condition(source).names == {"n"}
    else:
        with pytest.raises(SpaceError, match="is nested 101 levels deep: at most 100 are possible"):
            parse_condition(source)
