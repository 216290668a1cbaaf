"""Builds one shared fixture in a hosted session, for all others. Its process keeps it until the session ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_sweep.items import private
from pytest_sweep.items.lifetimes import FixtureKeeper
from pytest_sweep.items.reports import error_text, serialized, warning_of
from pytest_sweep.items.shared import Definition
from pytest_sweep.model.shared import FailedFixture, SharedFixture
from pytest_sweep.sizes import size_words
from pytest_sweep.wire.messages import pickled
from pytest_sweep.wire.parcel import Parcel
from pytest_sweep.worker.borrowing import BorrowedFixtures

MOST_COPIED = 50_000_000
"""How many bytes of a shared value may be copied into each worker before somebody is warned of it."""


class FixtureBuilder:
    """A plugin that builds a fixture as pytest would for a trial, so that its own fixtures, capture and warnings work as anywhere.

    Args:
        borrowed: the session's shared fixtures.
        keeper: keeps the fixtures of the session between items.
        emit: takes events, from any thread.
    """

    def __init__(self, borrowed: BorrowedFixtures, keeper: FixtureKeeper, emit: Callable[[object], None]) -> None:
        self._borrowed = borrowed
        self._keeper = keeper
        self._emit = emit
        self._reports: list[pytest.TestReport] | None = None

    def build(self, fixture: SharedFixture, collector: pytest.Module | pytest.Class | None) -> Parcel | FailedFixture:
        """Build `fixture`, which `collector` sees; it lives on."""
        definition = self._borrowed.give_back(fixture.id)
        if definition is None or collector is None:
            return FailedFixture(f"{fixture} is not there when a worker collects {fixture.sweep}")
        item = _FixtureItem.of(definition, collector)
        self._keeper.enter(item)
        reports = self._reports = []
        item.ihook.pytest_runtest_protocol(item=item, nextitem=item.parent)
        self._reports = None
        failed = next((report for report in reports if not report.passed), None)
        if failed is not None:
            text = error_text([failed]) or failed.longreprtext
            return FailedFixture(text, pickled(serialized(item, failed)), is_skip=failed.skipped)
        assert definition.cached_result is not None
        value, key, _ = definition.cached_result
        # Nobody here asks for it again: what the fixture itself does not keep is not kept a second time.
        definition.cached_result = (None, key, None)
        return self._pack(fixture, item, value)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the reports of the fixture that is being built."""
        if self._reports is not None:
            self._reports.append(report)

    def _pack(self, fixture: SharedFixture, item: pytest.Item, value: object) -> Parcel | FailedFixture:
        parcel = packed(fixture, value)
        if isinstance(parcel, Parcel) and parcel.copied > MOST_COPIED:
            text = (
                f"{fixture} has {size_words(parcel.copied)} that each worker gets a copy of: what is made of buffers (numpy arrays, "
                f"Arrow tables, bytes in pickle.PickleBuffer) is read in place"
            )
            self._emit(warning_of(item, text))
        return parcel


def packed(fixture: SharedFixture | str, value: object) -> Parcel | FailedFixture:
    """Return the value of a shared fixture for other processes, or why they cannot have it."""
    try:
        return Parcel.pack(value)
    except Exception as error:  # Whatever a class of the user's raises.
        return FailedFixture(
            f"the value of {fixture} cannot be pickled, so that no trial can get it ({type(error).__name__}: {error}): return plain "
            f"values or arrays, and let trials make the rest of them"
        )


class _FixtureItem(pytest.Function):
    """Stands for a trial that wants nothing but one fixture: not those that are used automatically, either."""

    @classmethod
    def of(cls, definition: Definition, collector: pytest.Module | pytest.Class) -> _FixtureItem:
        name = definition.argname
        chain = private.fixture_chain(collector, name)
        chain = chain[: chain.index(definition) + 1]
        info = private.lone_fixture_info(name, chain)
        # Its function is the fixture's, so that pytest shows where that is written, and cuts tracebacks there.
        item: _FixtureItem = cls.from_parent(collector, name=name, callobj=_function(definition), fixtureinfo=info)
        return item

    def runtest(self) -> None:
        """Do nothing: all is done in the set-up."""


def _function(definition: Definition) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(definition.func, "__func__", definition.func)
    return function
