"""Reads the code that makes a sweep's results: its function, the files that it is made of, its fixtures. A file is read once."""

from __future__ import annotations

import inspect
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pytest_sweep.items.definition import unwrapped
from pytest_sweep.items.fixture_code import (
    fixture_function,
    fixture_source,
    function_digest,
    is_of_tests,
    source_file,
)
from pytest_sweep.items.private import fixture_chain, fixture_info
from pytest_sweep.model.code import KnownCode, KnownFile, KnownSweep
from pytest_sweep.model.source import FixtureSource, Source
from pytest_sweep.plugin.collect.sweeps import TRIAL
from pytest_sweep.plugin.collect.version_0_1 import TextReader
from pytest_sweep.sources import CodeGraph, Files, Module, Project, Root, module_of


class SourceReader:
    """Finds and digests the code of sweeps.

    Args:
        config: the session's configuration.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._project, self._files = Project(config.rootpath), Files()
        self._graph = CodeGraph(self._project, self._files)
        self._plugins = list(_modules(config.pluginmanager.get_plugins()))
        self._texts = TextReader()
        self._sources: dict[str, Source] = {}
        self._sweeps: dict[str, KnownSweep] = {}
        self._tests: set[str] = set()

    def sources(self, items: Iterable[pytest.Item]) -> dict[str, Source]:
        """Return the source of each sweep that `items` are trials of, by the sweep's id."""
        first: dict[str, pytest.Item] = {}
        for item in items:
            first.setdefault(item.stash[TRIAL].sweep.id, item)
        for sweep, item in first.items():
            if sweep not in self._sources and isinstance(item, pytest.Function):
                self._sources[sweep] = self._source(sweep, item)
        return {sweep: self._sources[sweep] for sweep in first if sweep in self._sources}

    def known(self) -> KnownCode:
        """Return what workers need to know of the code of these sweeps."""
        files = {}
        for sweep in self._sources.values():
            for key, digest in (sweep.files or {}).items():
                if key in self._graph.stamps:
                    files[key] = KnownFile(digest, *self._graph.stamps[key])
        return KnownCode(files, dict(self._sweeps), frozenset(self._tests))

    def _source(self, sweep: str, item: pytest.Function) -> Source:
        function = inspect.unwrap(unwrapped(item.function))
        path = source_file(function)
        fixtures = {
            name: definitions
            for name, definitions in fixture_info(item).name2fixturedefs.items()
            if definitions and is_of_tests(definitions)
        }
        written = [fixture_function(definition) for its in fixtures.values() for definition in its]
        files = [file for its in written if (file := source_file(its)) is not None]
        installed = {
            str(its.__module__).partition(".")[0]
            for its in written
            if (file := source_file(its)) is not None and self._project.key(file) is None
        }
        closure = self._graph.closure(self._roots(item, path, files), installed)
        self._sweeps[sweep] = KnownSweep(frozenset(closure.files), closure.by_name)
        self._tests.add(self._project.key_of_any(str(item.path)))
        return Source(
            function=None if path is None else function_digest(function, path, self._files),
            module=None if path is None else self._project.key_of_any(path),
            fixtures={
                name: fixture_source(definitions, self._files, self._project)
                for name, definitions in fixtures.items()
                if self._is_readable(definitions)
            },
            files=closure.files,
            packages={"python": platform.python_version(), **closure.packages},
            today=_Today(self._project, self._files, self._texts, item),
        )

    def _is_readable(self, definitions: Iterable[pytest.FixtureDef[object]]) -> bool:
        """Say whether a fixture is to be compared by its code: that of an installed plugin goes by the plugin's version."""
        paths = [source_file(fixture_function(definition)) for definition in definitions]
        return any(path is None or self._project.key(path) is not None for path in paths)

    def _roots(self, item: pytest.Function, path: str | None, of_fixtures: Iterable[str]) -> Iterator[Root]:
        """Yield where the code of a sweep begins: its file, its classes, the conftests above it, plugins of the project."""
        module = module_of(item.module)
        yield Root(module or Module(item.module.__name__, str(item.path)))
        plugins = [its for its in self._plugins if self._counts(its, item.path)]
        yield from (Root(its, without_fixtures=True) for its in plugins)
        classes = item.cls.__mro__ if item.cls is not None else ()
        names = [its.__module__ for its in (*classes, inspect.unwrap(unwrapped(item.function)))]
        for name in dict.fromkeys(names):
            loaded = sys.modules.get(name)
            found = module_of(loaded) if isinstance(loaded, ModuleType) else None
            if found is not None and found.file is not None and (found.file == path or self._project.key(found.file)):
                yield Root(found)
        known = {its.file for its in plugins}
        others = [file for file in of_fixtures if file not in known and self._project.key(file) is not None]
        yield from (Root(Module("", file)) for file in (*others, *([path] if path is not None else [])))

    def _counts(self, plugin: Module, path: Path) -> bool:
        """Say whether a plugin is the project's, and a conftest one that the file at `path` sees."""
        if plugin.file is None or self._project.key(plugin.file) is None:
            return False
        file = Path(plugin.file)
        return file.name != "conftest.py" or path.is_relative_to(file.parent)


class _Today:
    """Reads what a sweep's code says today, where an earlier run has used more than is known of the sweep now."""

    def __init__(self, project: Project, files: Files, texts: TextReader, item: pytest.Function) -> None:
        self._project, self._files, self._texts, self._item = project, files, texts, item

    def file(self, key: str, like: str) -> str | None:
        """Return the digest of a file, of the same kind as `like`; None where it is not there."""
        return self._files.digest(self._project.path(key), like)

    def fixture(self, name: str) -> FixtureSource | None:
        """Return a fixture that the sweep sees; None where there is none of this name."""
        definitions = fixture_chain(self._item, name)
        return fixture_source(definitions, self._files, self._project) if definitions else None

    def of_version_0_1(self) -> Source:
        """Return the sweep's source as version 0.1.0 has compared it."""
        return self._texts.source(self._item)


def _modules(plugins: Iterable[object]) -> Iterator[Module]:
    """Yield the modules that plugins are, or are defined in."""
    names = {str(type(plugin).__module__) for plugin in plugins if not isinstance(plugin, ModuleType)}
    loaded = [plugin for plugin in plugins if isinstance(plugin, ModuleType)]
    loaded += [module for name in sorted(names) if isinstance(module := sys.modules.get(name), ModuleType)]
    seen = set()
    for its in map(module_of, loaded):
        if its is not None and its.file is not None and its.file not in seen:
            seen.add(its.file)
            yield its
