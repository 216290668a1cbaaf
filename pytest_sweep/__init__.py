"""pytest-sweep: a sweep is a test suite whose items are trials; pytest collects, selects and reports them, Ray runs them.

PYTEST_DONT_REWRITE: there are no assertions here for pytest to rewrite, and in a worker this is imported before pytest could.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_sweep.decorator import sweep
    from pytest_sweep.errors import SweepError
    from pytest_sweep.model.trials import TrialState
    from pytest_sweep.reporting.columns import Column
    from pytest_sweep.results import Result, ResultGrid, load_results
    from pytest_sweep.worker.trial import ActiveTrial, current_trial, report

__all__ = [
    "ActiveTrial",
    "Column",
    "Result",
    "ResultGrid",
    "SweepError",
    "TrialState",
    "current_trial",
    "load_results",
    "report",
    "sweep",
]

_HOMES = {
    "ActiveTrial": "worker.trial",
    "Column": "reporting.columns",
    "Result": "results",
    "ResultGrid": "results",
    "SweepError": "errors",
    "TrialState": "model.trials",
    "current_trial": "worker.trial",
    "load_results": "results",
    "report": "worker.trial",
    "sweep": "decorator",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: pytest loads this package at every start, also without ``--sweep``."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
