"""docs/architecture.md names what there is: modules that exist and say what they are for, and the rooms with what each may import."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import pytest_sweep
from tests.unit.test_imports import ALLOWED

PACKAGE = Path(pytest_sweep.__file__).parent
PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "architecture.md").read_text("utf-8")
LOOKUP = "What am I looking for, where is it"
ROOMS = "The rooms, and what each may import"
EVERYTHING = "everything above"


def rows(section: str) -> Sequence[Sequence[str]]:
    """Return the cells of the rows of a section's table, without its header."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def paths(text: str) -> list[str]:
    """Return what is named in `text` that is a file or a folder."""
    return re.findall(r"`([\w./-]+(?:\.py|/))`", text)


def exists(path: str) -> bool:
    """Say whether a path is one of the package, or of the project."""
    return (PACKAGE / path).exists() or (PROJECT / path).exists()


def test_there_are_enough_questions() -> None:
    """The table answers at least twenty questions, each once, and each with at least one module."""
    questions = [question for question, _ in rows(LOOKUP)]
    assert len(questions) >= 20
    assert len(set(questions)) == len(questions)
    assert [question for question, where in rows(LOOKUP) if not paths(where)] == []


@pytest.mark.parametrize("path", sorted({path for _, where in rows(LOOKUP) for path in paths(where)}))
def test_an_answer_is_a_module_that_says_what_it_is_for(path: str) -> None:
    """Each module that the table names exists, and its first line says what it is for."""
    assert path.endswith(".py")
    text = ast.get_docstring(ast.parse((PACKAGE / path).read_text("utf-8")))
    assert text
    assert text.splitlines()[0].endswith((".", ":"))


def test_every_path_exists() -> None:
    """Each path that the page names anywhere is there."""
    named = paths(PAGE)
    assert len(named) > 100
    assert [path for path in named if not exists(path)] == []


def test_every_room_is_in_the_table() -> None:
    """The table has each room of the package, and says of each what it may import as the test of imports does."""
    table = {room.strip("`").removesuffix("/").removesuffix(".py"): may for room, _, may in rows(ROOMS)}
    assert set(table) == set(ALLOWED) - {"__init__"}
    written = {room: {one for one in may.split(", ") if one != "nothing"} for room, may in table.items()}
    assert {room: may for room, may in written.items() if may != {EVERYTHING}} == {
        room: set(ALLOWED[room]) for room in written if table[room] != EVERYTHING
    }


def test_every_module_says_what_it_is_for() -> None:
    """The first line of each module is a sentence."""
    silent = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        if not text.partition("\n")[0].strip():
            silent.append(path.relative_to(PACKAGE).as_posix())
    assert silent == []
