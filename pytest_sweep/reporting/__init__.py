"""What people see of a run: text made from data. Knows neither pytest nor Ray, and has no clock of its own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_sweep.reporting.best import missing_metrics
    from pytest_sweep.reporting.columns import Column, default_columns
    from pytest_sweep.reporting.entry import TrialProgress
    from pytest_sweep.reporting.failures import FailureReasons, error_lines, failure_lines, short_reason
    from pytest_sweep.reporting.junit import junit_properties, junit_suite_properties
    from pytest_sweep.reporting.leading import Leaders, best_so_far
    from pytest_sweep.reporting.progress import Progress, failed_of
    from pytest_sweep.reporting.status import StatusView, came_out, status_block, status_header, summary_line
    from pytest_sweep.reporting.summary import (
        best_lines,
        excluded_line,
        final_table,
        flaky_line,
        gaps_lines,
        interrupted_line,
        missing_metric_lines,
        not_run_line,
        tolerated_lines,
    )
    from pytest_sweep.reporting.tables import ColumnsOf
    from pytest_sweep.reporting.text import text_width
    from pytest_sweep.reporting.waits import reasons, stalled_lines

__all__ = [
    "Column",
    "ColumnsOf",
    "FailureReasons",
    "Leaders",
    "Progress",
    "StatusView",
    "TrialProgress",
    "best_lines",
    "best_so_far",
    "came_out",
    "default_columns",
    "error_lines",
    "excluded_line",
    "failed_of",
    "failure_lines",
    "final_table",
    "flaky_line",
    "gaps_lines",
    "interrupted_line",
    "junit_properties",
    "junit_suite_properties",
    "missing_metric_lines",
    "missing_metrics",
    "not_run_line",
    "reasons",
    "short_reason",
    "stalled_lines",
    "status_block",
    "status_header",
    "summary_line",
    "text_width",
    "tolerated_lines",
]

_HOMES = {
    "Column": "columns",
    "ColumnsOf": "tables",
    "FailureReasons": "failures",
    "Leaders": "leading",
    "Progress": "progress",
    "StatusView": "status",
    "TrialProgress": "entry",
    "best_lines": "summary",
    "best_so_far": "leading",
    "came_out": "status",
    "default_columns": "columns",
    "error_lines": "failures",
    "excluded_line": "summary",
    "failed_of": "progress",
    "failure_lines": "failures",
    "final_table": "summary",
    "flaky_line": "summary",
    "gaps_lines": "summary",
    "interrupted_line": "summary",
    "junit_properties": "junit",
    "junit_suite_properties": "junit",
    "missing_metric_lines": "summary",
    "missing_metrics": "best",
    "not_run_line": "summary",
    "reasons": "waits",
    "short_reason": "failures",
    "stalled_lines": "waits",
    "status_block": "status",
    "status_header": "status",
    "summary_line": "status",
    "text_width": "text",
    "tolerated_lines": "summary",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: who draws a table needs neither psutil nor what a running session is told."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
