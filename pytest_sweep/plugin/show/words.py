"""The words that pytest shows for what came out of a trial."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_sweep.items.reports import CACHED, CAME_OUT, CONFIGURATION, INTERRUPTED, LOCATION

_COLORS = {"passed": "green", "failed": "red", "error": "red"}
"""As pytest's, which has to be told when the word beside an outcome is not its own."""


class OutcomeWords:
    """A plugin that shows what became of trials, and with ``-v`` their configurations and what came out of them."""

    def __init__(self) -> None:
        self._has_ended = False

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self, report: pytest.TestReport, config: pytest.Config) -> Generator[None, Any, Any]:
        """Show an attempt that is tried again as pytest-rerunfailures does, and with ``-v`` what came out of a trial, and where it ran."""
        category, letter, word = yield
        outcome: str = report.outcome
        if outcome == "rerun":
            category, letter, word = "rerun", "R", ("RERUN", {"yellow": True})
        elif hasattr(report, CACHED):
            category, letter, word = "cached", "c", ("CACHED", {"green": True})
        elif hasattr(report, INTERRUPTED):
            category, letter, word = "interrupted", "I", ("INTERRUPTED", {"yellow": True})
        # Not in the short summary, whose lines are read by other tools.
        if word and not self._has_ended and config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) > 0:
            text, markup = word if isinstance(word, tuple) else (word, {_COLORS.get(category, "yellow"): True})
            more = _beside(report, is_failure=outcome in ("failed", "rerun"))
            chosen = getattr(report, CONFIGURATION, "")
            word = (f"{chosen}{text}{more}", markup) if more or chosen else word
        return category, letter, word

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Take note that what is shown from now on is a summary."""
        self._has_ended = True


def _beside(report: Any, *, is_failure: bool) -> str:
    """Return what stands beside the outcome of a trial: where it ran, and its metric or why it failed."""
    came_out, location = getattr(report, CAME_OUT, ""), getattr(report, LOCATION, None)
    where = "" if location is None else f" ({location})"
    return f"{where}{' -' if is_failure else ''} {came_out}" if came_out else where
