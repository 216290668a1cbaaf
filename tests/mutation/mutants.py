"""Makes the mutants of a file: mutmut's operators, and two more. Knows nothing of tests."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.file_mutation import MutationVisitor, deep_replace
from mutmut.mutation.mutators import OPERATORS_TYPE, mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Attributes:
        path: the file, relative to the root of the project.
        line: the first line of what is changed.
        lines: those of the statement that it is a part of.
        is_imported: whether it is run when the file is imported, and not when a function is called.
        before: its text.
        after: the text in its place.
        source: the text of the whole mutated file.
    """

    path: str
    line: int
    lines: tuple[int, ...]
    is_imported: bool
    before: str
    after: str
    source: str


def without_statement(node: cst.SimpleStatementLine) -> Iterator[cst.SimpleStatementLine]:
    """Replace a call whose result is not used by ``pass``: mutmut deletes no statements."""
    if len(node.body) == 1 and isinstance(node.body[0], cst.Expr) and not _is_text(node.body[0].value):
        yield node.with_changes(body=[cst.Pass()])


def negated(node: cst.If | cst.While | cst.IfExp) -> Iterator[cst.CSTNode]:
    """Negate a condition: mutmut changes operators in conditions, and leaves calls and names."""
    test = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    yield node.with_changes(
        test=cst.UnaryOperation(cst.Not(), test, lpar=[cst.LeftParen()], rpar=[cst.RightParen()]),
    )


OPERATORS: OPERATORS_TYPE = [
    *mutation_operators,
    (cst.SimpleStatementLine, without_statement),
    (cst.If, negated),
    (cst.While, negated),
    (cst.IfExp, negated),
]


class Visitor(MutationVisitor):
    """Finds the mutations of a file, those of decorated functions too: each mutant here is a file of its own, not a trampoline."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if (
            isinstance(node, cst.Assign)
            and isinstance(target := node.targets[0].target, cst.Name)
            and target.value == "__all__"
        ):
            return True
        if isinstance(node, cst.FunctionDef) and any(
            cst.ensure_type(decorator.decorator, cst.Name).value == "overload"
            for decorator in node.decorators
            if isinstance(decorator.decorator, cst.Name)
        ):
            return True
        if isinstance(node, cst.FunctionDef) and node.decorators:
            return super()._skip_node_and_children(node.with_changes(decorators=[]))
        return super()._skip_node_and_children(node)


class MutatedFile:
    """The mutations of a file, in the order of its text.

    Args:
        path: the file, relative to the root of the project.
        code: its text.
    """

    def __init__(self, path: str, code: str) -> None:
        wrapper = MetadataWrapper(cst.parse_module(code))
        visitor = Visitor(OPERATORS, IgnoredCode(set(), set(), set()))
        self._path = path
        self._code = code
        self._module = wrapper.visit(visitor)
        self._mutations = visitor.mutations
        self._positions: Any = wrapper.resolve(PositionProvider)
        self._parents: Any = wrapper.resolve(ParentNodeProvider)

    def __len__(self) -> int:
        return len(self._mutations)

    def mutant(self, index: int) -> Mutant | None:
        """Return a mutant; None where it does not compile, or is no other text."""
        mutation = self._mutations[index]
        before, after = mutation.original_node, mutation.mutated_node
        mutated = deep_replace(self._module, before, after)
        assert isinstance(mutated, cst.Module)
        if mutated.code == self._code or not _compiles(mutated.code):
            return None
        return Mutant(
            self._path,
            self._positions[before].start.line,
            self._lines(before),
            self._is_imported(before),
            _shown(self._module, before),
            _shown(self._module, after),
            mutated.code,
        )

    def _is_imported(self, node: cst.CSTNode) -> bool:
        """Say whether a node is in no function's body: a constant, a field of a class, a default value, a decorator."""
        while not isinstance(node, cst.Module):
            node, child = self._parents[node], node
            if isinstance(node, (cst.FunctionDef, cst.Lambda)) and child is node.body:
                return False
        return True

    def _lines(self, node: cst.CSTNode) -> tuple[int, ...]:
        """Return the lines of the statement that a node is a part of; of a compound one, those of its first part."""
        while not isinstance(node, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            node = self._parents[node]
        position = self._positions[node]
        if isinstance(node, cst.SimpleStatementLine):
            return tuple(range(position.start.line, position.end.line + 1))
        body = self._positions[node.body]
        return tuple(range(position.start.line, max(body.start.line, position.start.line + 1)))


def sample(root: Path, paths: Iterable[str], count: int, seed: int) -> tuple[list[Mutant], int]:
    """Return `count` mutants of the files, drawn evenly from all mutations, and how many of those there are."""
    files = [MutatedFile(path, (root / path).read_text("utf-8")) for path in sorted(paths)]
    places = [(number, index) for number, file in enumerate(files) for index in range(len(file))]
    total = len(places)
    random.Random(seed).shuffle(places)
    found: dict[tuple[int, int], Mutant] = {}
    for number, index in places:
        if len(found) == count:
            break
        if (mutant := files[number].mutant(index)) is not None:
            found[number, index] = mutant
    return [found[place] for place in sorted(found)], total


def _shown(module: cst.Module, node: cst.CSTNode) -> str:
    if isinstance(node, (cst.If, cst.While)):
        node = node.test
    return " ".join(module.code_for_node(node).split())


def _is_text(node: cst.CSTNode) -> bool:
    return isinstance(node, (cst.SimpleString, cst.ConcatenatedString, cst.Ellipsis))


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True
