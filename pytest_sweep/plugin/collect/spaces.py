"""Expands the spaces of collected sweeps as the options of the run say. Knows definitions and options, not pytest's items."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sweep.errors import SpaceError
from pytest_sweep.items.definition import SweepDefinition
from pytest_sweep.items.searching import has_slots
from pytest_sweep.plugin.collect.searches import SearchOptions, slots
from pytest_sweep.space import Expansion, Listed, Override, Space, axis_keys, expand

if TYPE_CHECKING:
    from pytest_sweep.search.space import SearchSpace


class SpaceExpander:
    """Expands one space after the other, and takes note of which overrides found an axis.

    Args:
        seed: the seed of the run, for sweeps without one of their own.
        max_trials: how many points a space may have.
        overrides: the axes to replace.
        searches: what the options say about searchers and schedulers.
    """

    def __init__(
        self, seed: int, max_trials: int, overrides: Sequence[Override] = (), searches: SearchOptions | None = None
    ) -> None:
        self._searches = searches or SearchOptions()
        self._seed = seed
        self._max_trials = max_trials
        self._overrides = overrides
        self._used: set[Override] = set()
        self._names: dict[str, None] = {}
        self._seen = False
        self.excluded: Counter[str] = Counter()
        """How many configurations the constraints of each sweep have left out, by its node id."""

    def seed_of(self, definition: SweepDefinition) -> int:
        """Return the seed of a sweep: its own, or the run's."""
        return self._seed if definition.seed is None else definition.seed

    def expand(
        self, definition: SweepDefinition, node_id: str
    ) -> tuple[SweepDefinition, Expansion, SearchSpace | None]:
        """Return the sweep with this node id as the options change it, its points, and, where these are slots, what there is to choose.

        Raises:
            SweepError: the space cannot be expanded; the text does not name the sweep.
        """
        space = written = definition.space()
        name, arguments = node_id.rpartition("::")[2], definition.arguments
        if self._overrides:
            self._refuse_listed(space, (name, node_id))
            self._seen = True
            keys = axis_keys(space)
            self._names |= dict.fromkeys(keys) | dict.fromkeys(f"{name}.{key}" for key in keys)
            for override in self._overrides:
                key = override.key_in((name, node_id), keys)
                if key is not None:
                    self._used.add(override)
                    space = _applied(override, space, key)
        if space is not written and arguments.get("num_samples", 1) > 1 and not _draws(space) and _draws(written):
            # Where nothing is drawn any more, further samples would be the same trials again.
            definition = replace(definition, arguments={**definition.arguments, "num_samples": 1})
        definition = self._searches.applied(definition, space)
        seed = self.seed_of(definition)
        if has_slots(definition.arguments):
            return definition, *slots(definition, space, seed, self._max_trials)
        expansion = expand(space, seed=seed, max_points=self._max_trials, **definition.expansion())
        if expansion.excluded:
            self.excluded[node_id] += expansion.excluded
        return definition, expansion, None

    def _refuse_listed(self, space: Space, names: tuple[str, str]) -> None:
        """Refuse an override of a key in configurations that are listed: they have no axes."""
        if not isinstance(space, Listed):
            return
        for override in self._overrides:
            key = override.key_in(names, space.keys())
            if key is not None:
                raise SpaceError(
                    f"--sweep-set={override.text}: {key!r} is a key of configs=, which lists whole configurations and has no axes to "
                    f"replace: write the axes in grid=, select configurations with --sweep-where, or name the axis of another sweep in full"
                )

    def problem(self) -> str | None:
        """Return what is to be said of overrides that found no axis in any sweep so far; None where each found one."""
        for override in self._overrides:
            if override in self._used or not self._seen:
                continue
            near = difflib.get_close_matches(override.name, self._names, n=1)
            short = [name for name in self._names if "." not in name]
            known = ", ".join(short or self._names) or "none, because all sweeps list their configurations in configs="
            hint = f"did you mean {near[0]!r}?" if near else f"there are {known}"
            return f"--sweep-set={override.text}: no collected sweep has an axis {override.name!r}: {hint}"
        return None


def _draws(space: Space) -> bool:
    return any(block.is_open for block in space.blocks())


def _applied(override: Override, space: Space, key: str) -> Space:
    try:
        return override.applied(space, key)
    except SpaceError as error:
        raise SpaceError(f"--sweep-set={error}") from error
