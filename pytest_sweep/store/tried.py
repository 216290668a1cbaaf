"""Which configurations an earlier run has tried to the end, by what they are and not by the trials that had them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from pytest_sweep.model import TrialState, study
from pytest_sweep.store import schema
from pytest_sweep.store.decisions import JUDGED
from pytest_sweep.store.earlier import Outcome, outcomes
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
    decided = schema.decision.c
    # One that was taken from another run is CACHED without a reason: its end is among the decisions.
    stopped = select(decided.trial_key).where(
        decided.kind == JUDGED,
        func.json_extract(decided.content, "$.outcome") == study.Outcome.STOPPED.value,
        func.json_extract(decided.content, "$.verdict").is_not(None),
    )
    columns = [its.key, its.sweep_id, its.metrics]
    query = select(*columns).where(
        its.sweep_id.in_(listed(sweeps)),
        its.state.in_(ended),
        its.reason.is_(None),
        its.replicate == 0,
        its.metrics.is_not(None),
        its.key.not_in(stopped),
    )
    reader = RunReader(folder)
    with reader.reading() as connection:
        found = {key: (sweep, metrics) for key, sweep, metrics in reader.checked(connection, query, columns)}
    return [
        (found[its.key][0], TriedPoint(its, its.point_key or its.key, found[its.key][1]))
        for its in outcomes(folder, found)
    ]
