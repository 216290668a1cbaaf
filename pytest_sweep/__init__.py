"""pytest-sweep: a sweep is a test suite whose items are trials; pytest collects, selects and reports them, Ray runs them.

PYTEST_DONT_REWRITE: there are no assertions here for pytest to rewrite, and in a worker this is imported before pytest could.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_sweep.decorator import sweep
    from pytest_sweep.errors import SweepError
    from pytest_sweep.model.trials import Run, TrialState
    from pytest_sweep.reporting.columns import Column
    from pytest_sweep.results import Result, ResultGrid, list_runs, load_results
    from pytest_sweep.search.settings import asha, gp, hyperband, median, optuna, pbt, qmc, random, stop_after, tpe
    from pytest_sweep.sharing import shared
    from pytest_sweep.space.composition import Space, grid, zip_
    from pytest_sweep.space.functions import derived, sample_from
    from pytest_sweep.space.sampling import (
        choice,
        lograndint,
        loguniform,
        qlograndint,
        qloguniform,
        qrandint,
        qrandn,
        quniform,
        randint,
        randn,
        uniform,
    )
    from pytest_sweep.space.secrets import Secret, secret
    from pytest_sweep.space.unrestored import Unrestored
    from pytest_sweep.worker.current import current_trial, report
    from pytest_sweep.worker.trial import ActiveTrial

__all__ = [
    "ActiveTrial",
    "Column",
    "Result",
    "ResultGrid",
    "Run",
    "Secret",
    "Space",
    "SweepError",
    "TrialState",
    "Unrestored",
    "asha",
    "choice",
    "current_trial",
    "derived",
    "gp",
    "grid",
    "hyperband",
    "list_runs",
    "load_results",
    "lograndint",
    "loguniform",
    "median",
    "optuna",
    "pbt",
    "qlograndint",
    "qloguniform",
    "qmc",
    "qrandint",
    "qrandn",
    "quniform",
    "randint",
    "randn",
    "random",
    "report",
    "sample_from",
    "secret",
    "shared",
    "stop_after",
    "sweep",
    "tpe",
    "uniform",
    "zip_",
]

_HOMES = {
    "ActiveTrial": "worker.trial",
    "Column": "reporting.columns",
    "Result": "results",
    "ResultGrid": "results",
    "Run": "model.trials",
    "Secret": "space.secrets",
    "Space": "space.composition",
    "SweepError": "errors",
    "TrialState": "model.trials",
    "Unrestored": "space.unrestored",
    "asha": "search.settings",
    "choice": "space.sampling",
    "current_trial": "worker.current",
    "derived": "space.functions",
    "gp": "search.settings",
    "grid": "space.composition",
    "hyperband": "search.settings",
    "list_runs": "results",
    "load_results": "results",
    "lograndint": "space.sampling",
    "loguniform": "space.sampling",
    "median": "search.settings",
    "optuna": "search.settings",
    "pbt": "search.settings",
    "qlograndint": "space.sampling",
    "qloguniform": "space.sampling",
    "qmc": "search.settings",
    "qrandint": "space.sampling",
    "qrandn": "space.sampling",
    "quniform": "space.sampling",
    "randint": "space.sampling",
    "randn": "space.sampling",
    "random": "search.settings",
    "report": "worker.current",
    "sample_from": "space.functions",
    "secret": "space.secrets",
    "shared": "sharing",
    "stop_after": "search.settings",
    "sweep": "decorator",
    "tpe": "search.settings",
    "uniform": "space.sampling",
    "zip_": "space.composition",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: pytest loads this package at every start, also without ``--sweep``."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
