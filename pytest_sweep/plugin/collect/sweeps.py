"""Collects sweeps on the driver: functions with ``@sweep`` become items, one a trial, and each item gets its trial's record."""

from __future__ import annotations

import inspect
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import cloudpickle
import pytest

from pytest_sweep.errors import DefinitionError, SpaceError, SweepError
from pytest_sweep.items.arguments import check_arguments, check_keys
from pytest_sweep.items.definition import SweepDefinition, is_sweep, read_definition, unwrapped
from pytest_sweep.items.parametrization import (
    SWEEPS_ONLY,
    class_of_sweeps,
    generate_items,
    other_parameters,
    parametrize,
    point_of,
)
from pytest_sweep.items.values import ParameterPacker
from pytest_sweep.model.parameters import Parameters
from pytest_sweep.model.request import Request
from pytest_sweep.model.shared import SharedFixture
from pytest_sweep.model.trials import Sweep, Trial
from pytest_sweep.plugin.collect.averaging import Averaged, check_names, grouped
from pytest_sweep.plugin.collect.leftout import is_collected_elsewhere
from pytest_sweep.plugin.collect.requests import RequestReader
from pytest_sweep.plugin.collect.searches import CollectedSearch, study_of
from pytest_sweep.plugin.collect.shared import shared_fixtures
from pytest_sweep.plugin.collect.spaces import SpaceExpander
from pytest_sweep.plugin.guests.rerunfailures import Reruns
from pytest_sweep.space import Expansion, flatten, stored, trial_key, trial_seed

TRIAL = pytest.StashKey[Trial]()
"""Where an item keeps its trial's record."""

PARAMETERS = pytest.StashKey[Mapping[str, Any]]()
"""Where the item of a trial keeps what parametrizes it besides the sweep."""


@dataclass(frozen=True)
class _Space:
    """The sweep whose items are being generated."""

    definition: SweepDefinition
    expansion: Expansion


class SweepCollector:
    """A plugin that collects sweeps.

    Args:
        spaces: expands the spaces.
        reruns: reads what pytest-rerunfailures is told.
        must_pickle: whether configurations will travel to other processes.
        on_sweep: called when a sweep is seen, before its space is expanded.
    """

    def __init__(
        self, *, spaces: SpaceExpander, reruns: Reruns, must_pickle: bool, on_sweep: Callable[[], None]
    ) -> None:
        self._spaces = spaces
        self._reruns = reruns
        self._must_pickle = must_pickle
        self._on_sweep = on_sweep
        self._packer = ParameterPacker()
        self._space: _Space | None = None
        self._collected: dict[str, dict[str, Trial]] = defaultdict(dict)
        self._first_items: dict[str, pytest.Item] = {}
        self.searches: dict[str, CollectedSearch] = {}
        """The sweeps that have a searcher or a scheduler, by their node ids."""

    @property
    def collected(self) -> Mapping[str, list[Trial]]:
        """The trials of each sweep, by its node id: all that were collected, also those that are deselected later."""
        return {sweep: list(trials.values()) for sweep, trials in self._collected.items()}

    @property
    def first_items(self) -> list[pytest.Item]:
        """The first item of each sweep, also where it is deselected later: it shows the sweep's code and fixtures."""
        return list(self._first_items.values())

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(
        self, collector: pytest.Module | pytest.Class, name: str, obj: object
    ) -> pytest.Class | list[pytest.Function] | None:
        """Collect a sweep, or a class that holds one, whatever their names."""
        if name == "pytestmark":
            _check_marks(collector, obj)
        if inspect.isclass(obj):
            _check_class(collector, name, obj)
            return class_of_sweeps(collector, name, obj)
        if is_sweep(obj):
            # A sweep of another test file is collected there.
            function = unwrapped(obj)
            return (
                []
                if is_collected_elsewhere(collector, function.__module__)
                else self._collect(collector, name, function)
            )
        # In a class that matches only by its sweeps, nothing else is collected.
        if isinstance(collector, pytest.Class) and collector.stash.get(SWEEPS_ONLY, False):
            return []
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize the function with the points of its space; first, so that its part of the id comes first."""
        space = self._space
        if space is not None and metafunc.function is space.definition.function:
            parametrize(metafunc, space.definition, space.expansion.points, space.expansion.keys)

    def pytest_collection_modifyitems(self) -> None:
        """Refuse an override that no sweep has an axis for.

        Raises:
            pytest.UsageError: there is one.
        """
        problem = self._spaces.problem()
        if problem is not None:
            raise pytest.UsageError(problem)

    def _collect(
        self, collector: pytest.Module | pytest.Class, name: str, function: Callable[..., Any]
    ) -> list[pytest.Function]:
        self._on_sweep()
        try:
            node_id = f"{collector.nodeid}::{name}"
            definition, expansion, space = self._spaces.expand(read_definition(function), node_id)
            if self._must_pickle:
                _check_pickles(expansion)
            sweep = definition.sweep(node_id, expansion.varying)
            if sweep.search or sweep.scheduler:
                self.searches[sweep.id] = CollectedSearch(sweep, definition, space, self._spaces.seed_of(definition))
            self._space = _Space(definition, expansion)
            items = generate_items(collector, name, function)
            self._collected[sweep.id] |= {
                trial.key: trial for trial in self._trials(items, sweep, definition, expansion)
            }
            if items:
                self._first_items.setdefault(sweep.id, items[0])
        except SweepError as error:
            raise collector.CollectError(f"sweep {name} in {collector.nodeid}: {error}") from error
        finally:
            self._space = None
        return items

    def _trials(
        self, items: list[pytest.Function], sweep: Sweep, definition: SweepDefinition, expansion: Expansion
    ) -> list[Trial]:
        requests, reruns = RequestReader(), self._reruns
        seen: set[str] = set()
        positions: Counter[str] = Counter()
        shared: tuple[SharedFixture, ...] = ()
        for item in items:
            if item is items[0]:
                check_arguments(item)
                check_keys(item, definition, expansion)
                shared = shared_fixtures(item, sweep.id)
            if item.nodeid in seen:
                raise DefinitionError(
                    f"two trials have the id {item.name}: give the stacked parametrize ids that differ"
                )
            seen.add(item.nodeid)
            item.stash[PARAMETERS] = other_parameters(item, definition)
            its = sweep if "retries" in definition.arguments else reruns.applied(sweep, item)
            trial = self._trial(item, its, definition, requests.read(item))
            parameters = self._parameters(item, positions)
            different = shared or parameters is not None
            item.stash[TRIAL] = replace(trial, shared=shared, parameters=parameters) if different else trial
        if sweep.average_over and items:
            self._group(items, sweep)
        return [item.stash[TRIAL] for item in items]

    def _group(self, items: list[pytest.Function], sweep: Sweep) -> None:
        """Have trials that differ only in what the sweep averages over share a configuration."""
        keys = dict.fromkeys(key for item in items for key in flatten(point_of(item).config))
        others = dict.fromkeys(name for item in items for name in item.stash[PARAMETERS])
        check_names(sweep.average_over, list(keys), list(others))
        trials = grouped([Averaged(item, item.stash[TRIAL], item.stash[PARAMETERS]) for item in items])
        for item, trial in zip(items, trials, strict=True):
            item.stash[TRIAL] = trial

    def _trial(self, item: pytest.Function, sweep: Sweep, definition: SweepDefinition, request: Request) -> Trial:
        point = point_of(item)
        key = _key(item, sweep.id, point.replicate)
        slot = point.identity["trial"] if sweep.search else None
        return Trial(
            key=key,
            id=item.nodeid,
            name=item.name,
            sweep=sweep,
            config=point.config if slot is None else {},
            resources=request.resources,
            placement=request.placement,
            seed=trial_seed(self._spaces.seed_of(definition), key),
            label=point.label,
            marks=point.marks,
            replicate=point.replicate,
            group=_key(item, sweep.id, 0) if point.replicate else "",
            params={name: stored(value) for name, value in item.stash[PARAMETERS].items()},
            study=study_of(item, sweep.id) if sweep.search or sweep.scheduler else "",
            slot=slot,
        )

    def _parameters(self, item: pytest.Function, positions: Counter[str]) -> Parameters | None:
        """Return for workers what parametrizes an item besides the sweep; `positions` counts the items by their configurations."""
        if not item.stash[PARAMETERS] or not self._must_pickle:
            return None
        label = point_of(item).label
        positions[label] += 1
        return self._packer.pack(item.stash[PARAMETERS], positions[label] - 1)


def _check_class(collector: pytest.Module | pytest.Class, name: str, cls: type) -> None:
    """Refuse a sweep in a TestCase: unittest would call it without its configuration."""
    unittest = sys.modules.get("unittest.case")  # Where nobody has imported it, nobody has derived from it.
    if unittest is None or not issubclass(cls, unittest.TestCase):
        return
    for method, function in vars(cls).items():
        if is_sweep(function):
            raise collector.CollectError(
                f"sweep {method} in {collector.nodeid}::{name}: a sweep is a function, or a method of a plain class, not of a "
                f"unittest.TestCase, whose methods take no arguments"
            )


def _check_marks(collector: pytest.Module | pytest.Class, marks: object) -> None:
    """Refuse the mark of a sweep for all functions of a module or of a class, which would be ignored."""
    for mark in marks if isinstance(marks, (list, tuple)) else [marks]:
        if isinstance(mark, (pytest.Mark, pytest.MarkDecorator)) and mark.name == "sweep":
            raise collector.CollectError(
                f"pytestmark in {collector.nodeid}: a sweep is one function, so that pytest.mark.sweep cannot be the mark of a whole "
                "module or class: write @sweep(...) above each function that is to be one"
            )


def key_with(item: pytest.Function, identity: object) -> str:
    """Return the key that a trial would have that differs from the item's only in its configuration.

    Args:
        item: the item of a trial.
        identity: what tells the configuration from others, as `trial_key` takes it.
    """
    return _key(item, item.stash[TRIAL].sweep.id, 0, identity)


def _key(item: pytest.Function, sweep: str, replicate: int, identity: object = None) -> str:
    point, others = point_of(item), item.stash[PARAMETERS]
    identity = point.identity if identity is None else identity
    try:
        return trial_key(sweep, identity, others, replicate)
    except SpaceError:
        if not others:
            raise
        # A stacked parameter without content of its own to tell it by: then it is told by its id, as pytest's users see it.
        stacked = item.callspec.id.removeprefix(point.label)
        return trial_key(sweep, identity, {"id": stacked}, replicate)


def _check_pickles(expansion: Expansion) -> None:
    for key, value in expansion.values:
        if isinstance(value, (str, int, float, bool, type(None))):
            continue
        try:
            cloudpickle.dumps(value)
        except Exception as error:
            raise DefinitionError(
                f"the value {value!r} of {key!r} cannot be pickled ({error}), so that no worker can get it: make it in the trial "
                f"from plain values, or run with --sweep-executor=inline"
            ) from error
