"""What is remembered: one SQLite database a run, in the run's folder. Knows neither pytest nor Ray."""

from __future__ import annotations

from pytest_sweep.store.folders import find_results_dir, run_folders
from pytest_sweep.store.provenance import git_state, package_versions
from pytest_sweep.store.reader import RunReader
from pytest_sweep.store.records import StoredAttempt, StoredRun, StoredSweep, StoredTrial
from pytest_sweep.store.schema import SCHEMA_VERSION
from pytest_sweep.store.writer import RunStore

__all__ = [
    "SCHEMA_VERSION",
    "RunReader",
    "RunStore",
    "StoredAttempt",
    "StoredRun",
    "StoredSweep",
    "StoredTrial",
    "find_results_dir",
    "git_state",
    "package_versions",
    "run_folders",
]
