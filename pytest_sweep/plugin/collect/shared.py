"""Finds out which shared fixtures the trials of a sweep use, and refuses those that cannot be shared."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sweep.errors import DefinitionError, ResourcesError
from pytest_sweep.items.shared import (
    Definition,
    describe_fixture,
    fixture_id,
    needs_of,
    place_of,
    shared_definitions,
)
from pytest_sweep.model.shared import SharedFixture, shared_request
from pytest_sweep.sharing import shared_arguments


def shared_fixtures(item: pytest.Function, sweep: str) -> tuple[SharedFixture, ...]:
    """Return the shared fixtures that the item of a trial uses, each after those that it uses itself.

    Args:
        item: the item.
        sweep: the node id of its sweep.

    Raises:
        DefinitionError: one of another scope than the session's, or one that is parametrized.
        ResourcesError: one that asks for resources which cannot be.
    """
    return tuple(_read(item, definition, sweep) for definition in shared_definitions(item))


def _read(item: pytest.Function, definition: Definition, sweep: str) -> SharedFixture:
    root: Path = item.config.rootpath
    words = describe_fixture(definition, root)
    if definition.scope != "session":
        raise DefinitionError(
            f"{words} has the scope {definition.scope!r}: a fixture is built once for the whole run only with "
            f"@pytest.fixture(scope='session')"
        )
    if definition.params is not None or definition.argname in item.callspec.params:
        raise DefinitionError(
            f"{words} is parametrized: share a fixture of its own for each value, or one that returns the values of all"
        )
    try:
        request = shared_request(shared_arguments(definition.func) or {})
    except ResourcesError as error:
        raise ResourcesError(f"@shared of {words.removeprefix('the shared ')}: {error}") from error
    return SharedFixture(
        id=fixture_id(definition),
        name=definition.argname,
        place=place_of(definition, root),
        sweep=sweep,
        resources=request.resources,
        placement=request.placement,
        needs=tuple(fixture_id(needed) for needed in needs_of(item, definition)),
    )
