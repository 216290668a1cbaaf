"""Fixtures that outlive a trial: which of them is torn down is told before it is done."""

from __future__ import annotations

import pytest

from pytest_sweep.worker.wide_fixtures import WideFixtures

SOURCE = """
    import pytest
    LOG = []

    @pytest.fixture(scope="session")
    def db():
        yield 1
        print("LOG db")

    @pytest.fixture(scope="module")
    def table(db, request):
        request.addfinalizer(lambda: print("LOG table"))

    @pytest.fixture(scope="module")
    def constant(table):
        return 3

    @pytest.fixture(scope="module", params=["a", "b"])
    def each(request, constant):
        yield request.param
        print("LOG each", request.param)

    @pytest.fixture
    def own(each):
        yield

    def setup_module():
        pass

    def teardown_module():
        print("LOG module")

    @pytest.fixture(scope="module")
    def broken(db):
        yield 1 / 0

    def test_one(own):
        pass

    def test_two(broken):
        pass
"""


def test_told_before_it_is_done(pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    """Each fixture with something to tear down is named, with scope and file, in the order in which that is done."""
    pytester.makepyfile(test_it=SOURCE)
    watcher = WideFixtures(lambda text: print(f"LOG told {text}"))
    pytester.inline_run("-s", "-p", "no:hypothesispytest", plugins=[watcher])
    said = [line.partition("LOG ")[2] for line in capsys.readouterr().out.splitlines() if "LOG " in line]
    assert said == [
        "told each (module scope, test_it.py)", "each a",
        "told each (module scope, test_it.py)", "each b",
        "told table (module scope, test_it.py)", "table",
        *[line for line in said if "setup_module" in line], "module",
        "told db (session scope, test_it.py)", "db",
    ]  # fmt: skip
