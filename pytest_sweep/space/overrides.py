"""Axes that are replaced from outside, as text: ``train_model.lr=1e-4,1e-3``. Knows neither the command line nor which sweeps there are."""

from __future__ import annotations

import ast
import pathlib
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.model.metrics import plain_scalar
from pytest_sweep.space.axes import Path, dotted
from pytest_sweep.space.composition import Space
from pytest_sweep.space.domains import Categorical, Domain, Float, Integer, Normal
from pytest_sweep.space.naming import escaped, value_text
from pytest_sweep.space.points import Choice
from pytest_sweep.space.templates import as_domain

_LONGEST = 300
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Override:
    """Values that replace an axis for a run.

    Attributes:
        text: as written.
        name: the dotted key of the axis, after the name of a sweep and a dot where only that one is meant.
        values: the text of each value.
    """

    text: str
    name: str
    values: tuple[str, ...]

    def key_in(self, sweep_names: Collection[str], keys: Collection[str]) -> str | None:
        """Return the axis that is meant among the `keys` of a sweep, which goes by one of `sweep_names`; None where none is."""
        if self.name in keys:
            return self.name
        after = [self.name.removeprefix(f"{name}.") for name in sweep_names if self.name.startswith(f"{name}.")]
        return next((key for key in after if key in keys), None)

    def applied(self, space: Space, key: str) -> Space:
        """Return the space with the axis `key` replaced.

        Raises:
            SpaceError: a value is none of the axis' types.
        """

        def change(path: Path, axis: Any) -> Any:
            return self._converted(key, axis) if dotted(path) == key else axis

        return space.changed(change)

    def _converted(self, key: str, axis: Any) -> list[Any]:
        converters = list(_converters(axis))
        values = []
        for text in self.values:
            for convert in converters:
                try:
                    values.append(convert(text))
                    break
                except (ValueError, SyntaxError, KeyError):
                    continue
            else:
                raise SpaceError(
                    f"{_cut(self.text)}: {_cut(repr(text))} is none of what the axis {key!r} takes: {_told(axis)}"
                )
        return values


def axis_keys(space: Space) -> list[str]:
    """Return the dotted keys of a space's axes, each once."""
    keys: dict[str, None] = {}

    def note(path: Path, axis: Any) -> Any:
        keys[dotted(path)] = None
        return axis

    space.changed(note)
    return list(keys)


def parse_override(text: str) -> Override:
    """Return what ``KEY=VALUE,VALUE`` says. A comma within quotes or brackets separates nothing.

    Raises:
        SpaceError: there is no ``=``, no key or no value.
    """
    name, equals, values = text.partition("=")
    found = tuple(_pieces(values))
    if not equals or not name.strip() or not all(found):
        raise SpaceError(f"{_cut(repr(text))} is not KEY=VALUE,VALUE such as lr=1e-4,1e-3 or train_model.lr=0.1")
    return Override(text, name.strip(), found)


def _pieces(text: str) -> Iterator[str]:
    """Yield the parts between the commas that stand outside of quotes and brackets.

    A quote opens a quoted text where a value begins, and within brackets; elsewhere it is an apostrophe, as in ``it's``.
    """
    waiting: list[str] = []
    start = 0
    for index, char in enumerate(text):
        if waiting and char == waiting[-1]:
            waiting.pop()
        elif waiting and waiting[-1] in "'\"":
            continue
        elif char in "'\"":
            opens = bool(waiting) or not text[start:index].strip()
            if opens and char in text[index + 1 :]:
                waiting.append(char)
        elif char in _BRACKETS:
            waiting.append(_BRACKETS[char])
        elif char == "," and not waiting:
            yield text[start:index].strip()
            start = index + 1
    yield text[start:].strip()


def _converters(axis: Any) -> Iterator[Callable[[str], Any]]:
    """Yield ways to read a text as a value of the axis, the strictest first."""
    listed = _listed(axis)
    # What stands in a node id is the value itself, with its id and marks; so objects can be chosen that no text can make.
    yield {_label(value): value for value in reversed(listed)}.__getitem__
    domain = as_domain(axis)
    kinds = {type(plain_scalar(_bare(value))) for value in listed}
    kinds |= {float} if isinstance(domain, (Float, Normal)) else {int} if isinstance(domain, Integer) else set()
    if type(None) in kinds:
        yield {"None": None, "null": None}.__getitem__
    if bool in kinds:
        yield {"True": True, "true": True, "False": False, "false": False}.__getitem__
    if int in kinds:
        yield int
    if float in kinds:
        yield float
    yield from (kind for kind in kinds if issubclass(kind, pathlib.PurePath))
    if str in kinds:
        yield _string
    if kinds & {list, tuple, dict, set, bytes} or not kinds:
        yield _literal(kinds)
    if not kinds:  # What a function or a strategy returns can be anything.
        yield _string


def _listed(axis: Any) -> Sequence[Any]:
    if isinstance(axis, Categorical):
        return axis.categories
    if as_domain(axis) is not None or isinstance(axis, (str, bytes, Mapping)):
        return []
    try:
        return list(axis)
    except TypeError:  # No axis at all, which will be told when the space is expanded.
        return []


def _bare(value: Any) -> Any:
    return value.value if isinstance(value, Choice) else value


def _label(value: Any) -> str:
    if isinstance(value, Choice) and value.label is not None:
        return value.label
    return value_text(_bare(value))


def _string(text: str) -> str:
    """Return the text; without its quotes where it has some."""
    quoted = len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]
    return str(_evaluated(text)) if quoted else text


def _evaluated(text: str) -> Any:
    """Return the value that a literal of Python stands for; ValueError or SyntaxError where there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # Of backslashes and of numbers that end in a word: they point to a line that nobody has.
            return ast.literal_eval(text)
    except (RecursionError, MemoryError) as error:
        raise ValueError("it is nested too deeply") from error


def _literal(kinds: Collection[type]) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        value = _evaluated(text)
        if kinds and type(value) not in kinds:
            raise ValueError(text)
        return value

    return convert


def _cut(text: str) -> str:
    text = escaped(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _told(axis: Any) -> str:
    domain: Domain | None = as_domain(axis)
    if domain is not None and not isinstance(domain, Categorical):
        return (
            "integers"
            if isinstance(domain, Integer)
            else "numbers"
            if isinstance(domain, (Float, Normal))
            else repr(domain)
        )
    labels = [_label(value) for value in _listed(axis)]
    return ", ".join(labels[:10]) + (f" and {len(labels) - 10} more" if len(labels) > 10 else "")
