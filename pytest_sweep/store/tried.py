"""Which configurations an earlier run has tried to the end, by what they are and not by the trials that had them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Select, func, select

from pytest_sweep.errors import StoreError
from pytest_sweep.model import TrialState, study
from pytest_sweep.store import schema
from pytest_sweep.store.decisions import JUDGED
from pytest_sweep.store.earlier import Outcome, made_in, outcomes
from pytest_sweep.store.files import has_database
from pytest_sweep.store.folders import DATABASE
from pytest_sweep.store.reader import RunReader, listed


@dataclass(frozen=True, slots=True)
class TriedPoint:
    """A configuration that a run has tried to the end.

    Attributes:
        outcome: what became of the trial.
        point: the key of its configuration: its own, or of a slot the one that a trial of the configuration would have.
        metrics: its final metrics.
    """

    outcome: Outcome
    point: str
    metrics: dict[str, Any]


def tried_points(folder: Path, sweeps: Collection[str]) -> list[tuple[str, TriedPoint]]:
    """Return the configurations of these sweeps that the run in `folder` has tried to the end: not those that were stopped early.

    Args:
        folder: the run's folder.
        sweeps: the ids of the sweeps.

    Returns:
        Each with the id of its sweep.

    Raises:
        SchemaError, StoreError: its database cannot be read.
    """
    its = schema.trial.c
    ended = (TrialState.TERMINATED, TrialState.CACHED, TrialState.STOPPED)
    columns = [its.key, its.sweep_id, its.metrics]
    query = select(*columns).where(
        its.sweep_id.in_(listed(sweeps)),
        its.state.in_(ended),
        its.reason.is_(None),
        its.replicate == 0,
        its.metrics.is_not(None),
        # One that was taken from another run is CACHED without a reason: its end is among the decisions.
        its.key.not_in(_stopped()),
    )
    reader = RunReader(folder)
    with reader.reading() as connection:
        found = {key: (sweep, metrics) for key, sweep, metrics in reader.checked(connection, query, columns)}
    return [
        (found[its.key][0], TriedPoint(its, its.point_key or its.key, found[its.key][1]))
        for its in outcomes(folder, found)
    ]


def made_as(folder: Path, keys: Collection[str]) -> dict[str, TrialState]:
    """Return the states in which trials ended where they ran, of those that the run in `folder` has taken, as far as that is known.

    Args:
        folder: the folder of the run.
        keys: the trials: CACHED, and not because they were skipped.

    Raises:
        SchemaError, StoreError: its database cannot be read.
    """
    if not keys:
        return {}
    reader = RunReader(folder)
    with reader.reading() as connection:
        stopped: set[str] = set(connection.scalars(_stopped()))
    found = {key: TrialState.STOPPED for key in keys if key in stopped}
    points = {its.key: its.point_key for its in outcomes(folder, keys)}
    by_origin: defaultdict[Path, list[str]] = defaultdict(list)
    for key, origin in made_in(folder, keys).items():
        # A database may come from anyone, and name any path: only runs beside it are asked.
        if origin != folder and origin.parent == folder.parent and has_database(origin, DATABASE):
            by_origin[origin].append(key)
    for origin, theirs in by_origin.items():
        with suppress(StoreError):
            # The same slot of another search is another trial.
            found |= {its.key: its.state for its in outcomes(origin, theirs) if its.point_key == points.get(its.key)}
    return found


def _stopped() -> Select[Any]:
    """Return the query for the trials that a scheduler has stopped."""
    decided = schema.decision.c
    return select(decided.trial_key).where(
        decided.kind == JUDGED,
        func.json_extract(decided.content, "$.outcome") == study.Outcome.STOPPED.value,
        func.json_extract(decided.content, "$.verdict").is_not(None),
    )
