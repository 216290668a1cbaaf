"""The tables of docs/pytest.md and the tests that hold them say the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "pytest.md"
SECTIONS = ("Selecting", "Stopping", "Seeing", "Debugging", "Fixtures")
EXECUTORS: Mapping[str, str] = {
    "Inline": "tests.acceptance.test_promise_inline",
    "InProcesses": "tests.acceptance.test_promise_processes",
    "OnRay": "tests.ray.test_promise",
}


@cache
def rows(section: str) -> Sequence[Sequence[str]]:
    """Return the cells of the rows of a section's table, without its header."""
    text = PAGE.read_text("utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == "| feature | inline | processes | ray | held by |"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def held_by(section: str, executor: str) -> Mapping[str, object]:
    """Return the tests of an executor's class, by name, without those that are skipped."""
    cls = getattr(import_module(EXECUTORS[executor]), f"Test{section}{executor}")
    tests = {name: getattr(cls, name) for name in dir(cls) if name.startswith("test_")}
    return {name: test for name, test in tests.items() if not _left_out(test)}


def _left_out(test: object) -> bool:
    return any(mark.name in ("skip", "skipif", "xfail") for mark in getattr(test, "pytestmark", ()))


@pytest.mark.parametrize("section", SECTIONS)
def test_every_row_has_a_cell_for_each_executor_and_names_its_tests(section: str) -> None:
    """A row has a feature, a word on each executor, and names of tests."""
    assert len(rows(section)) >= 4
    for row in rows(section):
        assert len(row) == 5, row
        assert all(row), row
        assert re.fullmatch(r"`\w+`(, `\w+`)*", row[4]), row


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("section", SECTIONS)
def test_what_a_row_names_is_run_on_each_executor(section: str, executor: str) -> None:
    """Each named test is one of the executor's class, has a claim in words, and is not skipped."""
    tests = held_by(section, executor)
    for row in rows(section):
        for name in re.findall(r"\w+", row[4]):
            assert f"test_{name}" in tests, f"{row[0]}: there is no test_{name} in Test{section}{executor}"
            assert tests[f"test_{name}"].__doc__


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("section", SECTIONS)
def test_what_is_tested_stands_in_the_table(section: str, executor: str) -> None:
    """There is no test of a promise that the page does not make."""
    named = {f"test_{name}" for row in rows(section) for name in re.findall(r"\w+", row[4])}
    assert set(held_by(section, executor)) == named


def test_the_executors_classes_run_on_what_their_names_say() -> None:
    """A class of Ray runs its sessions on Ray, and so on."""
    names = {"Inline": "inline", "InProcesses": "processes", "OnRay": "ray"}
    for executor, module in EXECUTORS.items():
        for section in SECTIONS:
            assert getattr(import_module(module), f"Test{section}{executor}").executor == names[executor]
