"""Which files of the driver's rootdir travel to nodes that do not see it. Imports no Ray."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from pathspec import GitIgnoreSpec

_NO_CODE = frozenset({
    ".git", ".hg", ".svn", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".ipynb_checkpoints", ".tox",
    ".nox", "node_modules",
})  # fmt: skip
_ENVIRONMENTS = ("pyvenv.cfg", "conda-meta")
"""What a folder has that is an environment of Python's, of venv or conda; a node has its own."""
_IGNORE_FILES = (".gitignore", ".rayignore")


@dataclass(frozen=True, slots=True)
class ShippedFile:
    """A file that travels.

    Attributes:
        name: its path in the rootdir, with slashes.
        size: in bytes.
    """

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class _Rules:
    """An ignore file: what it says, the folder it is in (``src/``), and if that is above the rootdir the way down to it (``ml/``)."""

    spec: GitIgnoreSpec
    folder: str = ""
    way: str = ""

    def verdict(self, name: str) -> bool | None:
        return self.spec.check_file(f"{self.way}{name[len(self.folder) :]}").include


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder on the walk: its name in the rootdir (``src/``), what is said of it, and the folders above it, without links."""

    name: str
    rules: tuple[_Rules, ...]
    above: tuple[str, ...] = ()
    is_ignored: bool = False
    has_code: bool = True

    def ignores(self, name: str) -> bool:
        """Say whether a path in it is ignored: the nearest file that says something decides."""
        verdicts = (rules.verdict(name) for rules in reversed(self.rules))
        return self.is_ignored or next((verdict for verdict in verdicts if verdict is not None), False)


class Selection:
    """Decides which files of a folder travel.

    What ``.gitignore`` names stays, in every folder and in those above up to the repository's; so do what no code is in (version
    control, caches, environments of Python) and `left_out`. `include` brings back.

    Args:
        root: the rootdir.
        left_out: further folders that stay, such as that for results.
        include: patterns as in ``.gitignore``. One without a slash in its middle does not reach into what has no code in it.
    """

    def __init__(self, root: Path, left_out: Collection[Path] = (), include: Sequence[str] = ()) -> None:
        self._root = root
        self._left_out = {folder.resolve() for folder in left_out}
        anchored = [pattern for pattern in include if "/" in pattern.strip("/") and not pattern.startswith("**/")]
        self._include = GitIgnoreSpec.from_lines(include)
        self._include_anywhere = GitIgnoreSpec.from_lines(anchored)
        self._anchored = [pattern.strip("/").split("/") for pattern in anchored]
        self._reaches_all_code = len(anchored) < len(include)

    def files(self) -> list[ShippedFile]:
        """Return all that travel, sorted by name.

        Raises:
            OSError: a folder cannot be read.
        """
        return sorted(self._walk(_Folder("", _rules_above(self._root))), key=lambda file: file.name)

    def _walk(self, folder: _Folder) -> Iterator[ShippedFile]:
        path = self._root / folder.name
        real = os.path.realpath(path)
        if real in folder.above:  # A link to a folder that it is in.
            return
        rules = (*folder.rules, *_rules_in(path, folder=folder.name))
        here = _Folder(folder.name, rules, (*folder.above, real), folder.is_ignored, folder.has_code)
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir():
                    below = self._below(here, entry)
                    if (below.has_code and not below.is_ignored) or self._may_include(below):
                        yield from self._walk(below)
                elif entry.is_file() and self._travels(here, entry.name):
                    yield ShippedFile(f"{here.name}{entry.name}", entry.stat().st_size)

    def _below(self, folder: _Folder, entry: os.DirEntry[str]) -> _Folder:
        name, path = f"{folder.name}{entry.name}/", Path(entry.path)
        stays = (
            entry.name in _NO_CODE
            or path.resolve() in self._left_out
            or any((path / sign).exists() for sign in _ENVIRONMENTS)
        )
        return _Folder(name, folder.rules, folder.above, folder.ignores(name), folder.has_code and not stays)

    def _travels(self, folder: _Folder, file: str) -> bool:
        name = f"{folder.name}{file}"
        if folder.has_code and file not in _IGNORE_FILES and not folder.ignores(name):
            return True
        return (self._include if folder.has_code else self._include_anywhere).match_file(name)

    def _may_include(self, folder: _Folder) -> bool:
        """Say whether something in a folder that stays could be brought back."""
        if folder.has_code and self._reaches_all_code:
            return True
        return any(_may_lead_to(folder.name.rstrip("/").split("/"), pattern) for pattern in self._anchored)


def _rules_in(path: Path, folder: str = "", way: str = "") -> Iterator[_Rules]:
    for name in _IGNORE_FILES:
        try:
            lines = (path / name).read_text("utf-8", errors="replace").splitlines()
        except OSError:
            continue
        yield _Rules(GitIgnoreSpec.from_lines(lines), folder, way)


def _rules_above(root: Path) -> tuple[_Rules, ...]:
    """Return what the ignore files above the rootdir say, where it is in a git repository."""
    folders = [root, *root.parents]
    top = next((place for place, folder in enumerate(folders) if (folder / ".git").exists()), 0)
    above = reversed(folders[1 : top + 1])
    return tuple(
        rules for folder in above for rules in _rules_in(folder, way=f"{root.relative_to(folder).as_posix()}/")
    )


def _may_lead_to(folder: Sequence[str], pattern: Sequence[str]) -> bool:
    """Say whether a pattern may match something in a folder, both in parts."""
    for part, wanted in zip(folder, pattern, strict=False):
        if wanted == "**":
            return True
        if not fnmatchcase(part, wanted):
            return False
    return True
