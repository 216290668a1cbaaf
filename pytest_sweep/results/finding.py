"""Which run is meant by a word, for the command, ``--sweep-resume``, ``--sweep-warm`` and `load_results` alike.

Tried in this order: ``last`` and ``last~2``; ``running``; the name of a run; a path; a tag; a part of the name of one run only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from pytest_sweep.errors import NoResultsError, StoreError
from pytest_sweep.results.errors import QueryError
from pytest_sweep.results.tags import Tags
from pytest_sweep.store import (
    DATABASE,
    found_runs,
    has_database,
    is_running,
    last_run,
    lost_runs,
    newest_runs,
    no_runs,
    row_of_run,
)
from pytest_sweep.store.losses import lost_database

LAST = "last"
_LAST = re.compile(r"last(?:~(\d{1,9}))?")
_MOST_NAMES = 5


def find_run(word: str, results_dir: Path, *, may_drive: bool = False) -> Path:
    """Return the folder of the run that is meant by `word`.

    Args:
        word: what somebody has written.
        results_dir: the folder in which runs are.
        may_drive: as for `last_run`.

    Raises:
        NoResultsError: there is none; the text says which there are.
        QueryError: there are several.
        StoreError: the run has lost its database.
    """
    if is_path(word):
        return _at(word)
    if match := _LAST.fullmatch(word):
        return _last(int(match[1] or 0), results_dir, may_drive)
    if word == "running":
        return _running(results_dir)
    return _by_name(word, results_dir) or _by_tag(word, results_dir) or _by_part(word, results_dir)


def is_path(word: str) -> bool:
    """Say whether a word is a path, which works without a folder for results."""
    return word in (".", "..") or "/" in word or "\\" in word


def _at(word: str) -> Path:
    try:
        path = Path(word).expanduser()
        if path.name == DATABASE and has_database(path.parent, DATABASE) and not path.is_dir():
            path = path.parent
        if has_database(path, DATABASE):
            return path.resolve()
    except (OSError, ValueError, RuntimeError):  # No path of this machine, or the home of nobody.
        pass
    raise NoResultsError(f"there is no run in {word!r}: the folder of a run has a file {DATABASE}")


def _last(back: int, results_dir: Path, may_drive: bool) -> Path:
    last = last_run(results_dir, back, may_drive=may_drive)
    if last.folder is not None:
        return last.folder
    count = len(found_runs(results_dir)) - len(last.passed_over)
    if count < 1:
        if last.passed_over:
            raise NoResultsError(
                f"no run in {results_dir} has stored anything yet: {last.passed_over[0].name} has just begun, or was killed as it began"
            )
        raise no_runs(results_dir)
    raise NoResultsError(
        f"last~{back}: there is only one run in {results_dir}"
        if count == 1
        else f"last~{back}: there are {count} runs in {results_dir}, and the oldest is last~{count - 1}"
    )


def _by_name(word: str, results_dir: Path) -> Path | None:
    if not word or "\0" in word:
        return None
    if has_database(results_dir / word, DATABASE):
        return results_dir / word
    return Path(word).resolve() if has_database(Path(word), DATABASE) else None


def _by_tag(word: str, results_dir: Path) -> Path | None:
    tagged = Tags(results_dir).read().get(word)
    if tagged is None:
        return None
    if not has_database(results_dir / tagged, DATABASE):
        raise NoResultsError(f"the tag {word} names the run {tagged}, which is not in {results_dir} any more")
    return results_dir / tagged


def _running(results_dir: Path) -> Path:
    found = [folder for folder in newest_runs(results_dir) if goes_on(folder)]
    if not found:
        raise NoResultsError(f"no run in {results_dir} goes on at this moment")
    if len(found) > 1:
        raise QueryError(f"{len(found)} runs go on: name one of {_listed(found)}")
    return found[0]


def goes_on(folder: Path) -> bool:
    """Say whether the driver of the run in `folder` lives; one that cannot be read counts as ended."""
    try:
        row = row_of_run(folder / DATABASE)
        return row["finished"] is None and is_running(folder, row.get("driver"))
    except StoreError:
        return False


def _by_part(word: str, results_dir: Path) -> Path:
    folders = found_runs(results_dir)
    lost = list(lost_runs(results_dir))
    found = [folder for folder in (*folders, *lost) if word and word in folder.name]
    if len(found) > 1:
        raise QueryError(f"{len(found)} runs have {word!r} in their name: {_listed(sorted(found, reverse=True))}")
    if found and found[0] in lost:
        raise lost_database(found[0])
    if found:
        return found[0]
    if not folders:
        raise no_runs(results_dir)
    newest = list(islice(newest_runs(results_dir), _MOST_NAMES + 1))
    raise NoResultsError(f"there is no run {word!r} in {results_dir}: the newest are {_listed(newest)}")


def _listed(folders: Sequence[Path]) -> str:
    names = ", ".join(folder.name for folder in folders[:_MOST_NAMES])
    return names + (", ..." if len(folders) > _MOST_NAMES else "")
