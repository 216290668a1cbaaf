"""What is remembered: one SQLite database a run, in the run's folder. Knows neither pytest nor Ray."""

from __future__ import annotations

from pytest_sweep.store.database import snapshot
from pytest_sweep.store.earlier import Outcome, Start, ends, last_run, origins, outcomes, starts
from pytest_sweep.store.folders import DATABASE, find_results_dir, run_folder, run_folders
from pytest_sweep.store.provenance import git_state, package_versions
from pytest_sweep.store.reader import RunReader
from pytest_sweep.store.records import StoredAttempt, StoredRun, StoredSweep, StoredTrial
from pytest_sweep.store.schema import SCHEMA_VERSION
from pytest_sweep.store.writer import RunStore

__all__ = [
    "DATABASE",
    "SCHEMA_VERSION",
    "Outcome",
    "RunReader",
    "RunStore",
    "Start",
    "StoredAttempt",
    "StoredRun",
    "StoredSweep",
    "StoredTrial",
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
]
