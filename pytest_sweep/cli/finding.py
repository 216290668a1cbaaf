"""Which run is meant by a word of the command line: a name or a part of it, ``last``, ``last~2``, ``running``, a tag or a path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from pytest_sweep.cli.errors import NoSuchRunError, UsageError
from pytest_sweep.cli.tags import Tags
from pytest_sweep.errors import StoreError
from pytest_sweep.store import (
    DATABASE,
    has_database,
    has_stored_nothing,
    lost_database,
    newest_runs,
    row_of_run,
    who_runs,
    without_database,
)
from pytest_sweep.store.running import is_running

_LAST = re.compile(r"last(?:~(\d+))?")
_MOST_NAMES = 5


def find_run(word: str, results_dir: Path) -> Path:
    """Return the folder of the run that is meant by `word`.

    Raises:
        NoSuchRunError: there is none; the text says which there are.
        UsageError: there are several.
    """
    if is_path(word):
        return _at(word)
    if match := _LAST.fullmatch(word):
        return _last(int(match[1] or 0), results_dir)
    if word == "running":
        return _running(results_dir)
    if word and "\0" not in word and has_database(results_dir / word, DATABASE):
        return results_dir / word
    if (tagged := Tags(results_dir).read().get(word)) is not None:
        if not has_database(results_dir / tagged, DATABASE):
            raise NoSuchRunError(f"the tag {word} names the run {tagged}, which is not in {results_dir} any more")
        return results_dir / tagged
    return _by_part(word, results_dir)


def is_path(word: str) -> bool:
    """Say whether a word is a path, which works without a folder for results."""
    return word in (".", "..") or "/" in word or "\\" in word


def _at(word: str) -> Path:
    path = Path(word).expanduser()
    try:
        if path.name == DATABASE and has_database(path.parent, DATABASE) and not path.is_dir():
            path = path.parent
        if has_database(path, DATABASE):
            return path.resolve()
    except (OSError, ValueError):
        pass
    raise NoSuchRunError(f"there is no run in {word!r}: the folder of a run has a file {DATABASE}")


def _last(back: int, results_dir: Path) -> Path:
    found = list(islice(newest_runs(results_dir), back + 1))
    for folder in without_database(results_dir, found[0] if found else None):
        if who_runs(folder) is None and not has_stored_nothing(folder):
            raise lost_database(folder)  # An older run is not taken for it.
    if not found:
        raise _none(results_dir)
    if len(found) <= back:
        raise NoSuchRunError(
            f"last~{back}: there is only one run in {results_dir}"
            if len(found) == 1
            else f"last~{back}: there are {len(found)} runs in {results_dir}, and the oldest is last~{len(found) - 1}"
        )
    return found[back]


def _running(results_dir: Path) -> Path:
    found = [folder for folder in newest_runs(results_dir) if goes_on(folder)]
    if not found:
        raise NoSuchRunError(f"no run in {results_dir} goes on at this moment")
    if len(found) > 1:
        raise UsageError(f"{len(found)} runs go on: name one of {_listed(found)}")
    return found[0]


def goes_on(folder: Path) -> bool:
    """Say whether the driver of the run in `folder` lives; one that cannot be read counts as ended."""
    try:
        row = row_of_run(folder / DATABASE)
        return row["finished"] is None and is_running(folder, row.get("driver"))
    except StoreError:
        return False


def _by_part(word: str, results_dir: Path) -> Path:
    folders = list(newest_runs(results_dir))
    if not folders:
        raise _none(results_dir)
    found = [folder for folder in folders if word and word in folder.name]
    if not found:
        raise NoSuchRunError(f"there is no run {word!r} in {results_dir}: the newest are {_listed(folders)}")
    if len(found) > 1:
        raise UsageError(f"{len(found)} runs have {word!r} in their name: {_listed(found)}")
    return found[0]


def _none(results_dir: Path) -> NoSuchRunError:
    return NoSuchRunError(f"there is no run in {results_dir}: make one with pytest --sweep")


def _listed(folders: Sequence[Path]) -> str:
    names = ", ".join(folder.name for folder in folders[:_MOST_NAMES])
    return names + (", ..." if len(folders) > _MOST_NAMES else "")
