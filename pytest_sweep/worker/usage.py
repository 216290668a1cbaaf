"""Watches what a trial uses beyond what its text says: modules that it imports by name, fixtures that it asks for while it runs."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pluggy
import pytest

from pytest_sweep.items import private
from pytest_sweep.items.fixture_code import fixture_source, is_of_tests
from pytest_sweep.model.code import KnownCode, Used
from pytest_sweep.sources import Files, LoadedCode, Project


class Usage:
    """A pytest plugin beside `TrialRunner`. Made before the session collects, so that it hears of all imports.

    Args:
        root: the rootdir, as it is on this machine.
    """

    def __init__(self, root: str) -> None:
        self._project, self._files = Project(root), Files()
        self._loaded = LoadedCode(self._project, self._files)
        self._asked: dict[pytest.FixtureDef[Any], frozenset[str]] = {}
        self._sources: dict[tuple[pytest.FixtureDef[Any], ...], tuple[str | None, str]] = {}

    def begin(self, known: KnownCode) -> None:
        """Take note of what the driver knows, and of what was imported when the files were collected."""
        self._loaded.begin(known)

    def close(self) -> None:
        """Watch no more."""
        self._loaded.close()

    def pytest_unconfigure(self) -> None:
        """Watch no more: the session has ended."""
        self.close()

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, pluggy.Result[Any], None]:
        """Note what a fixture that outlives the trial has asked for: the next trial that uses it uses that, too."""
        yield
        if fixturedef.scope != "function":
            asked = private.asked_fixtures(request)
            if asked:
                self._asked[fixturedef] = frozenset(asked)

    def of(self, item: pytest.Function, sweep: str) -> Used | None:
        """Return what the trial that runs as `item` has used so far beyond what the driver knows; None for nothing."""
        used = self._loaded.used(sweep)
        asked = set(private.asked_fixtures(private.request_of(item)))
        if self._asked:
            active = [
                definitions[-1] for definitions in private.fixture_info(item).name2fixturedefs.values() if definitions
            ]
            asked |= {name for definition in active for name in self._asked.get(definition, ())}
        if not asked:
            return used
        fixtures = tuple(found for name in sorted(asked) if (found := self._fixture(item, name)) is not None)
        return replace(used or Used(), fixtures=fixtures) if fixtures else used

    def _fixture(self, item: pytest.Function, name: str) -> tuple[str, str | None, str] | None:
        definitions = tuple(private.fixture_chain(item, name))
        if not definitions or not is_of_tests(definitions):
            return None
        if definitions not in self._sources:
            self._sources[definitions] = fixture_source(definitions, self._files, self._project)
        return (name, *self._sources[definitions])
