"""One axis: from what is written at a key to its slots. Knows neither how axes combine nor how values are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.space.canonical import identifiable, identity_text
from pytest_sweep.space.display import shown
from pytest_sweep.space.domains import Domain
from pytest_sweep.space.naming import label_part
from pytest_sweep.space.nesting import flat_items, is_nested
from pytest_sweep.space.points import Choice
from pytest_sweep.space.templates import FilledFunction, Template, as_domain, check_drawn, drawable

Path = tuple[str, ...]

_SCALARS = frozenset({str, int, float, bool, type(None)})


@dataclass(slots=True, eq=False)  # Not frozen, which would double what making one costs: a space has many.
class Setting:
    """One value of one axis, with all that can be worked out once for all points that take it. Never changed.

    Attributes:
        path: the keys that lead to it.
        value: the value.
        keyed: what tells the value from others: itself, or the labelled choice where it has no content to tell it by.
        leaves: the dotted keys that it fills, each with the identity of what is there.
        part: how it reads in a label: ``lr=0.1``.
        marks: the marks that it was given.
    """

    path: Path
    value: Any
    keyed: Any
    leaves: tuple[tuple[str, str], ...]
    part: str
    marks: tuple[Any, ...] = ()

    @property
    def settled(self) -> tuple[tuple[str, str], ...]:
        """What is there before anything is drawn: all of it."""
        return self.leaves

    @classmethod
    def of(cls, path: Path, written: object) -> Setting:
        """Return the setting of an axis for a value of it, plain or a `Choice`.

        Raises:
            SpaceError: the value has no identity, or is a domain. The text does not name the axis.
        """
        key = dotted(path)
        # Nearly all values are plain, and what follows asks much that need not be asked of them.
        if type(written) in _SCALARS:
            return cls(path, written, written, ((key, identity_text(written)),), label_part(key, written))
        choice = written if isinstance(written, Choice) else Choice(written)
        value, keyed = choice.value, keyed_by(choice)
        check_drawn(value)
        if is_nested(value) and keyed is value:
            leaves = tuple((inner, identity_text(leaf)) for inner, leaf in flat_items(value, f"{key}."))
        else:
            leaves = ((key, identity_text(keyed)),)
        return cls(path, value, keyed, leaves, label_part(key, value, choice.label), choice.marks)


@dataclass(frozen=True, slots=True, eq=False)
class Open:
    """A place in a configuration whose value is drawn, or worked out, anew for every point.

    Attributes:
        path: the keys that lead to it.
        domain: what the value comes from.
        leaves: as for a `Setting`; the identity is the domain's.
        settled: as the leaves, of what is there whatever is drawn; nothing, unless it is a value with domains in it.
    """

    path: Path
    domain: Domain
    leaves: tuple[tuple[str, str], ...]
    settled: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, path: Path, domain: Domain) -> Open:
        """Return the place at `path` that `domain` fills."""
        # A domain without content to tell it by, such as one of a strategy, is equal to itself only.
        identity = identity_text(domain) if identifiable(domain) else f"{type(domain).__name__} at {id(domain)}"
        settled: tuple[tuple[str, str], ...] = ()
        if isinstance(domain, (Template, FilledFunction)) and identifiable(domain.skeleton):
            settled = ((dotted(path), identity_text(domain.skeleton)),)
        return cls(path, domain, ((dotted(path), identity),), settled)


Slot = Setting | Open
Row = tuple[Slot, ...]


def dotted(path: Path) -> str:
    """Return the keys of a path as one: ``model.depth``."""
    return ".".join(path)


def keyed_by(choice: Choice) -> Any:
    """Return what tells the choice from others: its value, or itself where that has no content to tell it by."""
    return choice if choice.label is not None and not identifiable(choice.value) else choice.value


def axis_length(path: Path, axis: Any) -> int:
    """Return how many slots an axis has, without making them: ``range(10**9)`` is asked for its length only.

    Raises:
        SpaceError: what is written is no axis; the text says what belongs in its place.
    """
    if as_domain(axis) is not None:
        return 1
    _check_axis(dotted(path), axis)
    return len(axis)


def axis_slots(path: Path, axis: Any) -> tuple[Slot, ...]:
    """Return the slots of an axis, in order.

    Raises:
        SpaceError: what is written is no axis, or one of its values cannot be told from others.
    """
    if as_domain(axis) is not None:
        return (_named_slot(path, axis),)
    _check_axis(dotted(path), axis)
    return tuple(_named_slot(path, value) for value in axis)


def slot_of(path: Path, written: object) -> Slot:
    """Return the slot for a value, plain or a `Choice`: it is open if a domain is in it.

    Raises:
        SpaceError: the value has no identity, or holds a domain where none is drawn. The text does not name the key.
    """
    domain = drawable(written)
    return Setting.of(path, written) if domain is None else Open.of(path, domain)


def _named_slot(path: Path, written: object) -> Slot:
    try:
        return slot_of(path, written)
    except SpaceError as error:
        raise SpaceError(f"the axis {dotted(path)!r}: {error}") from error


def _check_axis(key: str, axis: Any) -> None:
    if isinstance(axis, (str, bytes, bytearray)):
        kind = "string" if isinstance(axis, str) else "bytes"
        raise SpaceError(
            f"the axis {key!r} is the {kind} {_brief(axis)}: an axis is a list of values, write [{_brief(axis)}]"
        )
    if isinstance(axis, AbstractSet):
        raise SpaceError(f"the axis {key!r} is a set, which has no order: write a sorted list, sorted({_brief(axis)})")
    if isinstance(axis, Iterator):
        raise SpaceError(
            f"the axis {key!r} is a {type(axis).__name__}, which can be read only once: write a list, list(...)"
        )
    if isinstance(axis, Choice):
        raise SpaceError(
            f"the axis {key!r} is a single pytest.param: an axis is a list of values, write [pytest.param(...)]"
        )
    if isinstance(axis, Mapping) or not _is_collection(axis):
        raise SpaceError(f"the axis {key!r} is {shown(axis)}: an axis is a list of values, write [{_brief(axis)}]")
    if not len(axis):
        raise SpaceError(f"the axis {key!r} has no values: give it at least one, or leave the key out")


def _is_collection(axis: object) -> bool:
    if not isinstance(axis, Sized) or not isinstance(axis, Iterable):
        return False
    try:
        len(axis)
    except TypeError:  # A zero-dimensional array has the method, but no length.
        return False
    return True


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else "..."
