"""Shared fixtures in a session: which there are, how they are had from elsewhere, and what is told of one that has failed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.errors import SweepError
from pytest_sweep.model.shared import FailedFixture
from pytest_sweep.sharing import shared_arguments
from pytest_sweep.worker.lending import Lender

Definition = pytest.FixtureDef[Any]

_FAILED = "sweep_failed_fixture"
"""The attribute of an exception that says how the shared fixture has failed for which it stands."""


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
        for definition in _definitions(session):
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
        failed = None if call.excinfo is None else getattr(call.excinfo.value, _FAILED, None)
        if isinstance(failed, FailedFixture):
            if failed.report is None:
                report.longrepr = failed.text
            else:
                data = deepcopy(failed.report)  # The hook changes what it is given, and other trials are told the same.
                built = item.config.hook.pytest_report_from_serializable(config=item.config, data=data)
                report.longrepr = built.longrepr
                report.sections += built.sections
                if hasattr(built, "wasxfail"):
                    report.wasxfail = built.wasxfail
        return report


def mark_failed(error: BaseException, failed: FailedFixture | None = None) -> None:
    """Note that a shared fixture has raised `error`; or, where `failed` is given, that it stands for how one has failed elsewhere."""
    setattr(error, _FAILED, failed)


def is_of_shared(error: BaseException) -> bool:
    """Say whether a shared fixture has failed with it: it is not built again, so that another attempt would meet the same."""
    return hasattr(error, _FAILED)


def fixture_id(definition: Definition) -> str:
    """Return what tells a fixture from all others, in every process of a run."""
    function = definition.func
    return f"{definition.baseid}::{definition.argname} of {function.__module__}.{function.__qualname__}"


def describe_fixture(definition: Definition, root: Path) -> str:
    """Return a fixture in words: ``the shared fixture 'data' of conftest.py``."""
    return f"the shared fixture {definition.argname!r} of {place_of(definition, root)}"


def place_of(definition: Definition, root: Path) -> str:
    """Return where a fixture is written, as seen from `root`."""
    path = Path(definition.func.__code__.co_filename)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def shared_definitions(item: pytest.Function) -> list[Definition]:
    """Return the shared fixtures that an item uses, directly or through others, each after those that it uses itself."""
    found: dict[int, Definition] = {}
    info = item._fixtureinfo
    for name in info.initialnames:
        _visit(item, name, {}, found)
    return list(found.values())


def needs_of(item: pytest.Function, definition: Definition) -> list[Definition]:
    """Return the shared fixtures that a shared one of the item uses itself."""
    found: dict[int, Definition] = {}
    chain = item._fixtureinfo.name2fixturedefs[definition.argname]
    depth = len(chain) - 1 - list(chain).index(definition)
    for name in definition.argnames:
        _visit(item, name, {definition.argname: depth + 1}, found)
    return list(found.values())


def _visit(item: pytest.Function, name: str, depths: dict[str, int], found: dict[int, Definition]) -> None:
    """Add the shared fixtures behind a name; `depths` are how many of its name a fixture overrides, as pytest looks them up."""
    chain = item._fixtureinfo.name2fixturedefs.get(name, ())
    depth = depths.get(name, 0)
    if depth >= len(chain):
        return
    definition = chain[-1 - depth]
    if id(definition) in found:
        return
    for needed in definition.argnames:
        _visit(item, needed, {**depths, name: depth + 1}, found)
    if shared_arguments(definition.func) is not None:
        found[id(definition)] = definition


def _definitions(session: pytest.Session) -> list[Definition]:
    manager: Any = session._fixturemanager
    if hasattr(manager, "_get_all_fixture_defs"):
        return list(manager._get_all_fixture_defs())
    return [one for several in manager._arg2fixturedefs.values() for one in several]  # Before pytest 9.1.


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
