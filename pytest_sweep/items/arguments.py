"""Checks that a sweep's function can get its arguments, and that nothing of its configurations is lost."""

from __future__ import annotations

import inspect
from collections.abc import Collection

import pytest

from pytest_sweep.errors import DefinitionError
from pytest_sweep.items import private
from pytest_sweep.items.definition import SweepDefinition
from pytest_sweep.items.parametrization import point_of
from pytest_sweep.space import Expansion


def check_arguments(item: pytest.Function) -> None:
    """Raise DefinitionError if the item's function takes an argument that nothing provides."""
    fixtures = private.fixture_info(item)
    if "sweep_results" in fixtures.names_closure:
        raise DefinitionError(
            "it takes sweep_results, which are complete when all trials have run: a trial cannot wait for them. Judge them in a test; for "
            "a second stage, run pytest --sweep again, on a file that reads the first stage with load_results()"
        )
    for name in fixtures.argnames:
        if name != "request" and name not in item.callspec.params and name not in fixtures.name2fixturedefs:
            point = point_of(item)
            raise DefinitionError(
                f"its argument {name!r} is neither a key of the space ({', '.join(point.config)}), nor a fixture, nor 'config'"
            )


def check_keys(item: pytest.Function, definition: SweepDefinition, expansion: Expansion) -> None:
    """Raise DefinitionError if nothing that runs in a trial can see a key of its configuration.

    A key may be there for a function that works out other values or the resources; then it is not asked for.
    """
    unseen = [key for key in expansion.keys if key not in item.callspec.params]
    if not unseen or expansion.computed or definition.config_arg in item.callspec.params:
        return
    if _looks_elsewhere(item, definition) or _computes_resources(item):
        return
    name = unseen[0]
    arguments = inspect.signature(definition.function).parameters.values()
    starred = [argument for argument in arguments if argument.kind in (argument.VAR_KEYWORD, argument.VAR_POSITIONAL)]
    hint = f" (pytest passes nothing to {starred[0]})" if starred else ""
    if not name.isidentifier():
        advice = f"take the whole configuration, as the argument {definition.config_arg!r} or as trial.config"
    else:
        advice = f"add the argument {name!r}, or take the whole configuration, as the argument {definition.config_arg!r} or as trial.config"
    raise DefinitionError(f"no argument takes the key {name!r} of the space{hint}: {advice}")


def _looks_elsewhere(item: pytest.Function, definition: SweepDefinition) -> bool:
    """Say whether the configuration can be had without an argument for it: by the trial, or by what a fixture asks for."""
    fixtures = private.fixture_info(item)
    asks = "trial" in fixtures.names_closure or "request" in fixtures.argnames
    own = (one for definitions in fixtures.name2fixturedefs.values() for one in definitions if one.baseid)
    return asks or any("request" in one.argnames for one in own) or "current_trial" in _names(definition)


def _names(definition: SweepDefinition) -> Collection[str]:
    code = getattr(inspect.unwrap(definition.function), "__code__", None)
    return () if code is None else code.co_names


def _computes_resources(item: pytest.Function) -> bool:
    return any(
        mark.args for mark in (*item.iter_markers("resources"), *point_of(item).marks) if mark.name == "resources"
    )
