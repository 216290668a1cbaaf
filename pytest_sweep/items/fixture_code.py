"""The code of fixtures: the same digest of it on the driver and in workers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pytest_sweep.items.definition import unwrapped
from pytest_sweep.model.source import FixtureSource
from pytest_sweep.sources import Files, Project, digest_of

_OWN = ("_pytest.", "pytest_sweep.")
"""The modules whose fixtures are pytest's and ours."""


def is_of_tests(definitions: Sequence[pytest.FixtureDef[Any]]) -> bool:
    """Say whether a fixture is of the project or of a plugin, and not pytest's or ours."""
    modules = [getattr(unwrapped(definition.func), "__module__", None) or "" for definition in definitions]
    return not all(f"{module}.".startswith(_OWN) for module in modules)


def fixture_function(definition: pytest.FixtureDef[Any]) -> Callable[..., Any]:
    """Return the function that a fixture was written as."""
    function: Callable[..., Any] = inspect.unwrap(unwrapped(definition.func))
    return function


def fixture_source(definitions: Sequence[pytest.FixtureDef[Any]], files: Files, project: Project) -> FixtureSource:
    """Return a digest of a fixture: of all functions of its name that it may call. The file named is that of the one that counts.

    Args:
        definitions: the fixtures of this name that the item sees, the one that counts last.
        files: reads the files.
        project: knows their keys.
    """
    digests, key = [], ""
    for definition in definitions:
        function = fixture_function(definition)
        path = source_file(function)
        digest = None if path is None else function_digest(function, path, files)
        if path is None or digest is None:
            return FixtureSource(None, key)
        digests.append(digest)
        key = project.key_of_any(path)
    return FixtureSource(digest_of(*digests), key)


def source_file(function: Callable[..., Any]) -> str | None:
    """Return the path of the file that a function is written in; None where it is in none."""
    return inspect.getsourcefile(function) if inspect.isfunction(function) else None


def function_digest(function: Callable[..., Any], path: str, files: Files) -> str | None:
    """Return a digest of a function; of one that is not decorated, of its file; None where that cannot be read."""
    file = files.read(path)
    if file is None:
        return None
    code = function.__code__
    return file.functions.get((code.co_name, code.co_firstlineno), file.whole)
