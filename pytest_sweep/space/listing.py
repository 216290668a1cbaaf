"""Configurations that are listed one by one, as a space. Knows nothing of axes: a list is a value here."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.space.axes import Open, Path, Row, Setting, Slot
from pytest_sweep.space.composition import Block, Change, Space
from pytest_sweep.space.display import shown
from pytest_sweep.space.keys import check_readings, check_strings
from pytest_sweep.space.naming import escaped
from pytest_sweep.space.nesting import flatten, is_nested
from pytest_sweep.space.points import Choice
from pytest_sweep.space.templates import check_no_grid_search, drawable

_Memory = dict[tuple[Path, type, Any], Setting]


@dataclass(frozen=True, repr=False)
class Listed(Space):
    """The configurations of a list: dicts, each plain or in a `Choice`, whose label is then the whole label.

    A value is taken as it is; a domain or a strategy of hypothesis is drawn from. Equal configurations are all kept.
    """

    configs: Any

    def count(self) -> int:  # noqa: D102 - see Space
        if not isinstance(self.configs, (list, tuple)):
            raise SpaceError(
                f"configs is a list of dicts such as [{{'lr': 0.1}}, {{'lr': 0.01}}], not {shown(self.configs)}"
            )
        if not self.configs:
            raise SpaceError("configs is empty: list at least one configuration such as {'lr': 0.1}")
        return len(self.configs)

    def blocks(self) -> list[Block]:  # noqa: D102 - see Space
        self.count()
        memory: _Memory = {}
        rows = [_row(index, written, memory) for index, written in enumerate(self.configs)]
        grouped = itertools.groupby(rows, key=lambda row: tuple((slot.path, type(slot)) for slot in row))
        return [Block(tuple(path for path, _ in shape), list(alike)) for shape, alike in grouped]

    def keys(self) -> list[str]:
        """Return the dotted keys of all configurations, each once; what is no configuration is left to `blocks`."""
        written = [entry.value if isinstance(entry, Choice) else entry for entry in self.configs or ()]
        return list(dict.fromkeys(key for config in written if isinstance(config, Mapping) for key in flatten(config)))

    def changed(self, change: Change) -> Listed:  # noqa: ARG002, D102 - there are no axes to change
        return self

    def __repr__(self) -> str:
        return f"configs({self.configs!r})"


def _row(index: int, written: object, memory: _Memory) -> Row:
    where = f"configs[{index}]"
    choice = written if isinstance(written, Choice) else Choice(written)
    if not isinstance(choice.value, Mapping):
        raise SpaceError(f"{where} is {shown(choice.value)}: each configuration is a dict such as {{'lr': 0.1}}")
    check_strings(choice.value, where)
    try:
        leaves = list(_values(choice.value, ()))
        check_readings([".".join(path) for path, _ in leaves], "the configuration")
        slots = tuple(_slot(path, value, choice, memory) for path, value in leaves)
    except SpaceError as error:
        raise SpaceError(f"{where}: {error}") from error
    return slots if choice.label is None and not choice.marks else (_whole(choice), *slots)


def _values(config: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Any]]:
    for key, value in config.items():
        check_no_grid_search(value)
        if is_nested(value):
            yield from _values(value, (*path, key))
        else:
            yield (*path, key), value


def _slot(path: Path, value: Any, whole: Choice, memory: _Memory) -> Slot:
    if isinstance(value, Choice):
        raise SpaceError(f"{'.'.join(path)!r} is a pytest.param: within configs, put it around the whole configuration")
    domain = drawable(value)
    if domain is not None:
        return Open.of(path, domain)
    if whole.label is not None:
        # The label is that of the whole. It stands in for a value that has no content to tell it by.
        return replace(Setting.of(path, Choice(value, whole.label)), part="")
    if type(value) not in (str, int, bool) and not (type(value) is float and value):  # 0.0 equals -0.0
        return Setting.of(path, value)
    known = (path, type(value), value)
    if known not in memory:
        memory[known] = Setting.of(path, value)
    return memory[known]


def _whole(choice: Choice) -> Setting:
    """Return the slot that fills no place, and carries what was said of the whole configuration."""
    part = "" if choice.label is None else escaped(choice.label)
    return Setting(path=(), value=None, keyed=None, leaves=(), part=part, marks=choice.marks)
