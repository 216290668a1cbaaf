"""The reports that the driver makes itself, of trials of which no worker could say more. Knows nothing of how they are shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from pytest_sweep.items.reports import CACHED, INTERRUPTED
from pytest_sweep.model import TrialState, events
from pytest_sweep.plugin.record.failure import DriverFailure, StopReason


def made_report(
    item: pytest.Item, outcome: Any, longrepr: Any, duration: float, when: Any = "call"
) -> pytest.TestReport:
    """Return a report of a phase of `item` without the keywords that pytest's own have."""
    return pytest.TestReport(item.nodeid, item.location, {}, outcome, longrepr, when, duration=duration)


def failure_of(item: pytest.Item, error: str) -> DriverFailure:
    """Return what a report shows of an error that the driver has found."""
    return DriverFailure(error, str(item.path), item.location)


def note_stop(report: pytest.TestReport, item: pytest.Item, reason: str) -> None:
    """Have pytest's short test summary (``-rA``) say of a trial that passed why its scheduler has stopped it."""
    if report.when == "call" and report.passed and report.longrepr is None:
        report.longrepr = StopReason(reason, str(item.path), item.location[1])  # type: ignore[assignment] # by its reprcrash


def reports_of_cached(item: pytest.Item) -> list[pytest.TestReport]:
    """Return the reports of a trial whose stored result was taken."""
    report = made_report(item, "passed", None, 0.0)
    setattr(report, CACHED, True)
    return [report, _teardown(item)]


def reports_without_worker(
    item: pytest.Item, event: events.TrialFinished, taken_from: str | None
) -> list[pytest.TestReport]:
    """Return the reports of a trial of which no worker has said more: it failed, or the engine has ended it.

    A slot that was not needed is skipped, and a trial that was paused and does not go on has passed; `event.error` says why.

    Args:
        item: the trial's item.
        event: its end.
        taken_from: the run that it was taken from, if it was.
    """
    if event.state is TrialState.SKIPPED:
        skipped = made_report(item, "skipped", None, 0.0, when="setup")
        skipped.longrepr = (
            str(item.path),
            (item.location[1] or 0) + 1,
            f"Skipped: {event.error or 'it was not needed'}",
        )
        return [skipped, _teardown(item)]
    if event.state is TrialState.STOPPED:
        return [made_report(item, "passed", None, event.duration), _teardown(item)]
    report = made_report(item, "failed", failure_of(item, event.error or "the trial failed"), event.duration)
    report.sections.extend(event.sections)
    if taken_from is not None:
        how = f"It failed in run {taken_from}, and was not run again: that is what --sweep-retry-failed is for."
        report.sections.append(("taken from an earlier run", how))
    return [report, _teardown(item)]


def reports_of_interrupted(
    item: pytest.Item, event: events.TrialInterrupted, properties: Iterable[tuple[str, object]]
) -> list[pytest.TestReport]:
    """Return the reports of a trial that was cut off: it counts as skipped, since nobody knows how it would have ended.

    Args:
        item: the trial's item.
        event: how it was cut off.
        properties: what junit files say of it.
    """
    report = made_report(item, "skipped", None, event.duration or 0.0, when="setup")
    report.longrepr = (str(item.path), (item.location[1] or 0) + 1, cut_off_text(event.reason))
    report.sections.extend(event.sections)
    setattr(report, INTERRUPTED, True)
    teardown = _teardown(item)
    teardown.user_properties = [*properties]
    return [report, teardown]


def cut_off_text(reason: str) -> str:
    """Return why a trial was cut off, without the word that stands before it in the lines of ``-v``: ``INTERRUPTED (cut off)``."""
    how = reason.removeprefix("interrupted")
    return f"cut off{how}" if how != reason else f"cut off: {reason}"


def _teardown(item: pytest.Item) -> pytest.TestReport:
    """Return the report that closes the test case in a junit file."""
    return made_report(item, "passed", None, 0.0, when="teardown")


def rebuilt(config: pytest.Config, data: dict[str, Any]) -> pytest.TestReport:
    """Return the report that a worker has serialized."""
    report = config.hook.pytest_report_from_serializable(config=config, data=dict(data))
    assert isinstance(report, pytest.TestReport)
    return report
