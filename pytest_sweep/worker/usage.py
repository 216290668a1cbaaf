"""Watches what a trial uses beyond what its text says: modules that it imports by name, fixtures that it asks for while it runs."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

import pluggy
import pytest

from pytest_sweep.items import private
from pytest_sweep.items.fixture_code import fixture_source, is_of_tests
from pytest_sweep.model.code import KnownCode, Used
from pytest_sweep.sources import Files, LoadedCode, Opened, Project


@dataclass
class _Asked:
    """What was asked for: fixtures and modules by their names, Python files by their paths."""

    fixtures: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    opened: set[Opened] = field(default_factory=set)


class Usage:
    """A pytest plugin beside `TrialRunner`. Made before the session collects, so that it hears of all imports.

    Args:
        root: the rootdir, as it is on this machine.
    """

    def __init__(self, root: str) -> None:
        self._project, self._files = Project(root), Files()
        self._loaded = LoadedCode(self._project, self._files)
        self._modules: set[str] = set()
        self._opened: set[Opened] = set()
        self._by_wide: dict[pytest.FixtureDef[Any], _Asked] = {}
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
            self._take_asked()
            asked = _Asked(set(private.asked_fixtures(request)), set(self._modules), set(self._opened))
            if asked.fixtures or asked.modules or asked.opened:
                self._by_wide[fixturedef] = asked

    def of(self, item: pytest.Function, sweep: str) -> Used | None:
        """Return what the trial that runs as `item`, and ends now, has used beyond what the driver knows; None for nothing."""
        self._take_asked()
        fixtures, modules, opened = set(private.asked_fixtures(private.request_of(item))), self._modules, self._opened
        self._modules, self._opened = set(), set()
        if self._by_wide:
            for definition in self._active(item, fixtures):
                asked = self._by_wide.get(definition)
                if asked is not None:
                    fixtures |= asked.fixtures
                    modules |= asked.modules
                    opened |= asked.opened
        used = self._loaded.used(sweep, modules, opened)
        found = tuple(its for name in sorted(fixtures) if (its := self._fixture(item, name)) is not None)
        return replace(used or Used(), fixtures=found) if found else used

    def _take_asked(self) -> None:
        self._modules.update(self._loaded.take_asked())
        self._opened |= self._loaded.take_opened()

    def _active(self, item: pytest.Function, asked: set[str]) -> list[pytest.FixtureDef[Any]]:
        known = private.fixture_info(item).name2fixturedefs
        chains = [*known.values(), *(private.fixture_chain(item, name) for name in asked if name not in known)]
        return [chain[-1] for chain in chains if chain]

    def _fixture(self, item: pytest.Function, name: str) -> tuple[str, str | None, str] | None:
        definitions = tuple(private.fixture_chain(item, name))
        if not definitions or not is_of_tests(definitions):
            return None
        if definitions not in self._sources:
            self._sources[definitions] = fixture_source(definitions, self._files, self._project)
        return (name, *self._sources[definitions])
