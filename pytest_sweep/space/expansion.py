"""From a space to the points to try: samples, constraints, repeats, labels. Knows neither pytest's marks nor where trials run."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple

from pytest_sweep.errors import SpaceError
from pytest_sweep.space.axes import Path, Setting, dotted
from pytest_sweep.space.composition import Block, Space, as_space, check_reserved, row_leaves
from pytest_sweep.space.constraints import kept, read_constraints
from pytest_sweep.space.drawing import row_drawers
from pytest_sweep.space.naming import given_labels, unique_labels
from pytest_sweep.space.nesting import nested
from pytest_sweep.space.points import Expansion, Point

OTHER_ARGUMENTS = ("trial", "request")
"""Names of arguments that a trial's function can have for other things than its configuration."""

RESERVED = (*OTHER_ARGUMENTS, "config")
"""The top-level keys that are refused where the argument for the whole configuration has its usual name."""

MAX_POINTS = 1_000_000
"""More are refused, unless it is said how many there may be: nobody runs so many, but who lists a range may have meant a domain."""


class _Candidate(NamedTuple):
    """One configuration, when all values are known and before it has a name."""

    paths: tuple[Path, ...]
    row: tuple[Setting, ...]
    config: dict[str, Any]


def expand(  # noqa: PLR0913 - each is an argument of @sweep, or an option
    space: Space | Mapping[str, Any],
    *,
    ids: object = None,
    reserved: Collection[str] = RESERVED,
    num_samples: int = 1,
    repeats: int = 1,
    seed: int = 0,
    where: object = None,
    quasi_random: bool = False,
    max_points: int = MAX_POINTS,
) -> Expansion:
    """Return the points of a space.

    The order is that of ``itertools.product``: the axis that is written first varies slowest. All of the space is there once, then
    again for every further sample, and all of that again for every further repeat.

    Args:
        space: what ``grid()``, ``zip_()`` and their sums and products return, or a dict, which is the grid of its axes.
        ids: None, a list of a string for each configuration that is left, or a function of a configuration that returns a string,
            or None for the usual label.
        reserved: top-level keys that are refused.
        num_samples: how often the space is there, with values drawn anew. As Tune's ``num_samples``.
        repeats: how often each configuration is tried; the further ones are replicates of the first.
        seed: what is drawn depends on it.
        where: conditions that a configuration must meet: a text, a function of the configuration, a list of them, or None.
        quasi_random: whether the samples fill the domains evenly, as ``qmc()`` has it, instead of independently of each other.
        max_points: a space with more points is refused, before any is made.

    Raises:
        SpaceError: the space cannot be expanded. The text says why, with which value, and what to write instead.
        MissingExtraError: a strategy of hypothesis, without hypothesis.
    """
    written, constraints = as_space(space), read_constraints(where)
    _check_size(written.count(), num_samples, repeats, max_points)
    with _collector_paused():
        blocks = written.blocks()
        check_reserved(blocks, reserved)
        candidates = list(_candidates(blocks, seed, num_samples, quasi_random=quasi_random))
        indexes = kept([candidate.config for candidate in candidates], constraints)
        left = candidates if len(indexes) == len(candidates) else [candidates[index] for index in indexes]
        counts = Counter(chain.from_iterable(candidate.row for candidate in left))
        shapes = dict.fromkeys(candidate.paths for candidate in left)
        return Expansion(
            points=_points(left, list(counts), repeats, ids),
            keys=tuple(dict.fromkeys(path[0] for paths in shapes for path in paths if path)),
            varying=_varying(counts, len(left)),
            values=tuple(_values(counts)),
            excluded=len(candidates) - len(left),
            computed=any(block.has_functions for block in blocks),
        )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the garbage collector: all that is made is kept, and to look through it again and again would take half of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _candidates(blocks: Sequence[Block], seed: int, num_samples: int, *, quasi_random: bool) -> Iterator[_Candidate]:
    opened = [block for block in blocks if block.is_open]
    rows_to_fill = [row for block in opened for row in block.rows]
    drawers = iter(row_drawers(rows_to_fill, seed, quasi_random=quasi_random))
    drawn = {id(block): [next(drawers) for _ in block.rows] for block in opened}
    for sample in range(num_samples):
        for block in blocks:
            rows: Any = block.rows
            if id(block) in drawn:
                rows = (drawer.draw(sample) for drawer in drawn[id(block)])
            for row in rows:
                yield _Candidate(block.paths, row, nested(block.paths, [setting.value for setting in row]))


def _points(left: Sequence[_Candidate], settings: Sequence[Setting], repeats: int, ids: object) -> tuple[Point, ...]:
    configs = [candidate.config for candidate in left]
    for _ in range(1, repeats):  # Anew: the dicts of a configuration belong to one point alone.
        configs += [nested(paths, [setting.value for setting in row]) for paths, row, _ in left]
    if any(setting.keyed is not setting.value for setting in settings):
        identities = [nested(paths, [setting.keyed for setting in row]) for paths, row, _ in left] * repeats
    else:
        identities = configs
    replicates = _replicates(_row_identities(left, settings) * repeats)
    parts = [[setting.part for setting in candidate.row if setting.part] for candidate in left]
    labels = _labels(
        ["-".join(words) or "{}" for words in parts] * repeats, configs, identities, replicates, ids, repeats
    )
    marks: list[tuple[Any, ...]] = [()] * len(left)
    if any(setting.marks for setting in settings):
        marks = [tuple(mark for setting in candidate.row for mark in setting.marks) for candidate in left]
    return tuple(map(Point, configs, labels, marks * repeats, replicates, identities))


def _labels(
    stems: Sequence[str],
    configs: Sequence[dict[str, Any]],
    identities: Sequence[Any],
    replicates: Sequence[int],
    ids: object,
    repeats: int,
) -> list[str]:
    given = given_labels(ids, configs, replicates, repeats)
    free = [index for index, label in enumerate(given) if label is None]
    automatic = iter(
        unique_labels(
            [stems[index] for index in free],
            [replicates[index] for index in free],
            [identities[index] for index in free],
            {label for label in given if label is not None},
        )
    )
    return [next(automatic) if label is None else label for label in given]


def _row_identities(left: Sequence[_Candidate], settings: Sequence[Setting]) -> list[Hashable]:
    """Return something for each configuration that is equal for equal ones."""
    if len({candidate.paths for candidate in left}) == 1 and len({one.leaves for one in settings}) == len(settings):
        return [candidate.row for candidate in left]  # No two settings are equal, so that rows of the same ones are.
    return [row_leaves(candidate.row) for candidate in left]


def _replicates(identities: Iterable[Hashable]) -> list[int]:
    seen: dict[Hashable, int] = {}
    replicates = []
    for identity in identities:
        replicates.append(seen.get(identity, 0))
        seen[identity] = replicates[-1] + 1
    return replicates


def _varying(counts: Mapping[Setting, int], total: int) -> tuple[str, ...]:
    """Return the dotted keys that take more than one value, or that some configurations lack."""
    identities: dict[str, set[str]] = {}
    present: Counter[str] = Counter()
    for setting, count in counts.items():
        for key, identity in setting.leaves:
            identities.setdefault(key, set()).add(identity)
            present[key] += count
    return tuple(key for key, found in identities.items() if len(found) > 1 or present[key] < total)


def _values(settings: Iterable[Setting]) -> Iterator[tuple[str, Any]]:
    seen = set()
    for setting in settings:
        if setting.leaves and setting.leaves not in seen:
            seen.add(setting.leaves)
            yield dotted(setting.path), setting.value


def _check_size(rows: int, num_samples: int, repeats: int, most: int) -> None:
    total = rows * num_samples * repeats
    if total <= most:
        return
    factors = [f"{rows:,} combinations"]
    factors += [f"num_samples={num_samples:,}"] if num_samples > 1 else []
    factors += [f"repeats={repeats:,}"] if repeats > 1 else []
    how = f" ({' x '.join(factors)})" if len(factors) > 1 else ""
    raise SpaceError(
        f"the space has {total:,} points{how}, more than the {most:,} that are allowed: draw from domains such as uniform(0, 1) "
        f"instead of listing every value, or allow it with --sweep-max-trials={total}"
    )
