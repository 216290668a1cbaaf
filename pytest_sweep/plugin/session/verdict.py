"""The exit status of a session with trials, where pytest's own would not say what happened."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pytest_sweep.model import TrialState
from pytest_sweep.reporting import Progress, failed_of, missing_metrics

INCOMPLETE = 6
"""The exit status of a run whose budget was spent before all trials had run, or whose results are not all stored; none of pytest's own."""


_NOT_DONE = (TrialState.INTERRUPTED, TrialState.NOT_RUN)


def exit_status(
    status: int,
    failures: int,
    failed_reports: Mapping[str, int],
    progress: Progress,
    *,
    cut_short: bool,
    unstored: bool,
) -> int:
    """Return the status that the session should exit with.

    Args:
        status: what pytest says.
        failures: how many failures pytest has counted, of trials and of tests.
        failed_reports: how many of them are of the trials of each sweep, by its id.
        progress: what became of the trials.
        cut_short: whether the budget was spent.
        unstored: whether something could not be stored.
    """
    counts = progress.counts()
    is_incomplete = unstored or (cut_short and not counts.keys().isdisjoint(_NOT_DONE))
    if is_incomplete and status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return INCOMPLETE
    tolerated = sum(
        failed_reports.get(sweep.id, 0)
        for sweep, counts in progress.counts_by_sweep()
        if sweep.tolerates(*failed_of(counts))
    )
    # Without a failure the status is some other plugin's, which knows why.
    if status == pytest.ExitCode.TESTS_FAILED and 0 < failures <= tolerated:
        status = pytest.ExitCode.OK
    # A sweep that is judged by a metric that nobody reports as a number, such as a misspelt one, judges nothing.
    if status == pytest.ExitCode.OK and missing_metrics(progress):
        return pytest.ExitCode.TESTS_FAILED
    return status
