"""What an expanded search space consists of, as frozen records. Knows neither how it was written nor how it is named."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class _NotChosen:
    """The class of `NOT_CHOSEN`."""

    def __repr__(self) -> str:
        return "<chosen while the sweep runs>"


NOT_CHOSEN = _NotChosen()
"""Stands in an item for a value that a searcher has not chosen yet. No trial ever sees it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of an axis, or one whole configuration, with an id or marks of its own.

    Attributes:
        value: what the trial receives.
        label: stands for the value in the node id; None leaves it to the naming.
        marks: carried to the points that take this choice; their kind is the caller's business.
    """

    value: Any
    label: str | None = None
    marks: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """One configuration to try.

    Attributes:
        config: the configuration; its dicts belong to this point alone, the values in it are shared.
        label: the text within the brackets of the node id, unique in its expansion.
        marks: the marks of its choices, in the order of the axes.
        replicate: 0 for the first of equal configurations, 1, 2, … for the further ones.
        identity: what ``trial_key`` takes as the configuration. It is `config` itself, save that a value without content to
            tell it by is its labelled choice.
    """

    config: dict[str, Any]
    label: str
    marks: tuple[Any, ...]
    replicate: int
    identity: Any = field(repr=False)

    @property
    def is_blank(self) -> bool:
        """Whether it is a slot, whose values are chosen while the sweep runs."""
        return any(value is NOT_CHOSEN for value in self.config.values())


@dataclass(frozen=True, slots=True)
class Expansion:
    """A search space as the points that it holds.

    Attributes:
        points: what to try, in order.
        keys: the top-level keys over all points, in order of appearance.
        varying: the dotted keys that take more than one value or that some points lack, in order of appearance.
        values: each distinct pair of dotted key and value once, so that values can be checked without going through all points.
        excluded: how many configurations the constraints removed.
        computed: whether a function works values out, for which it may use all others.
    """

    points: tuple[Point, ...]
    keys: tuple[str, ...]
    varying: tuple[str, ...]
    values: tuple[tuple[str, Any], ...]
    excluded: int = 0
    computed: bool = False
