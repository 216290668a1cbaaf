"""What the store hands out: frozen rows of a run's database. Knows nothing of SQL."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pytest_sweep.model import TrialState

NAME_MARK = "\0json:"
"""What stands before a name that is stored as JSON, because it has half a surrogate pair in it."""

KILLED = "the session was killed"
"""Why a trial was cut off, or not begun, if its driver could not say it."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One run, as its database knows it.

    Attributes:
        name: the name of its folder.
        seed: the seed of the run.
        command: the command line.
        executor: where the trials ran.
        rootdir: pytest's rootdir.
        started: seconds since the epoch.
        finished: seconds since the epoch; None while it runs, and for ever where it was killed.
        exit_status: pytest's exit status; None likewise.
        versions: of Python, of the platform and of all installed packages; in runs of 0.1.0 of nine packages that matter.
        git_commit: the commit at rootdir, or None.
        git_dirty: whether tracked files differed from it, or None.
        resumed_from: the run that it went on from: its name, or its folder where that is elsewhere; or None.
        driver: the process that runs it, as `this_driver` names it; None in runs of 0.1.0.
    """

    name: str
    seed: int
    command: str
    executor: str
    rootdir: str
    started: float
    finished: float | None
    exit_status: int | None
    versions: dict[str, str]
    git_commit: str | None
    git_dirty: bool | None
    resumed_from: str | None = None
    driver: str | None = None


@dataclass(frozen=True, slots=True)
class StoredSweep:
    """One sweep of a run. `id` is its node id; the rest is as in `model.Sweep`.

    `average_over` is empty where the sweep has none, and in runs of 0.1.0. So is what is about searching, in runs before that was there;
    `objectives` are pairs of metric and mode.
    """

    id: str
    name: str
    metric: str | None
    mode: str
    varying: tuple[str, ...]
    average_over: tuple[str, ...] = ()
    objectives: tuple[tuple[str, str], ...] = ()
    feasible: tuple[str, ...] = ()
    search: str | None = None
    scheduler: str | None = None


@dataclass(frozen=True, slots=True)
class StoredTrial:
    """One trial of a run, with what became of it so far.

    Attributes:
        key: identity of its content; equal in every run.
        sweep_id: node id of its sweep.
        node_id: its pytest node id.
        name: the last part of the node id.
        config: the configuration in its stored form, of which `space.restored` makes the values.
        resources: amounts by name, without zeros.
        seed: its seed.
        folder: the name of its folder in the run's folder, which exists only where the trial wrote something; a path where it has not run
            in this run, but in an earlier one.
        replicate: which of equal configurations it is, from 0.
        group_key: the key of the first of its replicates, which may not be in this run; its own where it is the first.
        state: what became of it.
        attempts: how often it was begun.
        metrics: the final metrics; None where there are none.
        error: the text of its failure, or None.
        reason: why it was not run, cut off, skipped, or stopped by its scheduler; or None.
        location: ``ip:pid`` of the newest attempt.
        started: when the newest attempt began, in seconds since the epoch.
        finished: when it ended.
        duration: how long it took, in seconds; of one that has paused, all its legs together.
        checkpoint: path or URL of the newest good checkpoint, or None.
        params: the values that stacked marks and fixtures gave it, by argument; None where none did, and in runs of 0.1.0.
        configuration: the name of its configuration where the sweep averages over something, else None.
        study: the id of its study, or None.
        slot: its number in the study; None where its configuration was known at collection.
        point_key: of a slot, the key that a trial of its configuration would have; None until it has one.
        taken_from: the run from which its result was taken, or on from which it goes: its name, or its folder; or None.
    """

    key: str
    sweep_id: str
    node_id: str
    name: str
    config: dict[str, Any]
    resources: dict[str, float]
    seed: int
    folder: str
    replicate: int
    group_key: str
    state: TrialState
    attempts: int
    metrics: dict[str, Any] | None
    error: str | None
    reason: str | None
    location: str | None
    started: float | None
    finished: float | None
    duration: float | None
    checkpoint: str | None
    params: dict[str, Any] | None = None
    configuration: str | None = None
    study: str | None = None
    slot: int | None = None
    point_key: str | None = None
    taken_from: str | None = None


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """One execution of a trial.

    Attributes:
        number: which one, from 1.
        state: a `TrialState`'s text, or ``INTERRUPTED`` where it was cut off.
        location: ``ip:pid`` of its worker, or None where nobody heard of its start.
        started: seconds since the epoch.
        finished: likewise; None where it was cut off.
        duration: how long it took, in seconds; None likewise.
        error: the text of its failure, or None.
        output: what pytest has captured of it, the end of that where it is long, or None.
    """

    number: int
    state: str
    location: str | None
    started: float | None
    finished: float | None
    duration: float | None
    error: str | None
    output: str | None


@dataclass(frozen=True, slots=True)
class StoredReport:
    """What a trial has reported once.

    Attributes:
        id: its number in the run. Later reports have higher ones; nobody sees a report before it is committed.
        trial_key: the trial.
        attempt: which attempt reported it.
        iteration: its ``training_iteration``; 0 where it has none.
        metrics: what was reported.
        checkpoint: path or URL of the checkpoint that came with it and was kept, or None.
    """

    id: int
    trial_key: str
    attempt: int
    iteration: int
    metrics: dict[str, Any]
    checkpoint: str | None


def name_of(stored: str | None) -> str | None:
    """Return the name of a metric, of what is stored of it; None for None.

    Raises:
        ValueError: it is marked as JSON, and is none.
    """
    return str(json.loads(stored[len(NAME_MARK) :])) if stored is not None and stored.startswith(NAME_MARK) else stored


def is_open(state: TrialState) -> bool:
    """Say whether a trial in this state goes on, or will, as long as its driver lives."""
    return not state.is_finished and state not in (TrialState.INTERRUPTED, TrialState.NOT_RUN)


def left_open_as(attempts: int) -> TrialState:
    """Return the state of a trial that was open when its driver died, which could not say what became of it."""
    return TrialState.INTERRUPTED if attempts else TrialState.NOT_RUN
