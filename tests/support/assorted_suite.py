"""The text of a suite of all kinds of items, each written once: `kind.py` makes ordinary tests of them, or sweeps."""

from __future__ import annotations

# The same text but for this file, so that neither line numbers nor node ids differ between tests and sweeps.
TESTS = """
import pytest

def each(*values):
    return pytest.mark.parametrize("n", values, ids=lambda value: f"n={value}")

def report(metrics):
    pass
"""

SWEEPS = """
from pytest_sweep import report, sweep

def each(*values):
    return sweep(grid={"n": list(values)})
"""

INI = """
[pytest]
junit_family = xunit1
junit_logging = all
log_level = INFO
markers =
    tag: of no meaning
"""

CONFTEST = """
import json
import logging
import warnings
from pathlib import Path

import pytest

class Gap(UserWarning):
    def __init__(self, width, depth):
        super().__init__(f"{width} by {depth}")

class Recorder:
    def __init__(self, path):
        self.path = path

    def note(self, **fields):
        with self.path.open("a") as file:
            file.write(json.dumps(fields) + "\\n")

    def pytest_runtest_logreport(self, report):
        context = getattr(report, "context", None)
        self.note(
            kind="report", nodeid=report.nodeid, when=report.when, outcome=report.outcome,
            wasxfail=getattr(report, "wasxfail", None), text=report.longreprtext, sections=report.sections,
            properties=[[name, str(value)] for name, value in report.user_properties],
            keywords=sorted(report.keywords), location=report.location, type=type(report).__name__,
            extra=getattr(report, "extra", None),
            subtest=None if context is None else [context.msg, repr(context.kwargs)],
            timed=[type(report.duration).__name__, report.duration >= 0, report.start > 1e9, report.stop >= report.start],
        )

    def pytest_warning_recorded(self, warning_message, when, nodeid, location):
        self.note(
            kind="warning", nodeid=nodeid, when=when, message=str(warning_message.message),
            category=warning_message.category.__name__, type=type(warning_message.message).__name__,
            file=warning_message.filename, line=warning_message.lineno, location=location,
        )

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter, exitstatus):
        stats = {name or "not shown": len(reports) for name, reports in terminalreporter.stats.items()}
        session = terminalreporter._session
        self.note(kind="end", exitstatus=int(exitstatus), collected=session.testscollected, not_passed=session.testsfailed, **stats)

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.extra = [f"{item.name} in {call.when}", {"passed": report.passed}]
    return report

def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(Path(__file__).with_name("recorded.jsonl")))

@pytest.fixture(scope="session", autouse=True)
def whole_session():
    yield "session"

@pytest.fixture(scope="package", autouse=True)
def whole_package(whole_session):
    yield f"{whole_session} package"

@pytest.fixture
def level():
    return "root"

@pytest.fixture
def plain():
    return 4

@pytest.fixture
def boxed(request):
    return [request.param]

@pytest.fixture(params=["a", "b"])
def letter(request):
    return request.param

@pytest.fixture
def broken():
    print("about to break")
    raise RuntimeError("cannot be built")

@pytest.fixture
def leaking():
    yield
    print("about to leak")
    raise RuntimeError("cannot be torn down")

@pytest.fixture
def leaking_too():
    yield
    raise RuntimeError("cannot be torn down either")

@pytest.fixture
def talking():
    print("set up")
    logging.info("logged in set-up")
    yield
    print("torn down")
    logging.warning("logged in tear-down")

@pytest.fixture
def skipping():
    pytest.skip("not in this fixture")

@pytest.fixture
def skipping_late():
    yield
    pytest.skip("too late")

@pytest.fixture
def failing():
    pytest.fail("failed in set-up", pytrace=False)

@pytest.fixture
def xfailing(request):
    request.applymarker(pytest.mark.xfail(reason="applied by a fixture"))

@pytest.fixture
def warning():
    warnings.warn("warned in set-up", DeprecationWarning)
    yield
    warnings.warn("warned in tear-down", FutureWarning)

@pytest.fixture
def twice():
    yield 1
    yield 2

@pytest.fixture(scope="module")
def narrow(tmp_path):
    return tmp_path
"""

DEEP_CONFTEST = """
import pytest

@pytest.fixture
def level(level):
    return f"{level} deep"

@pytest.fixture(autouse=True)
def around(request):
    print(f"before {request.node.name}")
    yield
    print(f"after {request.node.name}")
"""

DEEP = """
import warnings
import pytest
from kind import each

pytestmark = [pytest.mark.tag, pytest.mark.usefixtures("talking")]

@each(1, 2)
def test_overridden(n, level):
    assert level == "root deep"

@each(1)
def test_overridden_wrongly(n, level):
    assert level == "root"

class TestDeep:
    class TestDeeper:
        @each(1)
        def test_nested(self, n, request):
            assert [mark.name for mark in request.node.iter_markers()].count("tag") == 1
            warnings.warn("from the deep")
"""

# Each in a module of its own with one item, since what a wider fixture does in its tear-down belongs to the module's last item.
LATE = """
import logging
import warnings
import pytest
from kind import each

@pytest.fixture(scope="module")
def late():
    yield
    print("late output")
    logging.warning("late record")
    warnings.warn("late warning")
    {fails}

@each(1)
def test_late(n, late):
    print("in time")
"""

LAST = """
import pytest
from kind import each

@pytest.fixture(scope="session")
def last():
    yield
    raise RuntimeError("session torn down badly")

@each(1)
def test_last(n, last):
    pass
"""

SETUP_MODULE = """
import pytest
from kind import each

def setup_module():
    print("module up")
    raise RuntimeError("the module cannot be set up")

@each(1)
def test_without_module(n):
    pass
"""
