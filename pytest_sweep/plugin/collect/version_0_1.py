"""Reads the code of a sweep as version 0.1.0 did, to be compared with what that has stored: texts of function, module and fixtures.

Never changed: databases that 0.1.0 wrote hold its digests. Today's are in `plugin/collect/sources.py`.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_sweep.items.definition import unwrapped
from pytest_sweep.items.private import fixture_info
from pytest_sweep.model.source import FixtureSource, Source

_OF_THE_KEY = frozenset({"configs", "grid", "ids", "num_samples", "repeats", "space", "where"})
"""The arguments of a sweep that say what is tried: each trial's key holds that, so that a space may grow without being other code."""

_OWN = ("_pytest.", "pytest_sweep.")


@dataclass(frozen=True)
class SourceFile:
    """A file's text without the spaces of its sweeps, whole and by function: by name and the line that it begins in."""

    text: str
    functions: dict[tuple[str, int], str]


class TextReader:
    """Digests texts; every file is read and parsed once."""

    def __init__(self) -> None:
        self._files: dict[str, SourceFile | None] = {}

    def source(self, item: pytest.Function) -> Source:
        """Return the source of an item's sweep."""
        function = inspect.unwrap(unwrapped(item.function))
        file = self._file_of(function)
        found = None if file is None else _function_text(file, function)
        return Source(
            function=None if found is None else _digest(found),
            module=None if file is None else _digest(file.text),
            fixtures={name: FixtureSource(self._fixture(name, item)) for name in _fixture_names(item)},
        )

    def _fixture(self, name: str, item: pytest.Function) -> str | None:
        """Return the digest of a fixture: of all functions of its name that it may call, and of their files."""
        texts = []
        for definition in fixture_info(item).name2fixturedefs[name]:
            function = inspect.unwrap(unwrapped(definition.func))
            file = self._file_of(function)
            if file is None:
                return None
            texts += [_function_text(file, function) or "", file.text]
        return _digest(*texts)

    def _file_of(self, function: Callable[..., Any]) -> SourceFile | None:
        path = inspect.getsourcefile(function) if inspect.isfunction(function) else None
        if path is None:
            return None
        if path not in self._files:
            self._files[path] = read_file(path)
        return self._files[path]


def _fixture_names(item: pytest.Function) -> Iterator[str]:
    """Yield the fixtures that an item uses, but for pytest's own and ours: those come with versions, which are stored."""
    for name, definitions in fixture_info(item).name2fixturedefs.items():
        modules = [getattr(unwrapped(definition.func), "__module__", None) or "" for definition in definitions]
        if not all(f"{module}.".startswith(_OWN) for module in modules):
            yield name


def read_file(path: str) -> SourceFile | None:
    """Return what a Python file says; None where it cannot be read."""
    try:
        with tokenize.open(path) as file:  # In the encoding that the file says it has.
            text = file.read()
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError):
        return None
    lines = text.encode().splitlines(keepends=True)  # Columns of a tree count bytes.
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    spaces = [space for node in functions for space in _spaces(node)]
    for space in sorted(spaces, key=lambda space: (space.lineno, space.col_offset), reverse=True):
        _cut(lines, space)
    return SourceFile(
        b"".join(lines).decode(), {(node.name, _first_line(node)): _joined(lines, node) for node in functions}
    )


def _spaces(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr | ast.keyword]:
    """Yield the arguments of a function's ``@sweep(...)`` that say what is tried."""
    for call in function.decorator_list:
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] == "sweep":
            yield from call.args
            yield from (keyword for keyword in call.keywords if keyword.arg in _OF_THE_KEY)


def _cut(lines: list[bytes], node: ast.expr | ast.keyword) -> None:
    """Take the text of an argument, and its comma, out of `lines`, whose number stays the same."""
    assert node.end_lineno is not None
    first, last = node.lineno - 1, node.end_lineno - 1
    before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
    if after.lstrip().startswith(b","):
        after = after.lstrip()[1:].lstrip(b" ")
    else:
        before = before.rstrip(b" ").removesuffix(b",")
    lines[first] = before + after if before.strip() or after.strip() else b""
    for index in range(first + 1, last + 1):
        lines[index] = b""


def _first_line(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def _joined(lines: list[bytes], function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return b"".join(lines[_first_line(function) - 1 : function.end_lineno]).decode()


def _function_text(file: SourceFile, function: Callable[..., Any]) -> str | None:
    code = function.__code__
    return file.functions.get((code.co_name, code.co_firstlineno))


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
