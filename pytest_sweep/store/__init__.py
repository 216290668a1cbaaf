"""What is remembered: one SQLite database a run, in the run's folder. Knows neither pytest nor Ray."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_sweep.store.changes import Changes, TrialChanges
    from pytest_sweep.store.database import NotBegunError, peek, row_of_run, snapshot
    from pytest_sweep.store.earlier import Outcome, Start, ends, last_run, made_in, origins, outcomes, starts
    from pytest_sweep.store.folders import DATABASE, begin_run, find_results_dir
    from pytest_sweep.store.order import found_runs, newest_runs, no_runs, run_folder, run_folders, started
    from pytest_sweep.store.provenance import git_state, package_versions, version_changes
    from pytest_sweep.store.reader import RunReader
    from pytest_sweep.store.records import StoredAttempt, StoredReport, StoredRun, StoredSweep, StoredTrial
    from pytest_sweep.store.referring import References, references
    from pytest_sweep.store.running import is_running, who_runs
    from pytest_sweep.store.scanning import Judged, RunScan
    from pytest_sweep.store.trial_row import TrialRow
    from pytest_sweep.store.version import SCHEMA_VERSION
    from pytest_sweep.store.writer import RunStore

__all__ = [
    "DATABASE",
    "SCHEMA_VERSION",
    "Changes",
    "Judged",
    "NotBegunError",
    "Outcome",
    "References",
    "RunReader",
    "RunScan",
    "RunStore",
    "Start",
    "StoredAttempt",
    "StoredReport",
    "StoredRun",
    "StoredSweep",
    "StoredTrial",
    "TrialChanges",
    "TrialRow",
    "begin_run",
    "ends",
    "find_results_dir",
    "found_runs",
    "git_state",
    "is_running",
    "last_run",
    "made_in",
    "newest_runs",
    "no_runs",
    "origins",
    "outcomes",
    "package_versions",
    "peek",
    "references",
    "row_of_run",
    "run_folder",
    "run_folders",
    "snapshot",
    "started",
    "starts",
    "version_changes",
    "who_runs",
]

_HOMES = {
    "Judged": "scanning",
    "References": "referring",
    "RunScan": "scanning",
    "TrialRow": "trial_row",
    "references": "referring",
    "Changes": "changes",
    "DATABASE": "folders",
    "NotBegunError": "database",
    "Outcome": "earlier",
    "RunReader": "reader",
    "RunStore": "writer",
    "SCHEMA_VERSION": "version",
    "Start": "earlier",
    "StoredAttempt": "records",
    "StoredReport": "records",
    "StoredRun": "records",
    "StoredSweep": "records",
    "StoredTrial": "records",
    "TrialChanges": "changes",
    "begin_run": "folders",
    "found_runs": "order",
    "ends": "earlier",
    "is_running": "running",
    "made_in": "earlier",
    "newest_runs": "order",
    "no_runs": "order",
    "find_results_dir": "folders",
    "git_state": "provenance",
    "last_run": "earlier",
    "origins": "earlier",
    "outcomes": "earlier",
    "package_versions": "provenance",
    "peek": "database",
    "row_of_run": "database",
    "run_folder": "order",
    "run_folders": "order",
    "snapshot": "database",
    "started": "order",
    "starts": "earlier",
    "version_changes": "provenance",
    "who_runs": "running",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: SQLAlchemy takes half a second, and where runs are, is known without it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
