"""Collects sweeps whose configurations are chosen while they run: as slots, which have ids and keys, and no configurations yet."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sweep.errors import DefinitionError, SpaceError
from pytest_sweep.items import private
from pytest_sweep.items.definition import SweepDefinition
from pytest_sweep.items.parametrization import POINT
from pytest_sweep.items.searching import check_searching
from pytest_sweep.model.trials import Sweep
from pytest_sweep.space import NOT_CHOSEN, Categorical, Choice, Expansion, Point, Space, axis_keys, searched_axes

if TYPE_CHECKING:
    from pytest_sweep.search.space import SearchSpace


@dataclass(frozen=True)
class SearchOptions:
    """What the options of a run say about searchers and schedulers; None leaves it to the sweeps.

    Attributes:
        search: the name of a searcher, for all sweeps that have something to choose.
        scheduler: the name of a scheduler, for all sweeps that have a metric; ``"none"`` for no scheduler anywhere.
        num_samples: how many samples or slots each sweep has that draws, is searched, or says ``num_samples=``.
        is_made: says of ``search`` and of ``scheduler`` whether a plugin makes some.
    """

    search: str | None = None
    scheduler: str | None = None
    num_samples: int | None = None
    is_made: Callable[[str], bool] = lambda _: False

    def applied(self, definition: SweepDefinition, space: Space) -> SweepDefinition:
        """Return the sweep as it is to be run, whose space is `space`.

        Raises:
            DefinitionError: it cannot be searched or scheduled like that; the text does not name the sweep.
        """
        given = dict(definition.arguments)
        has_choices = "configs" not in given and bool(searched_axes(space))
        if self.search is not None and has_choices:
            given["search"] = self.search
        if self.scheduler == "none":
            given.pop("scheduler", None)
        elif self.scheduler is not None and given.get("metric") is not None:
            given["scheduler"] = self.scheduler
        if self.num_samples is not None and (has_choices or "num_samples" in given or given.get("search") is not None):
            given["num_samples"] = self.num_samples
        changed = replace(definition, arguments=given)
        check_searching(given, space, self.is_made)
        return changed


@dataclass(frozen=True)
class CollectedSearch:
    """A sweep that has a searcher or a scheduler.

    Attributes:
        sweep: the sweep.
        definition: the sweep as it is written, with what the options have changed.
        space: what there is to choose; None where all configurations are known.
        seed: the seed of the sweep.
    """

    sweep: Sweep
    definition: SweepDefinition
    space: SearchSpace | None
    seed: int


def slots(definition: SweepDefinition, space: Space, seed: int, most: int) -> tuple[Expansion, SearchSpace]:
    """Return a searched sweep as slots, and what there is to choose.

    Args:
        definition: the sweep.
        space: its space, with what the options have changed.
        seed: its seed.
        most: how many slots it may have.

    Raises:
        SpaceError: the space is not well written, or cannot be searched; the text does not name the sweep.
    """
    from pytest_sweep.search.space import SearchSpace

    given, search = definition.arguments, definition.search
    number = int(given["num_samples"])
    if number > most:
        raise SpaceError(
            f"num_samples={number:,} is more than the {most:,} that are allowed: allow it with --sweep-max-trials={number}"
        )
    expansion = definition.expansion()
    searched = SearchSpace(
        space,
        seed=seed,
        points_to_evaluate=given.get("points_to_evaluate"),
        **{name: expansion[name] for name in ("ids", "where", "reserved") if name in expansion},
    )
    values = list(_listed_values(space))
    _check_marks(values)
    _check_keys(definition, space, searched.keys)
    points = slot_points(number, searched.keys, "" if search is None else search.name)
    shown = tuple((key, value.value if isinstance(value, Choice) else value) for key, value in values)
    computed = bool(set(axis_keys(space)) - set(searched.dimensions))
    return Expansion(points, searched.keys, searched.varying, shown, computed=computed), searched


def _listed_values(space: Space) -> Iterator[tuple[str, Any]]:
    """Yield what is listed at each key, or is there to be chosen: pairs of dotted key and value, or `Choice`."""
    found: list[tuple[str, Any]] = []

    def note(path: tuple[str, ...], axis: Any) -> Any:
        listed = axis.categories if isinstance(axis, Categorical) else axis if isinstance(axis, (list, tuple)) else ()
        found.extend((".".join(path), value) for value in listed)
        return axis

    space.changed(note)
    return iter(found)


def _check_marks(values: Iterable[tuple[str, Any]]) -> None:
    for key, value in values:
        for given in value.marks if isinstance(value, Choice) else ():
            if getattr(given, "mark", given).name == "resources":
                raise DefinitionError(
                    f"the value {value.value!r} of {key!r} has the mark resources, and a searcher chooses the value only when a worker is "
                    "there already: put @pytest.mark.resources(...) on the function, for all values"
                )


def _check_keys(definition: SweepDefinition, space: Space, keys: Iterable[str]) -> None:
    """Refuse an argument that some of the configurations would lack, as is done where they are known."""

    def first(_: tuple[str, ...], axis: Any) -> Any:
        return axis[:1] if isinstance(axis, (list, tuple)) else axis

    arguments = inspect.signature(definition.function).parameters
    for block in space.changed(first).blocks():
        there = {path[0] for path in block.paths if path}
        for key in keys:
            if key in arguments and key not in there:
                raise DefinitionError(
                    f"its argument {key!r} is missing in configurations with {', '.join(sorted(there))}: give it in all of them, or take "
                    f"the whole configuration, as the argument {definition.config_arg!r}"
                )


def slot_points(number: int, keys: Sequence[str], search: str) -> tuple[Point, ...]:
    """Return the points of `number` slots, in whose items `NOT_CHOSEN` stands for the values of `keys`.

    Args:
        number: how many slots there are.
        keys: the top-level keys that configurations will have.
        search: the name of the searcher: another one gives other trials.
    """
    width = len(str(number - 1))
    return tuple(
        Point(dict.fromkeys(keys, NOT_CHOSEN), f"trial={slot:0{width}d}", (), 0, {"trial": slot, "search": search})
        for slot in range(number)
    )


def study_of(item: pytest.Function, sweep: str) -> str:
    """Return the id of the study that an item of the sweep belongs to: with a stacked parametrize, each of its ids is one of its own."""
    others = private.id_parts(item)[1:]
    return f"{sweep}[{'-'.join(others)}]" if others else sweep


def refuse_searched(option: str, text: str, names: Iterable[str], items: Iterable[pytest.Item]) -> None:
    """Refuse a selection by a value that a searcher will choose, unless the key is known of some other trial.

    Args:
        option: the option that selects.
        text: what it was given.
        names: the dotted keys that it looks at.
        items: all items.

    Raises:
        pytest.UsageError: a key is chosen by searchers only.
    """
    searched: dict[str, str] = {}
    known: set[str] = set()
    for item in items:
        point: Any = (
            item.callspec.params.get(POINT) if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
        )
        if point is None or not isinstance(item, pytest.Function):
            continue
        if point.is_blank:
            searched |= dict.fromkeys(point.config, item.originalname or item.name)
        else:
            known |= point.config.keys()
    for name in names:
        key = name.partition(".")[0]
        if key in searched and key not in known:
            raise pytest.UsageError(
                f"{option} {text!r} asks for {name!r}, which a searcher chooses for each trial of {searched[key]} while the sweep runs: "
                f"nobody knows yet which trial gets which value. Select trials by their numbers, such as -k trial=07, narrow the space "
                f"with --sweep-set or where=, or look at the results afterwards"
            )
