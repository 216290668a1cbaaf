"""Functions, classes and other objects of modules, by the path that leads to them: ``torch.nn:ReLU``. Imports nothing, ever."""

from __future__ import annotations

import sys
import types
from typing import Any

from pytest_sweep.space.modules import is_test_file


class UnresolvedError(LookupError):
    """A path leads to nothing in this process; the text says why."""


def reference(value: object) -> str | None:
    """Return the path ``module:name`` by which `value` is found in this process; None where there is none."""
    module = getattr(value, "__module__", None) or getattr(getattr(value, "__objclass__", None), "__module__", None)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    return checked(f"{module}:{name}", value)


def checked(path: str, value: object) -> str | None:
    """Return `path` if it leads to `value`, else None."""
    try:
        found = resolved(path)
    except UnresolvedError:
        return None
    # A bound method is made anew at each access.
    same = found is value or (isinstance(value, types.MethodType) and found == value)
    return path if same else None


def resolved(path: str) -> Any:
    """Return what is at a path, in modules that this process has imported.

    Attributes are looked up in modules and classes only, in what they hold themselves, so that no code of theirs runs to provide one.

    Raises:
        UnresolvedError: the module is not imported, or has no such name.
    """
    module, _, name = path.partition(":")
    found: Any = sys.modules.get(module) or _of_other_mode(module)
    if found is None:
        raise UnresolvedError(f"the module {module!r} is not imported")
    for part in name.split("."):
        classes = found.__mro__ if isinstance(found, type) else (found,)
        if not isinstance(found, (type, types.ModuleType)) or not any(part in vars(one) for one in classes):
            raise UnresolvedError(f"the module {module!r} has no {name!r}")
        found = getattr(found, part) if isinstance(found, type) else vars(found)[part]
    return found


def _of_other_mode(name: str) -> Any:
    """Return the test file that pytest would call `name` in another of its import modes: ``tests.test_models`` for ``test_models``."""
    for other, module in list(sys.modules.items()):
        if (other.endswith(f".{name}") or name.endswith(f".{other}")) and is_test_file(module):
            return module
    return None
