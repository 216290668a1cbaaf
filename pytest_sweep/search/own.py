"""Searchers and schedulers of users' own, as settings: an object, or what makes one."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_sweep.errors import DefinitionError
from pytest_sweep.search.protocols import Scheduler, Searcher
from pytest_sweep.search.schedulers import Objectives, Trials
from pytest_sweep.search.space import SearchSpace
from pytest_sweep.search.starting import StartingSearcher
from pytest_sweep.space.display import shown


@dataclass(frozen=True)
class OwnSearcher:
    """A searcher of a user's: an object with ``ask`` and ``tell``, or what makes one of ``(space, objectives, seed, num_samples)``."""

    written: Any

    needs_slots: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """Its attribute ``name``, or the name of its class or function."""
        return _own_name(self.written)

    def make(self, space: SearchSpace, objectives: Objectives, seed: int, num_samples: int) -> Searcher:
        """Return what the function makes; of an object a copy, since each study needs one of its own."""
        if is_searcher(self.written):
            made: Searcher = copy.deepcopy(self.written)
        else:
            made = self.written(space, objectives, seed, num_samples)
            _check_made(f"search={self.name}", made, "searcher", "ask", "tell")
        return StartingSearcher(made, space) if space.points_to_evaluate else made


@dataclass(frozen=True)
class OwnScheduler:
    """A scheduler of a user's: an object with the methods of `Scheduler`, or what makes one of ``(objectives, seed, max_t, trials)``."""

    written: Any

    max_t: ClassVar[int | None] = None
    needs_max_t: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """Its attribute ``name``, or the name of its class or function."""
        return _own_name(self.written)

    def make(self, objectives: Objectives, seed: int, max_t: int | None, trials: Trials) -> Scheduler:
        """Return what the function makes; of an object a copy, since each study needs one of its own."""
        if is_scheduler(self.written):
            copied: Scheduler = copy.deepcopy(self.written)
            return copied
        made: Scheduler = self.written(objectives, seed, max_t, trials)
        _check_made(f"scheduler={self.name}", made, "scheduler", "judge", "milestones")
        return made


def is_searcher(written: object) -> bool:
    """Say whether it has the methods of a `Searcher`; a class of them does not count."""
    return not isinstance(written, type) and has(written, "ask", "tell")


def is_scheduler(written: object) -> bool:
    """Say whether it has those of a `Scheduler`, likewise."""
    return not isinstance(written, type) and has(written, "judge", "milestones")


def has(written: object, *names: str) -> bool:
    """Say whether it has all these attributes."""
    return all(hasattr(written, name) for name in names)


def _check_made(what: str, made: object, noun: str, *methods: str) -> None:
    if not has(made, *methods):
        told = " and ".join(f"{name}()" for name in methods)
        raise DefinitionError(f"{what} has made {shown(made)}, which is no {noun}: return an object with {told}")


def _own_name(written: Any) -> str:
    name = getattr(written, "name", None) or getattr(written, "__name__", None)
    return name if isinstance(name, str) else type(written).__name__
