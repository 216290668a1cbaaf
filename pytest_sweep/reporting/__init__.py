"""What people see of a run: text made from data. Knows neither pytest nor Ray, and has no clock of its own."""

from __future__ import annotations

from pytest_sweep.reporting.columns import Column, default_columns
from pytest_sweep.reporting.junit import junit_properties
from pytest_sweep.reporting.progress import Progress, TrialProgress, failed_of
from pytest_sweep.reporting.status import StatusView, status_block, status_header, summary_line
from pytest_sweep.reporting.summary import (
    best_lines,
    error_lines,
    excluded_line,
    final_table,
    flaky_line,
    interrupted_line,
    not_run_line,
    tolerated_lines,
)
from pytest_sweep.reporting.waits import reasons, stalled_lines

__all__ = [
    "Column",
    "Progress",
    "StatusView",
    "TrialProgress",
    "best_lines",
    "default_columns",
    "error_lines",
    "excluded_line",
    "failed_of",
    "final_table",
    "flaky_line",
    "interrupted_line",
    "junit_properties",
    "not_run_line",
    "reasons",
    "stalled_lines",
    "status_block",
    "status_header",
    "summary_line",
    "tolerated_lines",
]
