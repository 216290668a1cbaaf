"""Where a project keeps its results: what its configuration for pytest says. Knows neither pytest nor what is in the folder."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import iniconfig  # It and tomli come with pytest, which reads the same files by them.

from pytest_sweep.errors import NoResultsError
from pytest_sweep.store import find_results_dir

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_KEY, _FLAG = "sweep_dir", "--sweep-dir"


def results_folder(given: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder for results, absolute: the one that is `given`, or that of the project that the current folder is in.

    As pytest does, this takes the nearest configuration here or in a folder above, and in it ``--sweep-dir`` of ``addopts``, or else
    the key ``sweep_dir``. Where neither is there, it is the nearest folder ``sweep_results``.

    Raises:
        NoResultsError: there is no such folder, and none is `given`.
    """
    if given is not None:
        return Path(given).absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        file, settings = _settings(folder)
        if file is None:
            continue
        configured = _configured(settings)
        if configured is None:
            break
        # As the plugin reads it. Neither raises, whatever the file says.
        found = (folder / os.path.expanduser(configured)).absolute()  # noqa: PTH111
        if not os.path.isdir(found):  # noqa: PTH112
            raise NoResultsError(
                f"there is no folder {found}, where {file} says that results are: make it with pytest --sweep, or say where they are with"
                " dir=..."
            )
        return found
    return find_results_dir(here)


def _settings(folder: Path) -> tuple[Path | None, Mapping[str, Any]]:
    """Return the file in `folder` that pytest would read, and what it says to pytest; None where there is none."""
    for name, read in _READERS.items():
        path = folder / name
        if path.is_file():
            try:
                settings = read(path)
            except (OSError, ValueError, iniconfig.ParseError):
                continue  # pytest says what is wrong with it.
            if settings is not None:
                return path, settings
    return None, {}


def _configured(settings: Mapping[str, Any]) -> str | None:
    options = settings.get("addopts", "")
    words = _words(options) if isinstance(options, str) else _listed(options)
    found = settings.get(_KEY)
    for place, word in enumerate(words):
        if word == _FLAG:
            found = "".join(words[place + 1 : place + 2])
        elif word.startswith(f"{_FLAG}="):
            found = word.partition("=")[2]
    return str(found) if found else None


def _listed(options: object) -> list[str]:
    return [str(word) for word in options] if isinstance(options, list) else []


def _words(options: str) -> list[str]:
    try:
        return shlex.split(options)
    except ValueError:  # A quote is not closed, which pytest says.
        return []


def _ini(section: str, always: bool = False) -> Callable[[Path], Mapping[str, Any] | None]:
    def read(path: Path) -> Mapping[str, Any] | None:
        found = iniconfig.IniConfig(str(path)).sections.get(section)
        return {} if found is None and always else found

    return read


def _toml(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return found


def _pytest_toml(path: Path) -> Mapping[str, Any] | None:
    found = _toml(path).get("pytest", {})
    return found if isinstance(found, dict) else None


def _pyproject(path: Path) -> Mapping[str, Any] | None:
    tools = _toml(path).get("tool")
    found = tools.get("pytest") if isinstance(tools, dict) else None
    if not isinstance(found, dict):
        return None
    options = found.get("ini_options", found or None)
    return options if isinstance(options, dict) else None


# In pytest's order.
_READERS: Mapping[str, Callable[[Path], Mapping[str, Any] | None]] = {
    "pytest.toml": _pytest_toml,
    ".pytest.toml": _pytest_toml,
    "pytest.ini": _ini("pytest", always=True),
    ".pytest.ini": _ini("pytest", always=True),
    "pyproject.toml": _pyproject,
    "tox.ini": _ini("pytest"),
    "setup.cfg": _ini("tool:pytest"),
}
