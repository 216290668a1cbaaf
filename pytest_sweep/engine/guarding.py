"""Keeps what a scheduler raises, or answers wrongly, from ending the engine: it ends the run instead, with its traceback."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import TypeVar

from pytest_sweep.model.study import GO_ON, Milestones, Observation, Resumption, Verdict
from pytest_sweep.search.protocols import Scheduler

T = TypeVar("T")


class Guarded:
    """A scheduler that answers whatever happens. After its first failure it is not asked any more: every trial goes on.

    Args:
        scheduler: the scheduler.
        name: the sweep's name.
        fail: is told what has failed: a sentence, then a traceback. Called once.
    """

    def __init__(self, scheduler: Scheduler, name: str, fail: Callable[[str], None]) -> None:
        self.pauses: bool = getattr(scheduler, "pauses", False)
        self.takes_turns: bool = getattr(scheduler, "takes_turns", False)
        self._scheduler, self._name, self._fail = scheduler, name, fail
        self._has_failed = False

    def milestones(self, key: str) -> Milestones:
        """Return the milestones of a trial; none after a failure."""
        return self._asked(lambda: self._scheduler.milestones(key), Milestones, Milestones(), "milestones")

    def pause_at(self, key: str) -> int | None:
        """Return where a trial pauses first."""
        return self._asked(lambda: self._scheduler.pause_at(key), int | None, None, "pause_at")

    def judge(self, observation: Observation, *, can_pause: bool) -> Verdict:
        """Return the verdict on a trial."""
        return self._asked(lambda: self._scheduler.judge(observation, can_pause=can_pause), Verdict, GO_ON, "judge")

    def end(self, observation: Observation) -> None:
        """Pass on the end of a trial."""
        self._asked(lambda: self._scheduler.end(observation), object, None, "end")

    def resume(self, *, is_last: bool) -> Resumption | None:
        """Return who goes on."""
        return self._asked(lambda: self._scheduler.resume(is_last=is_last), Resumption | None, None, "resume")

    def dropped(self) -> Mapping[str, str]:
        """Return who never goes on."""
        return self._asked(self._scheduler.dropped, Mapping, {}, "dropped")

    def _asked(self, ask: Callable[[], T], kind: object, otherwise: T, method: str) -> T:
        if self._has_failed:
            return otherwise
        try:
            answer = ask()
            if not isinstance(answer, kind):  # type: ignore[arg-type] # a class or a union of some
                raise TypeError(f"{method}() of a scheduler returns {_words(kind)}, not {answer!r}")
        except Exception as error:
            self._has_failed = True
            last = traceback.format_exception_only(error)[-1].strip()
            trace = "".join(traceback.format_exception(error)).rstrip()
            self._fail(f"the scheduler of {self._name} has failed in {method}(): {last}\n\n{trace}")
            return otherwise
        return answer


def _words(kind: object) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("pytest_sweep.model.study.", "")
