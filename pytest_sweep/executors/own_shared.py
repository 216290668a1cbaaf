"""Gives trials that run in the driver's own session the values of shared fixtures, built by pytest. Knows no engine."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pluggy
import pytest

from pytest_sweep.items.shared import describe_fixture, mark_failed
from pytest_sweep.sharing import shared_arguments
from pytest_sweep.wire.parcel import Parcel
from pytest_sweep.worker.fixture_builder import packed
from pytest_sweep.worker.runner import TrialRunner


class OwnSharedFixtures:
    """A plugin that gives trials the values of shared fixtures as they would have them elsewhere: copied, with read-only buffers.

    Args:
        runner: runs the trials.
        root: the rootdir.
    """

    def __init__(self, runner: TrialRunner, root: Path) -> None:
        self._runner = runner
        self._root = root

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, pluggy.Result[Any], None]:
        """Replace the value of a shared fixture that a trial has built."""
        outcome = yield
        is_shared = self._runner.is_running and shared_arguments(fixturedef.func) is not None
        if is_shared and outcome.exception is not None:
            mark_failed(outcome.exception)
        if not is_shared or outcome.exception is not None or fixturedef.cached_result is None:
            return
        parcel, key = (
            packed(describe_fixture(fixturedef, self._root), outcome.get_result()),
            fixturedef.cached_result[1],
        )
        if isinstance(parcel, Parcel):
            value = parcel.open()
            fixturedef.cached_result = (value, key, None)
            outcome.force_result(value)
        else:
            error = pytest.fail.Exception(parcel.text, pytrace=False)
            mark_failed(error)
            fixturedef.cached_result = (None, key, (error, None))
            outcome.force_exception(error)
