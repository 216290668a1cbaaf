"""Which other runs and files the database of a run refers to, so that nobody deletes them. Reads only, also what another version wrote."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pytest_sweep.errors import StoreError
from pytest_sweep.store.files import reporting_errors
from pytest_sweep.store.folders import DATABASE
from pytest_sweep.store.opening import any_connection, row_of_run

# What is stored relative to the run's folder, without a way out of it, is the run's own.
_ELSEWHERE = "(substr({0}, 1, 1) IN ('/', '\\') OR substr({0}, 2, 1) = ':' OR instr({0}, '..') OR instr({0}, '://'))"


@dataclass(frozen=True, slots=True)
class References:
    """What a run refers to that is not in its folder.

    Attributes:
        resumed_from: the run that it went on from: its name, or the path of its folder; or None.
        taken_from: the runs, likewise, that it has taken results from.
        paths: where folders and checkpoints of its trials lie: paths, and URLs.
    """

    resumed_from: str | None
    taken_from: frozenset[str]
    paths: frozenset[str]

    def among(self, folder: Path, runs: Mapping[str, str]) -> dict[str, str]:
        """Return to which of some runs the run in `folder`, whose references these are, refers, and how, as a clause.

        Args:
            folder: the folder of the run.
            runs: the names of the others by the real paths of their folders.
        """
        names = frozenset(runs.values())
        found: dict[str, str] = {}
        for path in self.paths:
            # By its name, too: the folder for results may have been moved since, or lie elsewhere on another machine.
            parts = path.replace("\\", "/").split("/")
            found |= dict.fromkeys(names.intersection(parts), "uses its checkpoints or its folders of trials")
            if "://" not in path and (name := _run_of(folder / path, runs)) is not None:
                found[name] = "uses its checkpoints or its folders of trials"
        for run, how in (
            *((run, "has taken results from it") for run in self.taken_from),
            *([] if self.resumed_from is None else [(self.resumed_from, "was resumed from it")]),
        ):
            name = run if run in names else _run_of(folder.parent / run, runs) or Path(run).name
            if name in names:
                found[name] = how
        found.pop(folder.name, None)
        return found


def references(folder: Path) -> References:
    """Return what the run in `folder` refers to.

    Raises:
        StoreError: it cannot be read, so that nobody knows.
    """
    database = folder / DATABASE
    resumed_from = row_of_run(database, any_version=True).get("resumed_from")
    with reporting_errors(database, "read"), closing(any_connection(database)) as connection:
        taken = {
            run for (run,) in connection.execute("SELECT DISTINCT taken_from FROM trial WHERE taken_from IS NOT NULL")
        }
        paths: set[str] = set()
        for table, column in (("trial", "folder"), ("trial", "checkpoint"), ("report", "checkpoint")):
            # Reports with a checkpoint have an index; those without one are not looked at.
            paths.update(
                path
                for (path,) in connection.execute(
                    f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL AND {_ELSEWHERE.format(column)}"
                )
            )
    if not all(isinstance(text, str) for text in (*taken, *paths)) or not isinstance(resumed_from, (str, type(None))):
        raise StoreError(f"{database} holds what is no path where paths should be")
    return References(resumed_from, frozenset(taken), frozenset(paths))


def _run_of(path: Path, runs: Mapping[str, str]) -> str | None:
    real = Path(os.path.realpath(path))
    return next((runs[str(place)] for place in (real, *real.parents) if str(place) in runs), None)
