"""Stands between the engine's loop and the recorder: makes the recorder when it is needed, and knows what has not been shown."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_sweep import clock
from pytest_sweep.model.events import Accepted, SessionStarted, TrialInterrupted
from pytest_sweep.plugin.session.signals import Interrupts

if TYPE_CHECKING:  # Imports the database, for which the first trial need not wait.
    from pytest_sweep.plugin.record.recorder import Recorder


class OnceNeeded:
    """An audience that is there as soon as something has happened, or has not for so long that there may be something to say of it.

    Args:
        made: returns it.
        quiet: for how many seconds there is nothing to say.
        interrupts: holds signals; one that is held is raised after each round of the loop, or before something is shown.
    """

    def __init__(self, made: Callable[[], Recorder], quiet: float, interrupts: Interrupts) -> None:
        self._made = made
        self._audience: Recorder | None = None
        self._early: list[Accepted] = []
        self._unshown: deque[Accepted] = deque()
        self._first_tick = clock.monotonic() + quiet
        self._interrupts = interrupts

    def persist(self, batch: Sequence[Accepted]) -> None:
        """Store the events; when this returns they survive a power cut."""
        if self._audience is None and all(isinstance(event, SessionStarted) for event in batch):
            self._early += batch  # Nothing of it is stored, and the worker waits for a trial.
        else:
            self._needed().persist([*self._early, *batch])
            self._early.clear()
        self._unshown += batch

    def show(self, event: Accepted) -> None:
        """Show an event that was stored: the oldest that has not been shown.

        Raises:
            KeyboardInterrupt: a signal has come.
            pytest.Session.Failed, pytest.Session.Interrupted: the event ends the session.
        """
        with self._interrupts.allowed(may_catch=False):
            self._show(event)

    def show_rest(self) -> None:
        """Show what was stored before the session was interrupted."""
        while self._unshown:
            # It ends already.
            with contextlib.suppress(pytest.Session.Failed, pytest.Session.Interrupted, pytest.exit.Exception):
                self._show(self._unshown[0])

    def show_interrupted(self) -> None:
        """Show which trials were cut off."""
        while self._unshown:
            event = self._unshown.popleft()
            if isinstance(event, TrialInterrupted):
                self._needed().show(event)

    def tick(self) -> None:
        """Raise a signal that is held; else tell how far the run is, if it is time."""
        self._interrupts.check()
        if self._audience is not None or clock.monotonic() >= self._first_tick:
            self._needed().tick()

    def _show(self, event: Accepted) -> None:
        # What the loop has passed over is not to be shown.
        while self._unshown and self._unshown.popleft() is not event:
            pass
        if not isinstance(event, SessionStarted):
            self._needed().show(event)

    def _needed(self) -> Recorder:
        self._audience = self._audience or self._made()
        return self._audience
