"""The test file of the assorted suite, `tests.support.assorted_suite`, whose items mostly do not pass."""

from __future__ import annotations

FAILING = """
import logging
import sys
import pytest
from kind import each

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

class Base(BaseException):
    pass

class Odd(Exception):
    def __str__(self):
        raise RuntimeError("no text")

def helper(value):
    __tracebackhide__ = value == "hidden"
    print("in the helper")
    assert value == "other", f"helper of {value}"

def recurse(value):
    return recurse(value)

def chained(how):
    try:
        int(how)
    except ValueError as error:
        if how == "cause":
            raise KeyError("direct") from error
        if how == "none":
            raise KeyError("alone") from None
        raise KeyError("meanwhile")

@each("numbers", "lists", "dicts", "long text", "sets", "in", "is")
def test_compares(n):
    left, right = list(range(60)), [*range(30), 31, *range(30, 59)]
    if n == "lists":
        assert left == right
    if n == "dicts":
        assert {"a": left, "b": 1} == {"a": left, "b": 2, "c": right}
    if n == "long text":
        assert "line\\n" * 40 + "end" == "line\\n" * 39 + "middle\\n\\u2603"
    if n == "sets":
        assert set(left) <= {1, 2}, "a message"
    if n == "in":
        assert 99 in left and n
    if n == "is":
        assert all(value is None for value in left)
    assert len(left) + 1 == len(right)

@each("seen", "hidden")
def test_helper(n):
    helper(n)

@each("not raised", "match", "other", "group")
def test_raises(n):
    with pytest.raises(ExceptionGroup if n == "group" else ValueError, match="^this$"):
        if n == "match":
            raise ValueError("that")
        if n == "other":
            raise KeyError("this")
        if n == "group":
            raise ExceptionGroup("this", [ValueError(1)])
    if n == "group":
        assert n == "more"

@each("cause", "none", "context")
def test_chain(n):
    chained(n)

@each("flat", "nested")
def test_group(n):
    errors = []
    for how in ("cause", "none"):
        try:
            chained(how)
        except KeyError as error:
            errors.append(error)
    raise ExceptionGroup("several", errors if n == "flat" else [ExceptionGroup("inner", errors), OSError(2, "none")])

@each("exit", "exit text", "base", "generator", "stop", "recursion", "notes", "odd", "input", "import", "syntax", "multi", "exec", "empty")
def test_raised(n):
    if n == "exit":
        sys.exit(3)
    if n == "exit text":
        sys.exit("with a text")
    if n == "base":
        raise Base("of the base")
    if n == "generator":
        raise GeneratorExit
    if n == "stop":
        raise StopIteration(3)
    if n == "recursion":
        recurse(n)
    if n == "notes":
        error = ValueError("noted")
        error.__notes__ = ["a note", "another"]
        raise error
    if n == "odd":
        raise Odd
    if n == "input":
        input()
    if n == "import":
        import no_such_module
    if n == "syntax":
        compile("a b", "file.py", "exec")
    if n == "exec":
        exec(compile("raise ValueError('compiled')", "<made>", "exec"))
    if n == "multi":
        raise ValueError("one\\ntwo\\n\\nthree")
    raise ValueError

@each("unicode", "surrogate", "control", "long")
def test_messages(n):
    odd = {"unicode": "\\u00e4\\u2603\\U0001f600", "surrogate": "a\\ud800b", "control": "a\\x1b[31mb\\x00c\\rd"}
    raise ValueError(odd.get(n, "long " * 20000))

@each(1)
def test_elsewhere(n, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert n == 2

@each(1)
def test_finalizers(n, request):
    request.addfinalizer(lambda: pytest.fail("in a finalizer", pytrace=False))
    assert n == 2

@each("trace", "no trace")
def test_fail(n):
    logging.error("logged before")
    print("printed before")
    pytest.fail("on purpose", pytrace=n == "trace")

@each(1)
def test_set_up_breaks(n, talking, broken):
    pass

@each(1)
def test_set_up_fails(n, failing):
    pass

@each(1)
def test_tear_down_breaks(n, talking, leaking):
    print("in the body")

@each(1)
def test_tear_down_breaks_twice(n, leaking, leaking_too):
    pass

@each(1)
def test_both_break(n, leaking, broken):
    pass

@each(1)
def test_body_and_tear_down(n, leaking):
    assert n == 2

@each(1)
def test_yields_twice(n, twice):
    pass

@each(1)
def test_scope(n, narrow):
    pass

@each(1)
def test_lookup(n, request):
    request.getfixturevalue("no_such_fixture")

@pytest.mark.usefixtures("broken")
@each(1)
def test_used_breaks(n):
    pass

@pytest.mark.skip(reason="not now")
@each(1)
def test_skip(n):
    pass

@pytest.mark.skipif(sys.version_info > (3,), reason="not here")
@each(1)
def test_skipif(n):
    pass

@each("body", "import", "both")
def test_skips(n, request):
    if n == "import":
        pytest.importorskip("no_such_module")
    if n == "both":
        request.getfixturevalue("leaking")
    pytest.skip("in the body")

@each(1)
def test_skip_in_fixture(n, skipping):
    pass

@each(1)
def test_skip_in_tear_down(n, skipping_late):
    pass

@pytest.mark.skipif("sys.no_such_name")
@each(1)
def test_bad_condition(n):
    pass

@pytest.mark.xfail(reason="known", raises=ValueError)
@each("expected", "other", "passes", "tear-down")
def test_xfail(n, request):
    if n == "expected":
        raise ValueError("as known")
    if n == "other":
        raise KeyError("not as known")
    if n == "tear-down":
        request.getfixturevalue("leaking")

@pytest.mark.xfail(strict=True, reason="strictly")
@each(1, 2)
def test_xfail_strict(n):
    assert n == 1

@pytest.mark.xfail(run=False, reason="not even tried")
@each(1)
def test_xfail_not_run(n):
    pass

@pytest.mark.xfail
@each(1)
def test_xfail_set_up(n, broken):
    pass

@each(1)
def test_xfail_in_body(n):
    pytest.xfail("from within")

@each(1, 2)
def test_xfail_by_fixture(n, xfailing):
    assert n == 1
"""
