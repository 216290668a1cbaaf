"""Shared fixtures in a worker's session: their values come from elsewhere, and so does what is told of one that has failed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from pytest_sweep.errors import SweepError
from pytest_sweep.items.private import fixture_definitions
from pytest_sweep.items.shared import Definition, failure_of, fixture_id, mark_failed
from pytest_sweep.model.shared import FailedFixture
from pytest_sweep.sharing import shared_arguments
from pytest_sweep.wire.messages import unpickled
from pytest_sweep.worker.lending import Lender


class SharedFixtureError(Exception):
    """Stands for what a shared fixture raised when it was built elsewhere."""


class BorrowedFixtures:
    """A plugin for a session whose shared fixtures are built elsewhere.

    Args:
        lender: has their values.
    """

    def __init__(self, lender: Lender) -> None:
        self._lender = lender
        self._own: dict[str, tuple[Definition, Callable[..., Any], tuple[str, ...]]] = {}

    def borrow(self, session: pytest.Session) -> None:
        """Have all shared fixtures that the session has collected taken from the lender; what they use themselves is not built here."""
        for definition in fixture_definitions(session):
            if shared_arguments(definition.func) is not None:
                ident = fixture_id(definition)
                self._own[ident] = definition, definition.func, definition.argnames
                _define(definition, _getter(self._lender, ident, definition), ())

    def give_back(self, ident: str) -> Definition | None:
        """Let the session itself build a shared fixture; return it, or None if there is none of this id."""
        if ident not in self._own:
            return None
        definition, function, argnames = self._own.pop(ident)
        _define(definition, function, argnames)
        return definition

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Show what the fixture raised where it was built, instead of what stands for it here."""
        report = yield
        failed = None if call.excinfo is None else failure_of(call.excinfo.value)
        if failed is not None:
            data = None if failed.report is None else unpickled(failed.report)
            if data is None:
                report.longrepr = failed.text
            else:
                built = item.config.hook.pytest_report_from_serializable(config=item.config, data=data)
                report.longrepr = built.longrepr
                report.sections += built.sections
                if hasattr(built, "wasxfail"):
                    report.wasxfail = built.wasxfail
        return report


def _define(definition: Definition, function: Callable[..., Any], argnames: tuple[str, ...]) -> None:
    # There is no public way to change what a name stands for after it was collected.
    changed: Any = definition
    changed.func, changed.argnames = function, argnames


def _getter(lender: Lender, ident: str, definition: Definition) -> Callable[[], Any]:
    def shared_fixture() -> Any:
        __tracebackhide__ = True
        lent = lender.shared(ident)
        if lent is None:
            raise SweepError(
                f"the shared fixture {definition.argname!r} is built before the trials that name it: name it as an argument, or in "
                f"usefixtures, for request.getfixturevalue({definition.argname!r}) comes too late"
            )
        if isinstance(lent, FailedFixture):
            error: BaseException = pytest.skip.Exception(lent.text) if lent.is_skip else SharedFixtureError(lent.text)
            mark_failed(error, lent)
            raise error
        return lent.open()

    return shared_fixture
