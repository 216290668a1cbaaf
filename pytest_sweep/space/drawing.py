"""Fills what is open in a row: draws and works out values, and makes settings of them. Knows neither blocks nor points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.model.integers import digits
from pytest_sweep.space.axes import Open, Path, Row, Setting, dotted
from pytest_sweep.space.domains import Function, RandomDomain
from pytest_sweep.space.entropy import Entropy
from pytest_sweep.space.functions import work_out
from pytest_sweep.space.nesting import nested
from pytest_sweep.space.sequences import Halton


class RowDrawer:
    """Draws the samples of one row.

    What is drawn is a function of the seed, the sample's number, the listed values of the row and the key. It depends on no other
    row, so that a value more on an axis, or a key more that is drawn, leaves the other draws as they were.

    Args:
        row: the row.
        seed: the seed of the expansion.
        identity: tells the row from all others.
        quasi_random: whether the samples of the row fill its domains evenly. Functions and strategies draw as ever.
    """

    def __init__(self, row: Row, seed: int, identity: str, *, quasi_random: bool = False) -> None:
        self._row = row
        self._seed = seed
        self._identity = identity
        self._sequence = Halton(f"{digits(seed)}/qmc/{identity}") if quasi_random else None
        places = [(index, slot.path, slot.domain) for index, slot in enumerate(row) if isinstance(slot, Open)]
        self._drawn = [(index, path, domain) for index, path, domain in places if isinstance(domain, RandomDomain)]
        self._functions = {path: (index, domain) for index, path, domain in places if isinstance(domain, Function)}

    def draw(self, sample: int) -> tuple[Setting, ...]:
        """Return the row with settings in all places, for the sample of that number, from 0.

        Raises:
            SpaceError: a function or a strategy fails, or a value cannot be told from others.
        """
        base = f"{digits(self._seed)}/{sample}/{self._identity}/"
        filled: list[Any] = list(self._row)
        for number, (index, path, domain) in enumerate(self._drawn):
            text, sequence = base + dotted(path), self._sequence
            entropy = Entropy(text) if sequence is None else Entropy.at(text, sequence.at(sample, number))
            filled[index] = _setting(path, domain.draw(entropy))
        if self._functions:
            known = [setting for setting in filled if isinstance(setting, Setting)]
            config = nested([setting.path for setting in known], [setting.value for setting in known])
            functions = [(path, function) for path, (_, function) in self._functions.items()]
            for path, value in work_out(functions, config, lambda path: Entropy(base + dotted(path))).items():
                filled[self._functions[path][0]] = _setting(path, value)
        return tuple(filled)


def row_drawers(rows: Sequence[Row], seed: int, *, quasi_random: bool = False) -> list[RowDrawer]:
    """Return a drawer for each of the open rows of a space; rows whose listed values are equal draw apart."""
    seen: Counter[frozenset[tuple[str, str]]] = Counter()
    drawers = []
    for row in rows:
        settled = frozenset(leaf for slot in row for leaf in slot.settled)
        drawers.append(RowDrawer(row, seed, f"{seen[settled]}/{sorted(settled)}", quasi_random=quasi_random))
        seen[settled] += 1
    return drawers


def _setting(path: Path, value: object) -> Setting:
    try:
        return Setting.of(path, value)
    except SpaceError as error:
        raise SpaceError(f"what was drawn for {dotted(path)!r}: {error}") from error
