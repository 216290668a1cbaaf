"""Reads files of the project: a digest of what a file says, its functions, and what it imports. A file is read once."""

from __future__ import annotations

import ast
import hashlib
import os
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_sweep.sources.names import Names, names_in

REST = "rest:"
"""Begins the digest of a file without its fixtures, as a conftest counts for trials that do not use them."""

_OF_THE_KEY = frozenset({"configs", "grid", "ids", "num_samples", "repeats", "space", "where"})
"""The arguments of a sweep that say what is tried: each trial's key holds that, so that a space may grow without being other code."""

_FIXTURE = frozenset({"fixture", "shared"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Stamp(NamedTuple):
    """By which a file is known not to have changed: when it was written, and its size."""

    written_ns: int
    size: int


@dataclass(frozen=True)
class CodeFile:
    """What a file says.

    Comments, blank lines and formatting do not count, nor does the space of a sweep in its decorator. Docstrings do: programs read them.

    Attributes:
        whole: a digest of all of it.
        rest: a digest of what is not a fixture.
        functions: a digest of each function that is decorated, by its name and the line that it begins in.
        names: what it imports, or may import.
        stamp: by which it is known to be the same.
    """

    whole: str
    rest: str
    functions: dict[tuple[str, int], str]
    names: Names
    stamp: Stamp


@dataclass
class Files:
    """Reads files, each of them once."""

    _files: dict[str, CodeFile | None] = field(default_factory=dict)

    def read(self, path: str) -> CodeFile | None:
        """Return what a file says; None where it cannot be read."""
        if path not in self._files:
            self._files[path] = read_code(path)
        return self._files[path]

    def digest(self, path: str, like: str = "") -> str | None:
        """Return the digest of a file, of the same kind as `like`: of all of it, or of what is not a fixture."""
        file = self.read(path)
        if file is None:
            return None
        return file.rest if like.startswith(REST) else file.whole


def read_code(path: str) -> CodeFile | None:
    """Return what the file at `path` says now; None where it cannot be read.

    What is no Python, such as a compiled module, is a file without functions and imports.
    """
    try:
        with open(_archive(path), "rb") as file:  # noqa: PTH123 - thousands of files, at the start of each session
            status, content = os.fstat(file.fileno()), file.read()
    except OSError:
        return None
    stamp = Stamp(status.st_mtime_ns, status.st_size)
    try:
        return _parsed(ast.parse(content), stamp)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        digest = digest_of(content.hex())
        return CodeFile(digest, REST + digest, {}, Names(), stamp)


def _parsed(tree: ast.Module, stamp: Stamp) -> CodeFile:
    functions = _without_spaces(tree)
    parts = [(isinstance(node, Function) and _is_fixture(node), ast.dump(node)) for node in tree.body]
    return CodeFile(
        digest_of(*(text for _, text in parts)),
        REST + digest_of(*(text for is_fixture, text in parts if not is_fixture)),
        {_place(node): digest_of(ast.dump(node)) for node in functions if node.decorator_list},
        names_in(tree),
        stamp,
    )


def digest_of(*texts: str) -> str:
    """Return a digest of texts: 16 hexadecimal digits."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _archive(path: str) -> str:
    """Return the file that `path` is in, which is another one where a module is imported from an archive."""
    found = path
    while not os.path.exists(found) and os.path.dirname(found) != found:  # noqa: PTH110, PTH120
        found = os.path.dirname(found)  # noqa: PTH120
    return path if os.path.isdir(found) else found  # noqa: PTH112


def _place(function: Function) -> tuple[str, int]:
    """Return what a function's code object says of it."""
    return function.name, min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def _without_spaces(tree: ast.AST) -> list[Function]:
    """Take out of each ``sweep(...)`` that makes a sweep what says what is tried; return the functions."""
    functions = []
    for node in ast.walk(tree):
        if isinstance(node, Function):
            functions.append(node)
            for decorator in node.decorator_list:
                _cut_space(decorator)
        elif isinstance(node, ast.Call):  # sweep(grid=...)(function)
            _cut_space(node.func)
    return functions


def _cut_space(call: ast.expr) -> None:
    if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] == "sweep":
        call.args = []
        call.keywords = [keyword for keyword in call.keywords if keyword.arg not in _OF_THE_KEY]


def _is_fixture(function: Function) -> bool:
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if ast.unparse(called).rpartition(".")[2] in _FIXTURE:
            return True
    return False
