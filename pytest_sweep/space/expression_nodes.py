"""From the syntax of a condition to functions of a configuration. Knows neither texts without syntax nor who asks."""

from __future__ import annotations

import ast
import contextlib
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.model.metrics import plain_scalar
from pytest_sweep.space.expression_values import (
    ABSENT,
    ARITHMETIC,
    COMPARISONS,
    PLAIN,
    Constants,
    calculated,
    found_at,
    shown_value,
    where,
)

Value = Callable[[Mapping[str, Any]], Any]

ALLOWED = (
    "a condition is made of names, numbers, strings, True, False, None, comparisons, "
    "`in`, `is None`, `and`, `or`, `not`, + - * / // % **, lists and tuples"
)
_REFUSED: Mapping[type[ast.AST], str] = {
    ast.Call: "a call",
    ast.Subscript: "a subscript (write dots: `optimizer.lr`)",
    ast.Attribute: "an attribute of what is not a name",
    ast.Lambda: "a lambda",
    ast.IfExp: "`if` (write `and` and `or`)",
    ast.JoinedStr: "an f-string",
    ast.BitAnd: "`&` (write `and`)",
    ast.BitOr: "`|` (write `or`)",
    ast.Invert: "`~` (write `not`)",
    ast.Set: "a set that is not on the right of `in`",
}


class AbsentError(Exception):
    """A condition asks for a name that the configuration does not have; whoever asked decides what that means."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the configuration has no {name!r}")
        self.name = name


class Builder:
    """Turns the nodes of one condition into functions of the configuration."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: set[str] = set()

    def source(self, node: ast.expr) -> str:
        """Return the text of a node, as written."""
        return ast.get_source_segment(self.text, node) or ast.unparse(node)

    def build(self, node: ast.expr) -> Value:
        """Return the function that a node stands for."""
        handlers: Mapping[type[ast.expr], Callable[[Any], Value]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.Attribute: self._name,
            ast.BoolOp: self._junction,
            ast.UnaryOp: self._unary,
            ast.BinOp: lambda node: self._arithmetic(node, [node.left, node.right]),
            ast.Compare: self._comparison,
            ast.Tuple: self._several,
            ast.List: self._several,
        }
        handler = handlers.get(type(node))
        if handler is None:
            raise self._refused(node)
        return handler(node)

    def _constant(self, node: ast.Constant) -> Value:
        value = node.value
        if type(value) not in PLAIN:
            raise self._refused(node, f"a value of type {type(value).__name__}")
        return lambda _: value

    def _name(self, node: ast.Name | ast.Attribute) -> Value:
        parts: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            parts.insert(0, inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            raise self._refused(node)
        parts.insert(0, inner.id)
        if any(part.startswith("__") for part in parts):
            raise self._refused(node, "a name that begins with two underscores")
        name = ".".join(parts)
        self.names.add(name)

        def read(config: Mapping[str, Any]) -> Any:
            value = config.get(name, ABSENT) if len(parts) == 1 else found_at(config, parts)
            if type(value) in PLAIN:
                return value
            if value is ABSENT:
                raise AbsentError(name)
            return value if isinstance(value, type) else plain_scalar(value)

        return read

    def _junction(self, node: ast.BoolOp) -> Value:
        operands = [self.build(operand) for operand in node.values]
        ends_at = isinstance(node.op, ast.Or)

        def junction(config: Mapping[str, Any]) -> Any:
            absent: AbsentError | None = None
            for operand in operands:
                try:
                    value = operand(config)
                except AbsentError as error:  # Unknown, as NULL in SQL: another operand can still decide.
                    absent = absent or error
                    continue
                if bool(value) is ends_at:
                    return value
            if absent is not None:
                raise absent
            return value

        return junction

    def _unary(self, node: ast.UnaryOp) -> Value:
        if not isinstance(node.op, ast.Not):
            return self._arithmetic(node, [node.operand])
        operand = self.build(node.operand)
        return lambda config: not operand(config)

    def _several(self, node: ast.Tuple | ast.List) -> Value:
        parts = [self.build(part) for part in node.elts]
        return lambda config: tuple([part(config) for part in parts])

    def _within(self, node: ast.expr, *, is_whole: bool = True) -> Value:
        """Return what stands on the right of ``in``, where sets may be written, too."""
        if not isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            return self.build(node)
        kind = list if isinstance(node, ast.List) else set if isinstance(node, ast.Set) else tuple
        parts = [self._within(part, is_whole=False) for part in node.elts]
        with contextlib.suppress(ValueError, TypeError):  # Names within it, or a set of lists.
            constants = Constants(ast.literal_eval(node))
            if is_whole:
                return lambda _: constants
        return lambda config: kind([part(config) for part in parts])

    def _comparison(self, node: ast.Compare) -> Value:
        first, before = self.build(node.left), node.left
        links = []
        for kind, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(kind, (ast.Is, ast.IsNot)) and not (_is_single(before) or _is_single(right)):
                raise self._refused(node, "`is` with other than None, True and False (write `==`)")
            value = self._within(right) if isinstance(kind, (ast.In, ast.NotIn)) else self.build(right)
            links.append((kind, COMPARISONS[type(kind)], value, before, right))
            before = right

        def comparison(config: Mapping[str, Any]) -> bool:
            one = first(config)
            for kind, operation, value, left, right in links:
                other = value(config)
                try:
                    if not operation(one, other):
                        return False
                except Exception as error:  # Whatever the comparison of somebody's own class raises.
                    raise self._incomparable(node, kind, (left, one), (right, other), error) from error
                one = other
            return True

        return comparison

    def _arithmetic(self, node: ast.BinOp | ast.UnaryOp, operands: Sequence[ast.expr]) -> Value:
        operation = ARITHMETIC.get(type(node.op))
        if operation is None:
            raise self._refused(node, _REFUSED.get(type(node.op), "this operator"))
        values = [self.build(operand) for operand in operands]

        def arithmetic(config: Mapping[str, Any]) -> Any:
            found = [value(config) for value in values]
            try:
                return calculated(operation, found)
            except Exception as error:
                pairs = list(zip(operands, found, strict=True))
                what = (
                    f"cannot calculate `{self.source(node)}` with {' and '.join(self._shown(*pair) for pair in pairs)}"
                )
                culprit = pairs[0] if isinstance(node.op, ast.Pow) else pairs[-1]
                guarded = [culprit] if isinstance(error, ZeroDivisionError) else [p for p in pairs if p[1] is None]
                hints = [
                    f"; write `{self.source(one)} != {value!r} and` before it" for one, value in guarded if _names(one)
                ]
                raise SpaceError(f"{where(self.text)}: {what}: {error}{''.join(hints[:1])}") from error

        return arithmetic

    def _incomparable(
        self,
        node: ast.expr,
        kind: ast.cmpop,
        one: tuple[ast.expr, Any],
        other: tuple[ast.expr, Any],
        error: Exception,
    ) -> SpaceError:
        is_within = isinstance(kind, (ast.In, ast.NotIn))
        hint = "numbers are ordered with numbers and strings with strings; for other values there are == and !="
        if is_within:
            hint = "on the right of `in` stand several values, such as `(1, 2)`, or a string for a string"
        elif isinstance(kind, (ast.Eq, ast.NotEq)):
            hint = f"their own comparison failed with {type(error).__name__}: {error}"
        for (part, value), (_, against) in ((one, other), (other, one)):
            is_odd = value is None or (isinstance(value, str) and isinstance(against, numbers.Number))
            if is_odd and _names(part):
                hint = f"write `{self.source(part)} != {shown_value(value)} and {self.source(node)}`"
        verb, link = ("look for", "in") if is_within else ("compare", "with")
        return SpaceError(f"{where(self.text)}: cannot {verb} {self._shown(*one)} {link} {self._shown(*other)}; {hint}")

    def _shown(self, node: ast.expr, value: object) -> str:
        name = f"{self.source(node)}=" if _names(node) else ""
        return f"{name}{shown_value(value)} ({type(value).__name__})"

    def _refused(self, node: ast.expr, what: str = "") -> SpaceError:
        what = what or _REFUSED.get(type(node), f"this ({type(node).__name__})")
        line = self.text.splitlines()[node.lineno - 1].encode()
        column = len(line[: node.col_offset].decode()) + 1
        place = f"line {node.lineno}, column {column}" if "\n" in self.text else f"column {column}"
        return SpaceError(f"{where(self.text)}: {what} is not possible, at {place}: `{self.source(node)}`; {ALLOWED}")


def _names(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Name) for part in ast.walk(node))


def _is_single(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))
