"""How a configuration reads in a node id: labels, and how they stay apart. Knows neither how the space was written nor marks."""

from __future__ import annotations

import enum
import numbers
import re
import typing
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.model.integers import digits
from pytest_sweep.model.metrics import plain_scalar
from pytest_sweep.space.copies import own_containers
from pytest_sweep.space.display import enum_name, shown
from pytest_sweep.space.identity import digest
from pytest_sweep.space.nesting import flatten

LIMIT = 120
"""The length of the longest label; a longer one is cut and ends with a digest."""


MOST_ENTRIES = 16
"""How many entries a list has, at most, that is written out in a label."""

LONGEST_COMPOUND = 40
"""The longest text of a list or the like that is written out; of a longer one, a digest is."""

_BRACKETS: dict[type, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), dict: ("{", "}")}
_COMMAND = re.compile(r"(\s*)(:(?=:)|#(?=#(?:vso)?\[))")
_PART = re.compile(r"[\w.+\-|/<>]+")
"""What a part of a list may read, so that it is told from the next part."""


def label_part(key: str, value: object, label: str | None = None) -> str:
    """Return how a value reads at a dotted key: ``lr=0.001``; its own label, if it has one, stands for it.

    Raises:
        SpaceError: the value is shown by a digest, and has no content to digest.
    """
    text = value_text(value) if label is None else escaped(label)
    return f"{escaped(key)}={text}"


def label_of(config: Mapping[str, Any]) -> str:
    """Return how a configuration reads as a whole: ``lr=0.001-depth=2``.

    Raises:
        SpaceError: a value is shown by a digest, and has no content to digest.
    """
    stem = "-".join(label_part(key, value) for key, value in flatten(config).items()) or "{}"
    return _label(stem, 0, dict(config), 0)


def value_text(value: object) -> str:
    """Return how a value reads: a string, a number, a boolean or None as itself, a function, class or enum by its name.

    A small list, tuple or dict of such values reads ``[64,32]``, ``(64,32)``, ``{name:adam,lr:0.1}``. Anything else is 8 hexadecimal
    digits, never an index, which would move when the grid grows.

    Raises:
        SpaceError: the value has no content to digest.
    """
    # Most values are of these kinds.
    if type(value) is int:
        return digits(value)
    if type(value) in (str, float):
        return escaped(str(value))
    value = value if isinstance(value, type) else plain_scalar(value)
    text = _compound_text(value) if type(value) in _BRACKETS else _own_text(value)
    return digest(value, 8) if text is None else escaped(text)


def _compound_text(value: Any) -> str | None:
    """Return the text of a list, a tuple or a dict of values that have one; None where it is long, or could be read otherwise."""
    if len(value) > MOST_ENTRIES:
        return None
    parts = []
    for entry in value.items() if type(value) is dict else value:
        texts = [_part(part) for part in (entry if type(value) is dict else [entry])]
        if None in texts:
            return None
        parts.append(":".join(map(str, texts)))
    opening, closing = _BRACKETS[type(value)]
    text = f"{opening}{','.join(parts)}{closing}"
    return text if len(text) <= LONGEST_COMPOUND else None


def _part(value: Any) -> str | None:
    """Return the text of an entry of a list or the like; None where it has none, or one that would be taken apart."""
    if type(value) in _BRACKETS:
        return _compound_text(value)
    text = _own_text(value if isinstance(value, type) else plain_scalar(value))
    return text if text is not None and _PART.fullmatch(text) else None


def _own_text(value: Any) -> str | None:
    """Return the text of a value that has one of its own, else None."""
    if isinstance(value, enum.Enum):
        return enum_name(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return digits(value)
    if value is None or isinstance(value, (str, numbers.Number)):
        return str(value)
    name = getattr(value, "__name__", None)
    # list[int] is callable too, and says that its name is `list`.
    return name if callable(value) and isinstance(name, str) and typing.get_origin(value) is None else None


def escaped(text: str) -> str:
    """Return `text` on one line: what cannot be printed appears as Python would escape it."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def printable(text: str) -> str:
    r"""Return `text` with what could move the cursor or colour the terminal written as Python would write it: ``\x1b``, ``\u202e``.

    Line breaks are escaped, too; tabs are left. What CI services would take for a command (``::error ...``) begins with an escape.
    """
    if not text.isprintable():
        text = "\t".join(map(escaped, text.split("\t")))
    start = _COMMAND.match(text)
    return f"{start[1]}\\x{ord(start[2]):02x}{text[start.end() :]}" if start else text


def unique_labels(
    stems: Sequence[str], replicates: Sequence[int], identities: Sequence[object], taken: Collection[str] = ()
) -> list[str]:
    """Return a label for each point, so that no two are equal, none is in `taken`, and none is longer than `LIMIT`.

    A point keeps its stem where that is unique. Stems that several configurations share all get ``~`` and a digest of their own
    configuration, so that a label depends on the other points in nothing but whether it collides; the second of equal
    configurations gets ``#2``.

    Args:
        stems: how each point's configuration reads.
        replicates: which of equal configurations each is, from 0.
        identities: what tells each configuration from the others; looked at only where it is needed.
        taken: labels that are not to be had.
    """
    digits = dict.fromkeys(stems, 0)
    while True:
        labels = [
            _label(stem, replicate, identity, digits[stem])
            for stem, replicate, identity in zip(stems, replicates, identities, strict=True)
        ]
        count = Counter(labels)
        crowded = {stem for stem, label in zip(stems, labels, strict=True) if count[label] > 1 or label in taken}
        if not crowded:
            return labels
        for stem in crowded:
            digits[stem] += 8


def given_labels(
    ids: object, configs: Sequence[dict[str, Any]], replicates: Sequence[int], repeats: int = 1
) -> list[str | None]:
    """Return the label that `ids` gives to each configuration, None where it leaves that to the naming.

    Args:
        ids: None, a list of as many strings as there are configurations, or a function of a configuration that returns a string
            or None. The function cannot tell equal configurations apart, so that the second of them gets ``#2``.
        configs: the configurations; all of them, then all of them again, `repeats` times.
        replicates: which of equal configurations each is, from 0.
        repeats: how often the configurations are there. A list of ids names those of the first time; the second get ``#2``.

    Raises:
        SpaceError: `ids` is none of these, or gives one label to two configurations.
    """
    labels: list[str | None]
    if ids is None:
        return [None] * len(configs)
    if isinstance(ids, (list, tuple)):
        labels = _listed_labels(ids, len(configs) // repeats, repeats)
    elif callable(ids):
        labels = [_called_label(ids, config, replicate) for config, replicate in zip(configs, replicates, strict=True)]
    else:
        raise SpaceError(f"ids is a list of strings or a function of the configuration, not {shown(ids)}")
    first: dict[str, int] = {}
    for index, label in enumerate(labels):
        if label is not None and first.setdefault(label, index) != index:
            one, two = shown(configs[first[label]]), shown(configs[index])
            raise SpaceError(f"ids gives {label!r} to both {one} and {two}: give each an id of its own")
    return labels


def _label(stem: str, replicate: int, identity: object, digits: int) -> str:
    tail = f"#{replicate + 1}" if replicate else ""
    if not digits and len(stem) + len(tail) > LIMIT:
        digits = 8
    if digits:
        tail = f"~{digest(identity, digits)}{tail}"
    return stem[: LIMIT - len(tail)] + tail if tail else stem


def _listed_labels(ids: Sequence[object], count: int, repeats: int) -> list[str | None]:
    labels: list[str] = []
    for index, label in enumerate(ids):
        if not isinstance(label, str):
            raise SpaceError(f"ids[{index}] is {shown(label)}: the ids are strings")
        labels.append(label)
    if len(labels) != count:
        raise SpaceError(
            f"ids has {len(labels)} strings for {count} configurations: "
            "give one for each, or a function of the configuration"
        )
    return [f"{label}#{number + 1}" if number else label for number in range(repeats) for label in labels]


def _called_label(ids: Any, config: dict[str, Any], replicate: int) -> str | None:
    try:
        label = ids(own_containers(config))
    except Exception as error:
        raise SpaceError(f"ids failed for {shown(config)}: {type(error).__name__}: {error}") from error
    if label is None:
        return None
    if not isinstance(label, str):
        raise SpaceError(f"ids returned {shown(label)} for {shown(config)}: return a string, or None for the usual id")
    return f"{label}#{replicate + 1}" if replicate else label
