"""Fills what is open in a row: draws and works out values, and makes settings of them. Knows neither blocks nor points."""

from __future__ import annotations

from collections import Counter

from pytest_sweep.errors import SpaceError
from pytest_sweep.space.axes import Open, Path, Row, Setting, dotted
from pytest_sweep.space.composition import row_leaves
from pytest_sweep.space.entropy import Entropy
from pytest_sweep.space.functions import Function, work_out
from pytest_sweep.space.nesting import nested
from pytest_sweep.space.points import Choice


class Drawer:
    """Draws one sample of a space: a value for every open place of every row.

    What is drawn is a function of the seed, the sample's number, the listed values of the row and the key. It depends on no other
    row, so that a value more on an axis, or a key more that is drawn, leaves the other draws as they were.

    Args:
        seed: the seed of the expansion.
        sample: the number of the sample, from 0.
    """

    def __init__(self, seed: int, sample: int) -> None:
        self._prefix = f"{seed}/{sample}"
        self._seen: Counter[frozenset[tuple[str, str]]] = Counter()

    def fill(self, row: Row) -> tuple[Setting, ...]:
        """Return the row with settings in all places.

        Raises:
            SpaceError: a function or a strategy fails, or a value cannot be told from others.
        """
        settled = row_leaves(tuple(slot for slot in row if isinstance(slot, Setting)))
        occurrence, self._seen[settled] = self._seen[settled], self._seen[settled] + 1
        base = f"{self._prefix}/{occurrence}/{sorted(settled)}"

        def entropy(path: Path) -> Entropy:
            return Entropy(f"{base}/{dotted(path)}")

        values = {slot.path: slot.choice.value for slot in row if isinstance(slot, Setting)}
        functions = []
        drawn: dict[Path, object] = {}
        for slot in row:
            if isinstance(slot, Open) and isinstance(slot.domain, Function):
                functions.append((slot.path, slot.domain))
            elif isinstance(slot, Open):
                drawn[slot.path] = slot.domain.draw(entropy(slot.path))
        if functions:
            known = values | {path: _plain(value) for path, value in drawn.items()}
            drawn |= work_out(functions, nested(list(known), known.values()), entropy)
        return tuple(slot if isinstance(slot, Setting) else _setting(slot.path, drawn[slot.path]) for slot in row)


def _plain(value: object) -> object:
    return value.value if isinstance(value, Choice) else value


def _setting(path: Path, value: object) -> Setting:
    try:
        return Setting.of(path, value)
    except SpaceError as error:
        raise SpaceError(f"what was drawn for {dotted(path)!r}: {error}") from error
