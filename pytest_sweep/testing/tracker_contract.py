"""The contract of a tracker, as a suite: subclass `TrackerContract`, say how one is made and read back, and let pytest collect it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pytest_sweep.model import TrialState
from pytest_sweep.store import RunReader
from pytest_sweep.store.cursors import TrackerCursors
from pytest_sweep.testing.tracked_runs import BEGAN, EVENTS, HOSTILE, begin_run, ended, make_run, reports, resume, trial
from pytest_sweep.trackers.base import Tracker, TrackerDown, numbers
from pytest_sweep.trackers.patience import Stop
from pytest_sweep.trackers.sending import Sender

Points = Mapping[int, Mapping[str, float]]
"""The numbers of a trial, by iteration and name."""

NAME = "contract"
_METHODS = ("open", "begin", "log", "restart", "end", "close")


class Death(BaseException):
    """Stands for SIGKILL: what raises this is not used any more, and another process goes on."""


class Failing:
    """A tracker that fails at one call.

    Args:
        inner: the tracker.
        at: which call fails, from 0.
        error: what is raised then.
        after: whether the call is made before.
    """

    def __init__(self, inner: Tracker, at: int, error: Callable[[], BaseException], *, after: bool) -> None:
        self.calls = 0
        for name in _METHODS:
            setattr(self, name, self._calling(getattr(inner, name), at, error, after))

    def _calling(
        self, method: Callable[..., Any], at: int, error: Callable[[], BaseException], after: bool
    ) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            number, self.calls = self.calls, self.calls + 1
            if number == at and not after:
                raise error()
            done = method(*arguments)
            if number == at:
                raise error()
            return done

        return call


class TrackerContract(ABC):
    """What every tracker does.

    Attributes:
        can_forget: whether what `restart` takes back is gone. Where a service deletes nothing, the newest value of an iteration counts.
        tolerance: how far numbers may be from those that were sent, relative: a service may keep them with less precision.
    """

    can_forget: ClassVar[bool] = True
    tolerance: ClassVar[float] = 1e-6

    @abstractmethod
    def make_tracker(self) -> Tracker:
        """Return a new tracker."""

    @abstractmethod
    def settings(self, folder: Path) -> Mapping[str, str]:
        """Return its settings, for what it may write into `folder`."""

    @abstractmethod
    def received(self, remote: str) -> Sequence[tuple[int, Mapping[str, float]]]:
        """Return what a trial has there, as the service's own reader sees it: pairs of iteration and numbers, in its order.

        An iteration may be there more than once, each time with other numbers. Where the service does not take all names, they may be
        others; those of ``loss`` and ``n`` are as they were reported.
        """

    def ended(self, remote: str) -> str | None:  # noqa: ARG002 - for those who can tell
        """Return how the trial has ended there, as `expected_end` says it; None where the service does not say."""
        return None

    def expected_end(self, state: TrialState) -> str | None:  # noqa: ARG002 - for those who can tell
        """Return what `ended` returns of a trial in this state."""
        return None

    # The tests

    def test_a_run(self, tmp_path: Path) -> None:
        """Of a run that has ended every report that counts is there once, with its numbers, and each trial has its end."""
        folder = make_run(tmp_path)
        self._send(folder, tmp_path)
        self._check(folder)

    def test_a_run_that_goes_on(self, tmp_path: Path) -> None:
        """What is stored bit by bit, with another process after each part, arrives as in one."""
        store = begin_run(tmp_path)
        for event in EVENTS:
            store.record([event])
            self._send(store.path, tmp_path)
        store.finish(0, BEGAN + 100)
        store.close()
        self._send(store.path, tmp_path)
        self._check(store.path)

    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    def test_death_at_every_call(self, tmp_path: Path, after: bool) -> None:
        """Whenever the process is killed, before or after a call was done: the next one completes what is there, and doubles nothing."""
        folder = make_run(tmp_path)
        for at in range(100):
            with pytest.MonkeyPatch.context() as patch:
                place = tmp_path / f"{at}"
                place.mkdir()
                patch.setattr(TrackerCursors, "__init__", _beside(place))
                failing = Failing(self.make_tracker(), at, Death, after=after)
                try:
                    self._send(folder, place, failing)
                except Death:
                    self._send(folder, place)
                    self._check(folder)
                else:
                    assert failing.calls <= at
                    return
        raise AssertionError("it never came to an end")

    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    def test_down_at_every_call(self, tmp_path: Path, after: bool) -> None:
        """A call that fails since the server is down, before or after it has done what was asked, is repeated, and nothing is doubled."""
        folder = make_run(tmp_path)
        for at in range(100):
            with pytest.MonkeyPatch.context() as patch:
                place = tmp_path / f"{at}"
                place.mkdir()
                patch.setattr(TrackerCursors, "__init__", _beside(place))
                failing = Failing(self.make_tracker(), at, lambda: TrackerDown("no answer", 0.0), after=after)
                self._send(folder, place, failing)
                self._check(folder)
                if failing.calls <= at:
                    return
        raise AssertionError("it never came to an end")

    def test_a_resumed_run(self, tmp_path: Path) -> None:
        """A run that resumes another one goes on with its trials where they are, and sends nothing of them again."""
        first = make_run(tmp_path)
        self._send(first, tmp_path)
        before = remotes(first)
        again = resume(first)
        self._send(again, tmp_path)
        assert {key: remotes(again)[key] for key in before} == before
        self._check(again)

    def test_hostile_values(self, tmp_path: Path) -> None:
        """NaN, infinities, None, texts, lists, nested dicts and strange names stop nothing; what is a number and has a name is there."""
        one = replace(
            trial(9), config={"lr": math.nan, "ünï": None, "deep": {"x": [1, {"y": 2}]}, "text": "x" * 10_000}
        )
        store = begin_run(tmp_path, [one])
        store.record(reports(one.key, 1, [{**metrics, "n": 1.0} for metrics in HOSTILE]))
        store.record(ended(one.key, 1, TrialState.ERROR, None, "ValueError: \ud800 \x1b[31m"))
        store.finish(1, BEGAN + 100)
        store.close()
        self._send(store.path, tmp_path)
        found = dict(self._merged(remotes(store.path)[one.key]))
        assert [found[number]["n"] for number in range(1, len(HOSTILE) + 1)] == [1.0] * len(HOSTILE)
        assert math.isnan(found[1].get("loss", math.nan))
        assert found[2]["loss"] == 0.5

    def test_nothing_is_left_of_an_ended_trial(self, tmp_path: Path) -> None:
        """The tracker keeps nothing of a trial that has ended: memory does not grow with the number of trials."""
        folder = make_run(tmp_path)
        tracker = self.make_tracker()
        self._send(folder, tmp_path, tracker)
        kept = [value for value in vars(tracker).values() if isinstance(value, (dict, list, set))]
        assert [
            len(its) for its in kept if any(str(remote) in map(str, its) for remote in remotes(folder).values())
        ] == []

    def _send(self, folder: Path, place: Path, tracker: Tracker | Failing | None = None) -> None:
        stop = Stop()
        stop.run_is_over()
        made: Any = tracker or self.make_tracker()
        Sender(folder, NAME, made, self.settings(place), stop, await_driver=False).send()

    def _check(self, folder: Path) -> None:
        reader = RunReader(folder)
        for stored in reader.trials():
            remote = remotes(folder)[stored.key]
            expected = {metrics["training_iteration"]: numbers(metrics) for metrics in reader.history(stored.key)}
            if stored.metrics is not None and stored.metrics.get("training_iteration") in expected:
                expected[stored.metrics["training_iteration"]] = numbers(stored.metrics)
            found = self._merged(remote)
            assert [number for number, _ in found] == sorted(expected), stored.name
            for number, values in found:
                assert values == pytest.approx(expected[number], rel=self.tolerance), (stored.name, number)
            assert self.ended(remote) == self.expected_end(stored.state)

    def _merged(self, remote: str) -> list[tuple[int, Mapping[str, float]]]:
        """Return what a trial has, an entry an iteration; check that nothing is there twice, and all is in order."""
        merged: dict[int, dict[str, float]] = {}
        for number, values in self.received(remote):
            at = merged.setdefault(number, {})
            if self.can_forget:
                assert not at.keys() & values.keys(), f"iteration {number} is there twice"
            at.update(values)
        if self.can_forget:
            assert list(merged) == sorted(merged)
        return sorted(merged.items())


def remotes(folder: Path) -> dict[str, str]:
    """Return what the tracker calls the trials of a run, by their keys."""
    keys = [stored.key for stored in RunReader(folder).trials()]
    with TrackerCursors(folder) as cursors:
        return {key: cursor.remote for key, cursor in cursors.of(NAME, keys).items() if cursor.remote is not None}


def _beside(place: Path) -> Callable[[TrackerCursors, Path], None]:
    """Return a constructor of cursors that keeps them in `place`, so that one run can be sent again and again."""
    original = TrackerCursors.__init__

    def make(self: TrackerCursors, folder: Path) -> None:  # noqa: ARG001 - as the original
        original(self, place)

    return make
