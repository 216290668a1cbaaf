"""Which files are the project's own code. Everything is that is neither the standard library nor installed as a copy."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

_PLUGIN = os.path.realpath(os.path.dirname(os.path.dirname(__file__)))  # noqa: PTH120
"""This plugin, which may be an editable install, too: it is no part of what a trial computes."""

_INSTALLED = frozenset({"site-packages", "dist-packages"})


class Project:
    """Knows the project's files by their keys: paths relative to rootdir, with ``/``.

    A file belongs to it wherever it is imported from: rootdir, an editable install, a folder that ``pythonpath`` or PYTHONPATH
    names. What is installed as a copy does not, nor does the standard library.

    Args:
        root: the rootdir, as it is on this machine.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.path.realpath(root)
        # A rootdir may itself be inside of what is installed: pytest --pyargs.
        self._foreign = tuple(folder for folder in _foreign_folders() if not _is_within(self.root, folder))
        self._folders: dict[str, tuple[str, bool]] = {}

    def key(self, path: str) -> str | None:
        """Return the key of a file; None where it does not belong to the project."""
        folder, name = os.path.split(path)
        key, is_own = self._folder(folder)
        return f"{key}{name}" if is_own else None

    def key_of_any(self, path: str) -> str:
        """Return the key that a file has, or would have if it belonged to the project."""
        folder, name = os.path.split(path)
        return f"{self._folder(folder)[0]}{name}"

    def path(self, key: str) -> str:
        """Return the path of the file with this key."""
        return os.path.normpath(os.path.join(self.root, key))  # noqa: PTH118 - as text, like the paths that it is compared with

    def _folder(self, folder: str) -> tuple[str, bool]:
        """Return how the keys of the files in a folder begin, and whether they are the project's; of thousands of modules few are."""
        if folder not in self._folders:
            real = os.path.realpath(folder)
            try:
                key = Path(os.path.relpath(real, self.root)).as_posix()
            except ValueError:  # On another drive of Windows.
                key = Path(real).as_posix()
            self._folders[folder] = ("" if key == "." else f"{key}/", self._is_own(real))
        return self._folders[folder]

    def _is_own(self, path: str) -> bool:
        inside = _is_within(path, self.root)
        parts = Path(os.path.relpath(path, self.root) if inside else path).parts
        if not _INSTALLED.isdisjoint(parts) or (not inside and _is_within(path, _PLUGIN)):
            return False
        return not any(_is_within(path, folder) for folder in self._foreign)


def _foreign_folders() -> Iterator[str]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [sysconfig.get_path(name) for name in names] + [*site.getsitepackages(), site.getusersitepackages()]
    # In a virtual environment, the standard library is that of the interpreter that it was made with.
    folders += [os.path.dirname(os.__file__), sys.prefix + "/bin"]  # noqa: PTH120
    yield from {os.path.realpath(folder) for folder in folders if folder}


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
