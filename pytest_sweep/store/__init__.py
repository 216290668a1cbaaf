"""What is remembered: one SQLite database a run, in the run's folder. Knows neither pytest nor Ray."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_sweep.store.changes import Changes, TrialChanges
    from pytest_sweep.store.earlier import (
        Outcome,
        Start,
        ends,
        made_in,
        origins,
        outcomes,
        starts,
    )
    from pytest_sweep.store.files import has_database, set_aside
    from pytest_sweep.store.folders import DATABASE, begin_run, find_results_dir
    from pytest_sweep.store.following import LiveScan, RunningRow
    from pytest_sweep.store.losses import lost_commits, lost_database, said_of_losses
    from pytest_sweep.store.newest import LastRun, last_run, lost_runs
    from pytest_sweep.store.nonsense import UnsoundError, stored_run, unsound
    from pytest_sweep.store.opening import NotBegunError, peek, row_of_run, snapshot
    from pytest_sweep.store.order import (
        found_runs,
        newest_runs,
        no_runs,
        run_folders,
        started,
    )
    from pytest_sweep.store.provenance import git_state, package_versions, version_changes
    from pytest_sweep.store.reader import RunReader
    from pytest_sweep.store.records import StoredAttempt, StoredReport, StoredRun, StoredSweep, StoredTrial
    from pytest_sweep.store.referring import References, references
    from pytest_sweep.store.running import RunLock, has_stored_nothing, is_running, this_driver, who_runs
    from pytest_sweep.store.scanning import Judged, RunScan
    from pytest_sweep.store.trial_row import TrialRow
    from pytest_sweep.store.tried import TriedPoint, made_as, tried_points
    from pytest_sweep.store.version import SCHEMA_VERSION
    from pytest_sweep.store.writer import RunStore

__all__ = [
    "DATABASE",
    "SCHEMA_VERSION",
    "Changes",
    "Judged",
    "LastRun",
    "LiveScan",
    "NotBegunError",
    "Outcome",
    "References",
    "RunLock",
    "RunReader",
    "RunScan",
    "RunStore",
    "RunningRow",
    "Start",
    "StoredAttempt",
    "StoredReport",
    "StoredRun",
    "StoredSweep",
    "StoredTrial",
    "TrialChanges",
    "TrialRow",
    "TriedPoint",
    "UnsoundError",
    "begin_run",
    "ends",
    "find_results_dir",
    "found_runs",
    "git_state",
    "has_database",
    "has_stored_nothing",
    "is_running",
    "last_run",
    "lost_commits",
    "lost_database",
    "lost_runs",
    "made_as",
    "made_in",
    "newest_runs",
    "no_runs",
    "origins",
    "outcomes",
    "package_versions",
    "peek",
    "references",
    "row_of_run",
    "run_folders",
    "said_of_losses",
    "set_aside",
    "snapshot",
    "started",
    "starts",
    "stored_run",
    "this_driver",
    "tried_points",
    "unsound",
    "version_changes",
    "who_runs",
]

_HOMES = {
    "DATABASE": "folders",
    "SCHEMA_VERSION": "version",
    "Changes": "changes",
    "Judged": "scanning",
    "LastRun": "newest",
    "LiveScan": "following",
    "NotBegunError": "opening",
    "Outcome": "earlier",
    "References": "referring",
    "RunLock": "running",
    "RunReader": "reader",
    "RunScan": "scanning",
    "RunningRow": "following",
    "RunStore": "writer",
    "Start": "earlier",
    "StoredAttempt": "records",
    "StoredReport": "records",
    "StoredRun": "records",
    "StoredSweep": "records",
    "StoredTrial": "records",
    "TrialChanges": "changes",
    "TrialRow": "trial_row",
    "TriedPoint": "tried",
    "UnsoundError": "nonsense",
    "begin_run": "folders",
    "ends": "earlier",
    "find_results_dir": "folders",
    "found_runs": "order",
    "git_state": "provenance",
    "has_database": "files",
    "has_stored_nothing": "running",
    "is_running": "running",
    "last_run": "newest",
    "lost_commits": "losses",
    "lost_database": "losses",
    "lost_runs": "newest",
    "made_as": "tried",
    "made_in": "earlier",
    "newest_runs": "order",
    "no_runs": "order",
    "origins": "earlier",
    "outcomes": "earlier",
    "package_versions": "provenance",
    "peek": "opening",
    "references": "referring",
    "row_of_run": "opening",
    "run_folders": "order",
    "said_of_losses": "losses",
    "set_aside": "files",
    "snapshot": "opening",
    "started": "order",
    "starts": "earlier",
    "stored_run": "nonsense",
    "this_driver": "running",
    "tried_points": "tried",
    "unsound": "nonsense",
    "version_changes": "provenance",
    "who_runs": "running",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: SQLAlchemy takes half a second, and where runs are, is known without it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
