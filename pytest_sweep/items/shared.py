"""Shared fixtures of items: which an item uses, what they are called, and how a failure of one is told from others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.items import private
from pytest_sweep.model.shared import FailedFixture
from pytest_sweep.sharing import shared_arguments

Definition = pytest.FixtureDef[Any]

_FAILED = "sweep_failed_fixture"
"""The attribute of an exception that says how the shared fixture has failed for which it stands."""


def mark_failed(error: BaseException, failed: FailedFixture | None = None) -> None:
    """Note that a shared fixture has raised `error`; or, where `failed` is given, that it stands for how one has failed elsewhere."""
    setattr(error, _FAILED, failed)


def failure_of(error: BaseException) -> FailedFixture | None:
    """Return how the shared fixture has failed for which `error` stands; None where it stands for none."""
    failed = getattr(error, _FAILED, None)
    return failed if isinstance(failed, FailedFixture) else None


def is_of_shared(error: BaseException) -> bool:
    """Say whether a shared fixture has failed with it: it is not built again, so that another attempt would meet the same."""
    return hasattr(error, _FAILED)


def fixture_id(definition: Definition) -> str:
    """Return what tells a fixture from all others, in every process of a run."""
    function = definition.func
    return f"{definition.baseid}::{definition.argname} of {function.__module__}.{function.__qualname__}"


def describe_fixture(definition: Definition, root: Path) -> str:
    """Return a fixture in words: ``the shared fixture 'data' of conftest.py``."""
    return f"the shared fixture {definition.argname!r} of {place_of(definition, root)}"


def place_of(definition: Definition, root: Path) -> str:
    """Return where a fixture is written, as seen from `root`."""
    path = Path(definition.func.__code__.co_filename)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def shared_definitions(item: pytest.Function) -> list[Definition]:
    """Return the shared fixtures that an item uses, directly or through others, each after those that it uses itself."""
    found: dict[int, Definition] = {}
    info = private.fixture_info(item)
    for name in info.initialnames:
        _visit(item, name, {}, found)
    return list(found.values())


def needs_of(item: pytest.Function, definition: Definition) -> list[Definition]:
    """Return the shared fixtures that a shared one of the item uses itself."""
    found: dict[int, Definition] = {}
    chain = private.fixture_info(item).name2fixturedefs[definition.argname]
    depth = len(chain) - 1 - list(chain).index(definition)
    for name in definition.argnames:
        _visit(item, name, {definition.argname: depth + 1}, found)
    return list(found.values())


def _visit(item: pytest.Function, name: str, depths: dict[str, int], found: dict[int, Definition]) -> None:
    """Add the shared fixtures behind a name; `depths` are how many of its name a fixture overrides, as pytest looks them up."""
    chain = private.fixture_info(item).name2fixturedefs.get(name, ())
    depth = depths.get(name, 0)
    if depth >= len(chain):
        return
    definition = chain[-1 - depth]
    if id(definition) in found:
        return
    for needed in definition.argnames:
        _visit(item, needed, {**depths, name: depth + 1}, found)
    if shared_arguments(definition.func) is not None:
        found[id(definition)] = definition
