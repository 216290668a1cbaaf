"""Reading what is remembered: results, and the runs that they come from. The names are Ray Tune's where Tune has one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_sweep.results.errors import QueryError
    from pytest_sweep.results.grid import ResultGrid
    from pytest_sweep.results.loading import load_results, newest_results
    from pytest_sweep.results.project import results_folder
    from pytest_sweep.results.result import Result, path_or_url
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
    "results_folder",
]

_HOMES = {
    "QueryError": "errors",
    "Result": "result",
    "ResultGrid": "grid",
    "SessionResults": "sweeps",
    "SweepResults": "sweeps",
    "UnknownSweepError": "sweeps",
    "list_runs": "runs",
    "load_results": "loading",
    "newest_results": "loading",
    "path_or_url": "result",
    "results_folder": "project",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: where results are, is known without SQLAlchemy, which takes its time."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
