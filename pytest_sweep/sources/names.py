"""What a file imports, as far as its text says it. Reads no file, and imports nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

_IMPORT_MODULE = "import_module"
_BY_NAME = frozenset({"__import__", _IMPORT_MODULE, "importorskip", "locate", "resolve_name", "run_module"})
"""Functions whose first argument is the name of a module."""

_UNKNOWN = frozenset({"entry_points", "iter_modules", "run_path", "spec_from_file_location", "walk_packages"})
"""Functions that import, or run, what only they know; ``exec`` is one, too, if it is no method."""

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+(:[A-Za-z_][\w.]*)?")


@dataclass(frozen=True)
class Import:
    """One import.

    Attributes:
        module: the module; "" in ``from . import x``.
        level: the number of dots before it.
        names: what is imported from it, each of which may be a module.
    """

    module: str
    level: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Names:
    """What a file says of other files.

    Attributes:
        imports: what it imports, anywhere in it, also within functions.
        paths: strings that are names of Python files: scripts that it runs.
        dotted: strings that may be names of modules, or of something in one.
        by_name: whether it imports modules whose names its text does not say, in another way than by ``importlib.import_module``, whose
            calls are noted (`sources/watching.py`).
    """

    imports: tuple[Import, ...] = ()
    dotted: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    by_name: bool = False


def names_in(tree: ast.AST) -> Names:
    """Return what a file says of other files."""
    imports: dict[Import, None] = {}
    dotted: dict[str, None] = {}
    paths: dict[str, None] = {}
    plugins: set[int] = set()
    by_name = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= dict.fromkeys(Import(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imports[Import(node.module or "", node.level, tuple(alias.name for alias in node.names))] = None
        elif isinstance(node, ast.Call):
            found = _called(node)
            by_name |= found is not None and not found
            imports |= dict.fromkeys(found or ())
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in plugins:
            if node.value.endswith(".py") and "\n" not in node.value:
                paths[node.value] = None
            elif _DOTTED.fullmatch(node.value):
                dotted[node.value] = None
        elif isinstance(node, ast.Assign) and "pytest_plugins" in _targets(node):
            plugins |= {id(part) for part in ast.walk(node.value)}  # They are known as plugins.
        elif isinstance(node, ast.Attribute) and node.attr == "modules" and ast.unparse(node.value) == "sys":
            by_name = True
    return Names(tuple(imports), tuple(dotted), tuple(paths), by_name)


def _called(call: ast.Call) -> list[Import] | None:
    """Return what a call imports: None where it imports nothing, and an empty list where nobody knows what."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in _UNKNOWN or (name == "exec" and isinstance(call.func, ast.Name)):
        return []
    if name not in _BY_NAME:
        return None
    given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "name")]
    if not given or not isinstance(given[0], ast.Constant) or not isinstance(given[0].value, str):
        return None if name == _IMPORT_MODULE else []
    module = given[0].value
    level = len(module) - len(module.lstrip("."))
    return [Import(module[level:], level)]


def _targets(node: ast.Assign) -> Iterator[str]:
    return (target.id for target in node.targets if isinstance(target, ast.Name))
