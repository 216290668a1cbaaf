"""Files of the user's that are named like modules of the standard library: a ``queue.py`` beside the tests.

pytest imports what it needs before it puts folders of tests on the import path, so that such a file does no harm, and is what the tests
import where the standard library's module was not imported before. A worker gets the driver's whole path at once: here is what makes it
see the same modules as the driver.
"""

from __future__ import annotations

import contextlib
import os
import site
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module

_SUFFIXES = (".py", ".pyc", ".so", ".pyd")

_INSTALLED = tuple(
    os.path.realpath(folder) + os.sep
    for folder in (os.path.dirname(os.__file__), *site.getsitepackages(), site.getusersitepackages())  # noqa: PTH120
)


def shadowed(path: Sequence[str]) -> Mapping[str, bool]:
    """Return the modules of the standard library that folders on `path` have files for: whether this process uses the library's own."""
    names: set[str] = set()
    for folder in filter(_is_of_user, path):
        with contextlib.suppress(OSError):  # Not a folder, or not there.
            names |= set(_standard_names(folder or os.curdir))
    return {name: is_standard(name) for name in sorted(names)}


def use_same(modules: Mapping[str, bool]) -> None:
    """Have this process use of such modules what the driver uses, before it gets the driver's path.

    Args:
        modules: what `shadowed` has returned on the driver.
    """
    with standard_first():
        for name, uses_standard in modules.items():
            if uses_standard:
                with contextlib.suppress(ImportError):
                    import_module(name)
            elif is_standard(name):
                # Who has imported it keeps it. The tests get what they get on the driver.
                for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] == name]:
                    del sys.modules[loaded]


@contextlib.contextmanager
def standard_first() -> Iterator[None]:
    """Import from the standard library, and what is installed, before folders of the user's."""
    path = list(sys.path)
    sys.path.sort(key=_is_of_user)
    try:
        yield
    finally:
        sys.path[:] = path


def _standard_names(folder: str) -> Iterator[str]:
    """Yield the names of what can be imported from a folder and is named like a module of the standard library."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name, dot, _ = entry.name.partition(".")
            if name not in sys.stdlib_module_names or name in sys.builtin_module_names:
                continue
            inside = os.path.join(entry.path, "__init__.py")  # noqa: PTH118 - on each start of a run
            if entry.name.endswith(_SUFFIXES) if dot else os.path.isfile(inside):  # noqa: PTH113
                yield name


def _is_of_user(folder: str) -> bool:
    return not (os.path.realpath(folder) + os.sep).startswith(_INSTALLED)


def is_standard(name: str) -> bool:
    """Say whether a module of this name is imported, and is the standard library's."""
    module = sys.modules.get(name)
    if module is None:
        return False
    file = getattr(module, "__file__", None)
    return file is None or not _is_of_user(os.path.dirname(file))  # noqa: PTH120
