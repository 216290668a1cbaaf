"""Watches the fixtures that outlive a trial, while they are set up and torn down in a worker."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pluggy
import pytest

from pytest_sweep.items import private
from pytest_sweep.items.shared import place_of
from pytest_sweep.worker.buildtime import BuildingClock
from pytest_sweep.worker.current import unowned
from pytest_sweep.worker.state import ProcessState


class WideFixtures:
    """A pytest plugin beside `TrialRunner`: what such a fixture does is not the doing of the trial that happens to build it.

    Args:
        on_teardown: told of a fixture that is about to be torn down, in words.

    Attributes:
        building: how long they took to set up.
        state: what trials start with, which they may change.
    """

    def __init__(self, on_teardown: Callable[[str], None] = lambda _: None) -> None:
        self._on_teardown = on_teardown
        self.building = BuildingClock()
        self.state = ProcessState()
        self._torn_down: dict[int, object] = {}

    # A wrapper of the old style, because one of the new style stands in the traceback of whatever raises within it.

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, pluggy.Result[Any], None]:
        """Note what a fixture changes, how long it takes, and what it has to tear down."""
        if fixturedef.scope == "function":
            yield
            return
        before = private.count_finalizers(fixturedef)
        with self.building.running(), self.state.lasting(), unowned():
            outcome = yield
        if outcome.exception is None and private.count_finalizers(fixturedef) > before:
            # Added last, it is called first, before the teardown of the fixture itself.
            text = _in_words(fixturedef, request.config.rootpath)
            fixturedef.addfinalizer(lambda: self._begin_teardown(fixturedef, text))

    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Note what the teardown has changed."""
        if fixturedef.scope != "function":
            self.state.adopt(self._torn_down.pop(id(fixturedef), None))

    def _begin_teardown(self, fixturedef: pytest.FixtureDef[Any], text: str) -> None:
        self._torn_down[id(fixturedef)] = self.state.note()
        self._on_teardown(text)


def _in_words(fixturedef: pytest.FixtureDef[Any], root: Path) -> str:
    place = ""
    with contextlib.suppress(AttributeError):  # A callable without code of its own.
        place = f", {place_of(fixturedef, root)}"
    return f"{fixturedef.argname} ({fixturedef.scope} scope{place})"
