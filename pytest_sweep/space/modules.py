"""The names of modules in keys: equal in every import mode of pytest. Knows of pytest only how it names what it imports."""

from __future__ import annotations

import fnmatch
import sys
from functools import cache
from pathlib import Path

_TEST_FILES = ("test_*.py", "*_test.py", "sweep_*.py", "conftest.py")


def module_name(name: str) -> str:
    """Return the name that a module has in every import mode of pytest; `name` is what it has in this process.

    With ``--import-mode=importlib`` the name of a test file begins with the folders below rootdir, ``tests.test_models``; else with those
    that are packages, ``test_models``. The latter is returned for files that pytest imports, and `name` itself for all others.
    """
    module = sys.modules.get(name)
    if "." not in name or not is_test_file(module):
        return name
    return _name_in_packages(name, str(getattr(module, "__file__", "")))


def is_test_file(module: object) -> bool:
    """Say whether pytest imports a module as a test file: by its name, or because its assertions are rewritten."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return False
    is_rewritten = type(getattr(module, "__loader__", None)).__name__ == "AssertionRewritingHook"
    return is_rewritten or any(fnmatch.fnmatch(Path(file).name, pattern) for pattern in _TEST_FILES)


@cache
def _name_in_packages(name: str, file: str) -> str:
    path = Path(file)
    parts = [] if path.name == "__init__.py" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts) or name
