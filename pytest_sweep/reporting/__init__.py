"""What people see of a run: text made from data. Knows neither pytest nor Ray, and has no clock of its own."""

from __future__ import annotations

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
