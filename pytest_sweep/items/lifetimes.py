"""Keeps fixtures alive from one item to the next, and tears them down in time: the order of items is not known in advance here."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from pytest_sweep.items import private


class FixtureKeeper:
    """Knows which item ran last in a session, whose wider fixtures are still alive.

    An item is run with its parent as the next item, which keeps the fixtures of module and session; `enter` tears down what the
    item that follows does not share. An error in that belongs to the item before.

    Args:
        on_error: takes the item before and pytest's report of its late tear-down.
    """

    def __init__(self, on_error: Callable[[pytest.Item, pytest.TestReport], None]) -> None:
        self._on_error = on_error
        self._previous: pytest.Item | None = None

    def enter(self, item: pytest.Item | None) -> None:
        """Tear down what `item`, the next one, does not share with the last; None for all."""
        previous, self._previous = self._previous, item
        if previous is None or (item is not None and item.parent is previous.parent):
            return
        with _watched(previous):
            call = pytest.CallInfo.from_call(
                lambda: private.tear_down_to(previous.session, item),
                when="teardown",
                reraise=(pytest.exit.Exception, KeyboardInterrupt),  # They end the session, as anywhere in pytest.
            )
        if call.excinfo is not None:
            report = previous.ihook.pytest_runtest_makereport(item=previous, call=call)
            self._on_error(previous, report)


@contextlib.contextmanager
def _watched(item: pytest.Item) -> Iterator[None]:
    """Capture what is written, and record what is warned of, as pytest does while it tears an item down."""
    capture = item.config.pluginmanager.get_plugin("capturemanager")
    with contextlib.ExitStack() as stack:
        stack.enter_context(private.recorded_warnings(item))
        if capture is not None:
            stack.enter_context(capture.item_capture("teardown", item))
        yield
