"""Conditions on configurations, such as ``lr * batch < 1 and depth in (2, 4)``: a few of Python's expressions, none of its calls.

A condition is parsed once, by Python's own parser, into nested functions: nothing is ever given to ``eval``. Names are keys of the
configuration and never attributes of an object. Knows neither who asks nor how configurations are made.
"""

from __future__ import annotations

import ast
import difflib
import keyword
import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.space.expression_nodes import ALLOWED, AbsentError, Builder, Value
from pytest_sweep.space.expression_values import PLAIN, readable, shown_value, where

__all__ = ["AbsentError", "Condition", "parse_condition", "unknown_name"]

_CHARACTERS, _LEVELS, _SHOWN = 10_000, 100, 20
_KEYWORDS = ("and", "or", "not", "in", "is", "if", "else", "for", "None", "True", "False")


@dataclass(frozen=True)
class Condition:
    """A condition on configurations, ready to be asked.

    Attributes:
        text: the condition as written.
        names: the names it uses, dotted where they lead into nested configurations.
    """

    text: str
    names: frozenset[str]
    _value: Value = field(repr=False, compare=False)
    _parts: tuple[str, ...] = field(repr=False, compare=False)

    def holds(self, config: Mapping[str, Any]) -> bool:
        """Return whether a configuration meets the condition. What ``and`` and ``or`` need not look at is not looked at.

        Args:
            config: nested dicts; ``optimizer.lr`` is ``config["optimizer"]["lr"]``, or else ``config["optimizer.lr"]``.

        Raises:
            AbsentError: a name is not in the configuration, and what else there is does not decide: ``x or True`` holds without x.
            SpaceError: the values cannot be compared or calculated with.
        """
        try:
            return bool(self._value(config))
        except (AbsentError, SpaceError):
            raise
        except Exception as error:  # What an operand of `and` does when it is asked for its truth: an array refuses.
            raise SpaceError(f"{where(self.text)} failed with {type(error).__name__}: {error}; compare it") from error

    def clauses(self) -> tuple[Condition, ...]:
        """Return the parts of an ``and`` that joins the whole condition, or the condition itself where there is none."""
        return tuple(_condition(part, is_part=True) for part in self._parts) or (self,)


def parse_condition(text: str) -> Condition:
    """Return the condition that `text` states.

    Raises:
        SpaceError: it is not a condition, or uses what a condition cannot.
    """
    return _condition(text, is_part=False)


def unknown_name(name: str, known: Collection[str]) -> str:
    """Return the sentence for a name that no configuration has: what may be meant, and which names there are."""
    names = sorted(known)
    similar = [other for other in names if other.endswith(f".{name}")] or difflib.get_close_matches(name, names, 1)
    there_are = ", ".join(names[:_SHOWN]) or "no names at all"
    if len(names) > _SHOWN:
        there_are += f" and {len(names) - _SHOWN} more"
    if similar:
        return f"there is no {name!r}: did you mean {similar[0]!r}? There are {there_are}"
    return f"there is no {name!r}: there are {there_are}"


def _condition(text: str, *, is_part: bool) -> Condition:
    source = text.strip()
    tree = _parsed(source)
    builder = Builder(source)
    value = builder.build(tree)
    parts: tuple[str, ...] = ()
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        # Parentheses allow line breaks, and are not part of what they enclose.
        parts = tuple(f"({part})" if "\n" in part else part for part in map(builder.source, tree.values))
    if not is_part:
        value = _judged(tree, source, value)
    return Condition(text, frozenset(builder.names), value, parts)


def _parsed(source: str) -> ast.expr:
    if not source:
        raise SpaceError("a condition is empty: write a comparison such as `lr < 0.1`")
    if len(source) > _CHARACTERS:
        raise SpaceError(f"{where(source)} has {len(source)} characters: a condition has at most {_CHARACTERS}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of backslashes in strings: they would point to a line that nobody has.
            tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        raise SpaceError(f"{where(source)}: {_syntax(source, error)}") from error
    except (RecursionError, MemoryError) as error:
        raise SpaceError(f"{where(source)} is nested too deeply: write it with fewer parentheses") from error
    except ValueError as error:
        raise SpaceError(f"{where(source)} cannot be read: {error}") from error
    level, depth = [tree], 0
    while level := [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]:
        depth += 1
    if depth > _LEVELS:
        raise SpaceError(f"{where(source)} is nested {depth} levels deep: at most {_LEVELS} are possible")
    return tree


def _syntax(source: str, error: SyntaxError) -> str:
    without_strings = re.sub(r"'[^']*'|\"[^\"]*\"", lambda string: "_" * len(string[0]), source)
    if single := re.search(r"(?<![=!<>:])=(?!=)", without_strings):
        return f"`=` at column {single.start() + 1} sets a value: write `==` to compare"
    for word in re.findall(r"\w+", without_strings):
        if keyword.iskeyword(word) and word not in _KEYWORDS:
            return f"{word!r} is a keyword of Python, which no name in a condition can be: rename the key"
    line = f"line {error.lineno}, " if "\n" in source else ""
    return f"{error.msg} at {line}column {error.offset or len(source)}; {ALLOWED}"


def _judged(tree: ast.expr, source: str, value: Value) -> Value:
    """Refuse a whole condition that is a value without a question, which would hold whatever the configuration is."""
    if isinstance(tree, (ast.Name, ast.Attribute)):

        def flag(config: Mapping[str, Any]) -> bool:
            found = value(config)
            if isinstance(found, bool):
                return found
            text = readable(found)
            example = f"== {shown_value(text)}" if type(text) in PLAIN and text is not None else "!= None"
            what = f"{source}={shown_value(found)} ({type(found).__name__})"
            raise SpaceError(f"{where(source)}: {what} is no condition: write a comparison: `{source} {example}`")

        return flag
    constant = isinstance(tree, ast.Constant) and not isinstance(tree.value, bool)
    negated = isinstance(tree, ast.UnaryOp) and not isinstance(tree.op, ast.Not)
    if constant or negated or isinstance(tree, (ast.BinOp, ast.Tuple, ast.List)):
        raise SpaceError(f"{where(source)} is a value and no condition: write a comparison such as `lr < 0.1`")
    return value
