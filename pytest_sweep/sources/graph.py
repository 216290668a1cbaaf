"""What code imports, and what that imports: which files of the project a sweep is made of, and which packages it uses."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pytest_sweep.sources.files import REST, Files, Stamp
from pytest_sweep.sources.modules import Module, Modules, beside
from pytest_sweep.sources.names import Import, Names
from pytest_sweep.sources.packages import Packages
from pytest_sweep.sources.project import Project


@dataclass(frozen=True)
class Root:
    """A file that the code of a sweep begins with.

    Attributes:
        module: the file, as a module.
        without_fixtures: whether it counts without its fixtures, which count by themselves: a conftest.
    """

    module: Module
    without_fixtures: bool = False


@dataclass(frozen=True)
class Closure:
    """What a sweep is made of.

    Attributes:
        files: digests of files, by their keys; None for one that cannot be read.
        packages: versions of the packages that these files import, by the names of the distributions.
        by_name: whether one of the files imports modules whose names are not in its text.
    """

    files: Mapping[str, str | None]
    packages: Mapping[str, str]
    by_name: bool = False


@dataclass
class _Imported:
    """What one file imports directly."""

    modules: list[Module] = field(default_factory=list)
    installed: dict[str, None] = field(default_factory=dict)


class CodeGraph:
    """Follows imports from file to file. Nothing is imported for it.

    Args:
        project: knows which files are the project's.
        files: reads them.

    Attributes:
        stamps: of the files that were read, by their keys.
    """

    def __init__(self, project: Project, files: Files) -> None:
        self._project = project
        self._files = files
        self._modules = Modules()
        self._packages = Packages()
        self._imported: dict[tuple[str, str], _Imported] = {}
        self.stamps: dict[str, Stamp] = {}

    def closure(self, roots: Iterable[Root], installed: Iterable[str] = ()) -> Closure:
        """Return what the files of `roots` are made of: they, what they import, and what that imports.

        Args:
            roots: files of the project; a root need not belong to it.
            installed: names of further packages that are used.
        """
        found: dict[str, str | None] = {}
        packages: dict[str, str] = {}
        is_by_name = False
        tops = dict.fromkeys(installed)
        waiting = [(root.module, root.without_fixtures) for root in roots]
        waiting += [(package, False) for root, _ in list(waiting) for package in self._parents(root)]
        seen: set[tuple[str, str]] = set()
        while waiting:
            module, is_partial = waiting.pop()
            if module.file is None:
                continue
            key = self._project.key_of_any(module.file)
            digest = self._files.digest(module.file, REST if is_partial else "")
            if key not in found or (not is_partial and (found[key] or "").startswith(REST)):
                found[key] = digest
            if (module.file, module.package) in seen:
                continue
            seen.add((module.file, module.package))
            packages |= self._vendored(module)
            file = self._files.read(module.file)
            if file is not None:
                self.stamps[key] = file.stamp
                is_by_name |= file.names.by_name
                imported = self._imported_by(module, file.names)
                waiting += [(its, False) for its in imported.modules]
                tops |= imported.installed
        for top in tops:
            packages |= self._packages.versions(top)
        return Closure(dict(sorted(found.items())), dict(sorted(packages.items())), is_by_name)

    def _parents(self, module: Module) -> list[Module]:
        """Return the packages that a module of the project is in: importing it has executed them."""
        above = module.name.rpartition(".")[0]
        return [its for its in self._modules.chain(above) if self._is_own(its)] if above else []

    def _imported_by(self, module: Module, names: Names) -> _Imported:
        assert module.file is not None
        place = (module.file, module.package)
        if place not in self._imported:
            found = self._imported[place] = _Imported()
            for its in names.imports:
                self._follow(module, its, found)
            for text in names.dotted:
                self._follow_text(text, found)
            found.modules += [Module("", path) for path in self._scripts(module.file, names.paths)]
        return self._imported[place]

    def _follow(self, module: Module, its: Import, found: _Imported) -> None:
        name = _absolute(its, module.package)
        if name is None:
            assert module.file is not None
            for text in (its.module, *(f"{its.module}.{name}" for name in its.names)):
                found.modules += [Module("", file) for file in beside(module.file, its.level, text)]
            return
        chain = self._modules.chain(name)
        if chain and chain[-1].name == name and chain[-1].search is not None:
            submodules = (self._modules.find(f"{name}.{part}") for part in its.names if part != "*")
            chain += [part for part in submodules if part is not None]
        self._add(chain, found)

    def _follow_text(self, text: str, found: _Imported) -> None:
        """Take a string for the name of a module, or of something in one, if the project has such a module."""
        name = text.partition(":")[0]
        chain = self._modules.chain(name)
        if not chain or not all(self._is_own(module) or module.file is None for module in chain):
            return
        last = chain[-1]
        rest = name[len(last.name) :].lstrip(".")
        if last.file is not None and (not rest or self._mentions(last.file, rest.partition(".")[0])):
            self._add(chain, found)

    def _mentions(self, file: str, name: str) -> bool:
        try:
            with open(file, encoding="utf-8", errors="replace") as content:  # noqa: PTH123
                return name in content.read()
        except OSError:
            return False

    def _scripts(self, file: str, paths: Iterable[str]) -> Iterator[str]:
        for path in paths:
            for folder in (os.path.dirname(file), self._project.root):  # noqa: PTH120
                script = os.path.join(folder, path)  # noqa: PTH118
                if os.path.isfile(script) and self._project.key(script) is not None:  # noqa: PTH113
                    yield script

    def _add(self, chain: Iterable[Module], found: _Imported) -> None:
        for module in chain:
            if self._is_own(module):
                found.modules.append(module)
            elif module.file is not None and (top := module.name.partition(".")[0]) not in sys.stdlib_module_names:
                found.installed[top] = None

    def _is_own(self, module: Module) -> bool:
        return module.file is not None and self._project.key(module.file) is not None

    def _vendored(self, module: Module) -> Mapping[str, str]:
        """Return the version of a package whose metadata lie beside it."""
        top = self._modules.find(module.name.partition(".")[0]) if module.name else None
        if top is None or top.file is None:
            return {}
        folder = os.path.dirname(top.file)  # noqa: PTH120
        return self._packages.beside(os.path.dirname(folder) if top.search is not None else folder, top.name)  # noqa: PTH120


def _absolute(its: Import, package: str) -> str | None:
    """Return the full name of what is imported; None where the package that it is relative to is not known."""
    if not its.level:
        return its.module
    parts = package.split(".") if package else []
    if len(parts) < its.level:
        return None
    base = parts[: len(parts) - its.level + 1]
    return ".".join([*base, *([its.module] if its.module else [])])
