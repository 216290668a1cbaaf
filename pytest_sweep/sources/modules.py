"""Finds the files of modules without importing them: as they are loaded, else as they would be."""

from __future__ import annotations

import importlib.machinery
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Module:
    """A module that is there.

    Attributes:
        name: its full name.
        file: its file; None of a package that has none.
        search: where its submodules are looked for; None where it is no package.
    """

    name: str
    file: str | None
    search: tuple[str, ...] | None = None

    @property
    def package(self) -> str:
        """What relative imports in it are relative to."""
        return self.name if self.search is not None else self.name.rpartition(".")[0]


class Modules:
    """Finds modules by their names; each is looked for once."""

    def __init__(self) -> None:
        self._found: dict[str, Module | None] = {}

    def find(self, name: str) -> Module | None:
        """Return the module of this name; None where there is none, and where it is of the standard library."""
        if name not in self._found:
            self._found[name] = None  # Should it be asked for while it is looked for.
            self._found[name] = self._look(name)
        return self._found[name]

    def chain(self, name: str) -> list[Module]:
        """Return the packages that a module is in, and the module, as far as they are there."""
        parts = name.split(".")
        found = []
        for count in range(1, len(parts) + 1):
            module = self.find(".".join(parts[:count]))
            if module is None:
                break
            found.append(module)
        return found

    def _look(self, name: str) -> Module | None:
        top, _, last = name.rpartition(".")
        loaded = _loaded(name)
        if loaded is not None:
            return loaded
        if name.partition(".")[0] in sys.stdlib_module_names:
            return None
        search: Sequence[str] | None = None
        if top:
            above = self.find(top)
            if above is None or above.search is None or not last:
                return None
            search = above.search
        spec = _spec(name, search)
        if spec is None:
            return None
        places = spec.submodule_search_locations
        file = spec.origin if spec.has_location else None
        return Module(name, file, None if places is None else tuple(places))


def module_of(module: ModuleType) -> Module | None:
    """Return what is known of a module that is loaded; None where it has no file and is no package."""
    # Past its own __getattr__, which may import.
    its = vars(module)
    file, places = its.get("__file__"), its.get("__path__")
    if not isinstance(file, str) and places is None:
        return None
    try:
        search = None if places is None else tuple(map(str, places))
    except Exception:  # A path that computes itself, and cannot.
        search = None
    return Module(str(its.get("__name__")), file if isinstance(file, str) else None, search)


def _loaded(name: str) -> Module | None:
    module = sys.modules.get(name)
    found = module_of(module) if isinstance(module, ModuleType) else None
    # It may be loaded under another name than its own.
    return None if found is None else Module(name, found.file, found.search)


def _spec(name: str, search: Sequence[str] | None) -> importlib.machinery.ModuleSpec | None:
    """Ask the finders, of which editable installs bring their own. None of them imports anything."""
    for finder in list(sys.meta_path):
        find = getattr(finder, "find_spec", None)
        if find is None or finder in (importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter):
            continue
        try:
            spec = find(name, search, None)
        except Exception:  # noqa: S112 - a finder of somebody else's, which is its own affair
            continue
        if isinstance(spec, importlib.machinery.ModuleSpec):
            return spec
    return None


def beside(file: str, level: int, module: str) -> list[str]:
    """Return the files that a relative import may mean where the package has no name: by the folders alone."""
    folder = file
    for _ in range(level):
        folder = os.path.dirname(folder)  # noqa: PTH120
    path = os.path.join(folder, *filter(None, module.split(".")))  # noqa: PTH118
    choices = (f"{path}.py", os.path.join(path, "__init__.py"))  # noqa: PTH118
    return [choice for choice in choices if os.path.isfile(choice)]  # noqa: PTH113
