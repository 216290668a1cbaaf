"""The test file of the assorted suite, `tests.support.assorted_suite`, whose items mostly pass."""

from __future__ import annotations

PASSING = """
import contextvars
import logging
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path
import pytest
from kind import each, report

CURRENT = contextvars.ContextVar("CURRENT", default="none")

@pytest.fixture(scope="module", autouse=True)
def whole_module():
    yield "module"

def setup_function(function):
    print("set up by function of", function.__name__)

def teardown_function(function):
    print("torn down by function of", function.__name__)

@each(1, 2, 3)
def test_passes(n):
    report({"n": n})

@each("1-2", 0.5, None, True, "x y", "\\u00fc")
def test_ids(n, request):
    print(ascii(request.node.nodeid))
    assert os.environ["PYTEST_CURRENT_TEST"].endswith(f"{request.node.name} (call)")

@each(1)
def test_tmp_path(n, tmp_path, tmp_path_factory):
    print(tmp_path.name, tmp_path_factory.mktemp("other").name)
    assert list(tmp_path.iterdir()) == []

@each(1)
def test_capture(n, capsys):
    print("taken")
    assert capsys.readouterr().out.endswith("taken\\n")
    print("left")

@each(1)
def test_capture_descriptors(n, capfd):
    os.system("echo from a child")
    assert capfd.readouterr().out.endswith("from a child\\n")

@each(1)
def test_child_output(n):
    subprocess.run([sys.executable, "-c", "import sys; print('child'); print('childish', file=sys.stderr)"], check=True)
    os.write(1, b"by descriptor\\n")

@each(1)
def test_logs(n, caplog, monkeypatch):
    monkeypatch.setenv("LEVEL", "high")
    caplog.set_level(logging.DEBUG)
    logging.getLogger("suite").debug("a record of %s", n)
    assert caplog.messages == ["a record of 1"]

@each(1)
def test_recorded_warnings(n, recwarn):
    warnings.warn("kept here")
    assert len(recwarn) == 1

@each(1)
def test_dynamic(n, request, pytestconfig):
    assert request.getfixturevalue("plain") == 4
    request.addfinalizer(lambda: print("finalized"))
    print(pytestconfig.rootpath == Path(__file__).parent, pytestconfig.getoption("verbose"), request.module.__name__)

@each(1)
def test_parametrized_fixture(n, letter):
    assert letter in "ab"

@pytest.mark.parametrize("boxed", [1, 2], indirect=True)
@each(1, 2)
def test_indirect(n, boxed):
    assert boxed == [n]

@each(1)
def test_widest(n, whole_session, whole_package, whole_module):
    assert (whole_session, whole_package, whole_module) == ("session", "session package", "module")

@each(1)
def test_threads(n):
    def work(number):
        print("thread", number)
        report({"thread": number})
    for number in range(3):
        thread = threading.Thread(target=work, args=(number,))
        thread.start()
        thread.join()
    assert threading.current_thread() is threading.main_thread()

@each(1)
def test_thread_raises(n):
    def work():
        raise ValueError("in a thread")
    thread = threading.Thread(target=work, name="worker")
    thread.start()
    thread.join()

@each(1)
def test_unraisable(n):
    class Bad:
        def __del__(self):
            raise ValueError("in a finalizer")
    bad = Bad()
    del bad

@pytest.fixture
def current():
    CURRENT.set("fixture")

@each(1)
def test_context_variables(n, current):
    assert CURRENT.get() == "fixture"

@each(1)
def test_properties(n, record_property, request):
    record_property("own", n)
    record_property("path", Path("a"))
    request.node.add_report_section("call", "notes", "added by hand")

@pytest.mark.parametrize("kind", ["x", "y"])
class TestStacked:
    @each(1, 2)
    def test_stacked(self, n, kind):
        assert kind in "xy"

@each(
    pytest.param(1, marks=pytest.mark.skip(reason="this one")), pytest.param(2, marks=pytest.mark.xfail(strict=True)),
    pytest.param(3, marks=pytest.mark.tag),
    pytest.param(4, marks=pytest.mark.filterwarnings("error")), pytest.param(5, marks=pytest.mark.filterwarnings("ignore")),
)
def test_marked_values(n):
    warnings.warn("of a marked value")

@each(1)
def test_xml_attribute(n, record_xml_attribute):
    record_xml_attribute("assertions", 3)

@each(1)
def test_suite_property(n, record_testsuite_property):
    record_testsuite_property("suite", "property")

@each("stdout", "stderr", "log", "long", "unicode", "surrogate", "control", "no newline")
def test_output(n, talking):
    if n == "stderr":
        print("to stderr", file=sys.stderr)
    elif n == "log":
        logging.getLogger("suite").error("an error\\nof two lines")
    else:
        odd = {"unicode": "\\u00e4\\u2603\\U0001f600", "surrogate": "a\\ud800b", "control": "a\\x1b[31mb\\x00c\\rd"}
        print("line\\n" * 30000 if n == "long" else odd.get(n, n), end="" if n == "no newline" else "\\n")

@each("user", "deprecated", "own", "twice", "explicit", "level", "unicode", "resource")
def test_warnings(n, warning):
    from conftest import Gap
    if n == "own":
        warnings.warn(Gap(3, 4))
    elif n == "explicit":
        warnings.warn_explicit("elsewhere", SyntaxWarning, "elsewhere.py", 12)
    elif n == "resource":
        warnings.simplefilter("always")
        Path(__file__).open()
    else:
        for _ in range(2 if n == "twice" else 1):
            category = DeprecationWarning if n == "deprecated" else None
            warnings.warn(f"about {n} \\u2603" if n == "unicode" else f"about {n}", category, stacklevel=2 if n == "level" else 1)

@pytest.mark.filterwarnings("error:about")
@each(1)
def test_warning_is_error(n):
    warnings.warn("about to fail")

@pytest.mark.filterwarnings("ignore")
@each(1)
def test_warning_is_ignored(n):
    warnings.warn("not to be seen")

@pytest.mark.unregistered
@each(1)
def test_unknown_mark(n):
    pass

@each("passes", "fails", "prints", "skips", "xfails", "body", "nested")
def test_subtests(n, subtests):
    with subtests.test("first", i=0):
        print("in the first")
    with subtests.test("second", i=1, n=n):
        print("in the second")
        assert n != "fails", "a subtest"
        if n == "skips":
            pytest.skip("not this part")
        if n == "xfails":
            pytest.xfail("expected of a part")
        if n == "nested":
            with subtests.test("inner"):
                assert n == 1
    print("between")
    with subtests.test():
        pass
    assert n != "body", "the body itself"

class TestClass:
    shared = []

    @classmethod
    def setup_class(cls):
        cls.shared.append("class")

    def setup_method(self, method):
        print("before", method.__name__)
        self.own = "own"

    def teardown_method(self):
        print("after", self.own)

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def whole_class(cls):
        cls.wide = "wide"

    @each(1, 2)
    def test_method(self, n, whole_class):
        assert (self.own, self.wide, self.shared) == ("own", "wide", ["class"])

    @each(1)
    def test_failing_method(self, n):
        self.other = n
        assert self.own == "other"

    @staticmethod
    @each(1)
    def test_static(n):
        assert n == 1
"""
