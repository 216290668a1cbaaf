"""A suite of all kinds of items says the same as ordinary tests, as sweeps inline, and as sweeps in processes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_sweep.testing.sessions import run_session
from tests.support.assorted import FIELDS, ITEMS, AssortedSession, assert_alike, run_assorted
from tests.support.assorted_known import INLINE, WORKERS

ODD = """
from pytest_sweep import sweep

@sweep(grid={"n": [1]})
def train(n, record_property):
    class Odd:
        def __str__(self):
            return "of no use elsewhere"
    record_property("odd", Odd())
"""


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, AssortedSession]:
    """A session of each kind."""
    folder = tmp_path_factory.mktemp("assorted")
    return {
        "tests": run_assorted(folder / "tests", None),
        "inline": run_assorted(folder / "inline", "inline"),
        "processes": run_assorted(folder / "processes", "processes"),
    }


def test_size(sessions: Mapping[str, AssortedSession]) -> None:
    """All items of the suite, more than a hundred, have run in each session, which failed as it must."""
    assert {session.size for session in sessions.values()} == {ITEMS}
    assert {session.status for session in sessions.values()} == {1}


@pytest.mark.parametrize("field", FIELDS)
def test_inline_is_like_ordinary_tests(sessions: Mapping[str, AssortedSession], field: str) -> None:
    """A sweep's trials say inline, field by field, what the same functions say as ordinary tests."""
    assert_alike(sessions["tests"], sessions["inline"], field, INLINE)


@pytest.mark.parametrize("field", FIELDS)
def test_processes_are_like_inline(sessions: Mapping[str, AssortedSession], field: str) -> None:
    """Trials in processes say, field by field, what they say inline."""
    assert_alike(sessions["inline"], sessions["processes"], field, WORKERS)


def test_property_that_cannot_be_pickled(tmp_path: Path) -> None:
    """A property of a class that is not known elsewhere is text in the junit file, as in an ordinary test."""
    session = run_session(tmp_path, {"pytest.ini": "[pytest]\n", "sweep_odd.py": ODD}, ["--sweep-executor=processes"])
    assert session.status == 0, session.output
    values = {one.attrib["name"]: one.attrib["value"] for one in session.cases["train[n=1]"][0].iter("property")}
    assert values["odd"] == "of no use elsewhere"
