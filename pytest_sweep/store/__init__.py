"""What is remembered: one SQLite database a run, in the run's folder. Knows neither pytest nor Ray."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_sweep.store.database import NotBegunError, snapshot
    from pytest_sweep.store.earlier import Outcome, Start, ends, last_run, origins, outcomes, starts
    from pytest_sweep.store.folders import DATABASE, begin_run, find_results_dir, run_folder, run_folders
    from pytest_sweep.store.provenance import git_state, package_versions
    from pytest_sweep.store.reader import RunReader
    from pytest_sweep.store.records import StoredAttempt, StoredRun, StoredSweep, StoredTrial
    from pytest_sweep.store.running import who_runs
    from pytest_sweep.store.schema import SCHEMA_VERSION
    from pytest_sweep.store.writer import RunStore

__all__ = [
    "DATABASE",
    "SCHEMA_VERSION",
    "NotBegunError",
    "Outcome",
    "RunReader",
    "RunStore",
    "Start",
    "StoredAttempt",
    "StoredRun",
    "StoredSweep",
    "StoredTrial",
    "begin_run",
    "ends",
    "find_results_dir",
    "git_state",
    "last_run",
    "origins",
    "outcomes",
    "package_versions",
    "run_folder",
    "run_folders",
    "snapshot",
    "starts",
    "who_runs",
]

_HOMES = {
    "DATABASE": "folders",
    "NotBegunError": "database",
    "Outcome": "earlier",
    "RunReader": "reader",
    "RunStore": "writer",
    "SCHEMA_VERSION": "schema",
    "Start": "earlier",
    "StoredAttempt": "records",
    "StoredRun": "records",
    "StoredSweep": "records",
    "StoredTrial": "records",
    "begin_run": "folders",
    "ends": "earlier",
    "find_results_dir": "folders",
    "git_state": "provenance",
    "last_run": "earlier",
    "origins": "earlier",
    "outcomes": "earlier",
    "package_versions": "provenance",
    "run_folder": "folders",
    "run_folders": "folders",
    "snapshot": "database",
    "starts": "earlier",
    "who_runs": "running",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: SQLAlchemy takes half a second, and where runs are, is known without it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
