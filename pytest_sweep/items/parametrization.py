"""Makes pytest items of a sweep's points, on the driver for all of them and in a worker for one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_sweep.errors import DefinitionError
from pytest_sweep.items import private
from pytest_sweep.items.definition import SweepDefinition, is_sweep, unwrapped
from pytest_sweep.space import Point

POINT = "_sweep_point"
"""The private parameter of every trial: a function that takes none of the configuration has nothing else to hang on."""

SWEEPS_ONLY = pytest.StashKey[bool]()
"""Marks a class that is collected for its sweeps although its name says that it is no class of tests."""


def generate_items(
    collector: pytest.Module | pytest.Class, name: str, function: Callable[..., Any]
) -> list[pytest.Function]:
    """Return the items of `function`, whatever its name, through ``pytest_generate_tests`` as for any test."""
    return private.generate_functions(collector, name, unwrapped(function))


def parametrize(
    metafunc: pytest.Metafunc, definition: SweepDefinition, points: Sequence[Point], keys: Sequence[str]
) -> None:
    """Parametrize a sweep's function with `points`; `keys` are those of all points together.

    Raises:
        DefinitionError: an argument collides with a fixture, has a default value, or is missing at some point.
    """
    names = _wanted_names(metafunc, definition, keys)
    metafunc.fixturenames.append(POINT)
    metafunc.parametrize(
        [POINT, *names],
        [
            pytest.param(point, *_values(point, names, definition.config_arg), marks=point.marks, id=point.label)
            for point in points
        ],
    )


def point_of(item: pytest.Function) -> Point:
    """Return the point of the space that a trial's item is for."""
    point = item.callspec.params[POINT]
    assert isinstance(point, Point)
    return point


@contextmanager
def given_config(item: pytest.Item, config: Mapping[str, Any]) -> Iterator[None]:
    """Have the item's function, and fixtures that take parts of its configuration, get `config` and its values meanwhile."""
    params: dict[str, Any] = item.callspec.params if isinstance(item, pytest.Function) else {}
    point = params.get(POINT)
    if not isinstance(point, Point):
        yield
        return
    before = dict(params)
    for name, value in before.items():
        if value is point.config:
            params[name] = config
        elif name in config and value is point.config.get(name):
            params[name] = config[name]
    try:
        yield
    finally:
        params.update(before)


def other_parameters(item: pytest.Function, definition: SweepDefinition) -> dict[str, Any]:
    """Return what parametrizes the item besides the sweep: stacked ``parametrize`` and parametrized fixtures."""
    params: dict[str, Any] = item.callspec.params
    own = {POINT, definition.config_arg, *params[POINT].config}
    return {name: value for name, value in params.items() if name not in own}


def _wanted_names(metafunc: pytest.Metafunc, definition: SweepDefinition, keys: Sequence[str]) -> list[str]:
    """Return the names that the function, or a fixture that it uses, takes from the configuration."""
    taken = {param.name: param for param in inspect.signature(definition.function).parameters.values()}
    fixtures: Mapping[str, Sequence[Any]] = private.fixture_info(metafunc.definition).name2fixturedefs
    wanted = []
    for name in (definition.config_arg, *keys):
        if name in taken and taken[name].default is not inspect.Parameter.empty:
            raise DefinitionError(
                f"its argument {name!r} has a default value, which pytest would take instead of the space's: remove the default"
            )
        if name in taken and name in fixtures:
            raise _collision(name, definition, fixtures[name][-1])
        if name in metafunc.fixturenames and name not in fixtures:
            wanted.append(name)
    return wanted


def _collision(name: str, definition: SweepDefinition, fixture: Any) -> DefinitionError:
    where = f"the {fixture.scope}-scoped fixture {name!r} of {fixture.baseid or 'a plugin'}"
    if name == definition.config_arg:
        return DefinitionError(
            f"its argument {name!r} is both the configuration and {where}: rename the fixture, or name another argument for the "
            f"configuration with @sweep(..., config_arg='cfg')"
        )
    return DefinitionError(f"its argument {name!r} is both a key of the space and {where}: rename one of them")


def _values(point: Point, names: Sequence[str], config_arg: str) -> Iterator[Any]:
    for name in names:
        if name == config_arg:
            yield point.config
        elif name in point.config:
            yield point.config[name]
        else:
            raise DefinitionError(
                f"its argument {name!r} is missing in the configuration {point.label!r}: give it in all of them"
            )


def class_of_sweeps(collector: pytest.Module | pytest.Class, name: str, cls: type) -> pytest.Class | None:
    """Return a collector for a class that holds sweeps and that pytest would pass by; None leaves the class to pytest.

    Raises:
        pytest.Collector.CollectError: the class itself is decorated with ``@sweep``.
    """
    if any(getattr(mark, "name", None) == "sweep" for mark in vars(cls).get("pytestmark", ())):
        raise collector.CollectError(
            f"{name} in {collector.nodeid}: @sweep decorates a function or a method, not a class"
        )
    if collector.istestclass(cls, name) or (
        isinstance(collector, pytest.Module) and cls.__module__ != collector.obj.__name__
    ):
        return None
    if not _holds_sweeps(cls):
        return None
    node: pytest.Class = pytest.Class.from_parent(collector, name=name, obj=cls)
    node.stash[SWEEPS_ONLY] = True
    return node


def _holds_sweeps(cls: type) -> bool:
    """Say whether a sweep is written in the class, or in a class that is written in it."""
    members = vars(cls).values()
    inner = [m for m in members if inspect.isclass(m) and m.__qualname__.startswith(f"{cls.__qualname__}.")]
    return any(map(is_sweep, members)) or any(map(_holds_sweeps, inner))
