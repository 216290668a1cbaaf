"""Reading what is remembered: results, and the runs that they come from. The names are Ray Tune's where Tune has one."""

from __future__ import annotations

from pytest_sweep.results.grid import ResultGrid
from pytest_sweep.results.loading import load_results, newest_results
from pytest_sweep.results.result import QueryError, Result, path_or_url
from pytest_sweep.results.runs import list_runs
from pytest_sweep.results.sweeps import SessionResults, SweepResults, UnknownSweepError

__all__ = [
    "QueryError",
    "Result",
    "ResultGrid",
    "SessionResults",
    "SweepResults",
    "UnknownSweepError",
    "list_runs",
    "load_results",
    "newest_results",
    "path_or_url",
]
