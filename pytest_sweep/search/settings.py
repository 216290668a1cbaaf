"""What users may write at ``search=`` and ``scheduler=``: a name, a call such as ``tpe()``, or an object of their own."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_sweep.errors import DefinitionError
from pytest_sweep.search.bayesian import GpSettings, gp
from pytest_sweep.search.population import PbtSettings, pbt
from pytest_sweep.search.protocols import Scheduler, Searcher
from pytest_sweep.search.schedulers import (
    AshaSettings,
    HyperbandSettings,
    MedianSettings,
    Objectives,
    SchedulerSettings,
    Trials,
    asha,
    hyperband,
    median,
)
from pytest_sweep.search.searchers import (
    OptunaSettings,
    QmcSettings,
    RandomSettings,
    SearcherSettings,
    StopAfterSettings,
    TpeSettings,
    optuna,
    qmc,
    random,
    stop_after,
    tpe,
)
from pytest_sweep.search.space import SearchSpace
from pytest_sweep.search.starting import StartingSearcher
from pytest_sweep.space.display import shown

__all__ = [
    "SCHEDULERS",
    "SEARCHERS",
    "AshaSettings",
    "GpSettings",
    "HyperbandSettings",
    "MedianSettings",
    "OptunaSettings",
    "OwnScheduler",
    "OwnSearcher",
    "PbtSettings",
    "QmcSettings",
    "RandomSettings",
    "SchedulerSettings",
    "SearcherSettings",
    "StopAfterSettings",
    "TpeSettings",
    "asha",
    "gp",
    "hyperband",
    "median",
    "optuna",
    "pbt",
    "qmc",
    "random",
    "read_scheduler",
    "read_searcher",
    "scheduler_named",
    "searcher_named",
    "stop_after",
    "tpe",
]

SEARCHERS: Mapping[str, Callable[[], SearcherSettings]] = {"random": random, "qmc": qmc, "tpe": tpe, "gp": gp}
"""The searchers that a name is enough for, as ``--sweep-search`` takes them."""

SCHEDULERS: Mapping[str, Callable[[], SchedulerSettings]] = {"asha": asha, "median": median, "hyperband": hyperband}
"""The schedulers that a name is enough for, as ``--sweep-scheduler`` takes them."""


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
        if _has(self.written, "ask", "tell") and not isinstance(self.written, type):
            made: Searcher = copy.deepcopy(self.written)
        else:
            made = self.written(space, objectives, seed, num_samples)
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
        if _has(self.written, "judge", "milestones") and not isinstance(self.written, type):
            copied: Scheduler = copy.deepcopy(self.written)
            return copied
        made: Scheduler = self.written(objectives, seed, max_t, trials)
        return made


def searcher_named(name: str) -> SearcherSettings:
    """Return the settings of the searcher with that name.

    Raises:
        DefinitionError: there is none.
    """
    if name not in SEARCHERS:
        raise DefinitionError(_unknown("searcher", name, SEARCHERS))
    return SEARCHERS[name]()


def scheduler_named(name: str) -> SchedulerSettings:
    """Return the settings of the scheduler with that name.

    Raises:
        DefinitionError: there is none.
    """
    if name not in SCHEDULERS:
        raise DefinitionError(_unknown("scheduler", name, SCHEDULERS))
    return SCHEDULERS[name]()


def read_searcher(written: object) -> SearcherSettings:
    """Return the settings that ``search=written`` means: a name, settings, a `Searcher`, or what makes one.

    Raises:
        DefinitionError: it is none of these.
    """
    if isinstance(written, str):
        return searcher_named(written)
    if _has(written, "make", "needs_slots"):
        return written  # type: ignore[return-value]
    if _has(written, "ask", "tell") or (
        callable(written) and not _is_one_of(written, random, qmc, tpe, gp, optuna, stop_after)
    ):
        return OwnSearcher(written)
    raise DefinitionError(_not_taken("search", written, "tpe()", "ask() and tell()", SEARCHERS))


def read_scheduler(written: object) -> SchedulerSettings:
    """Return the settings that ``scheduler=written`` means: a name, settings, a `Scheduler`, or what makes one.

    Raises:
        DefinitionError: it is none of these.
    """
    if isinstance(written, str):
        return scheduler_named(written)
    if _has(written, "make", "max_t"):
        return written  # type: ignore[return-value]
    if _has(written, "judge", "milestones") or (
        callable(written) and not _is_one_of(written, asha, median, hyperband, pbt)
    ):
        return OwnScheduler(written)
    raise DefinitionError(_not_taken("scheduler", written, "asha(max_t=81)", "judge() and milestones()", SCHEDULERS))


def _has(written: object, *names: str) -> bool:
    return all(hasattr(written, name) for name in names)


def _is_one_of(written: object, *functions: object) -> bool:
    return any(written is function for function in functions)


def _own_name(written: Any) -> str:
    name = getattr(written, "name", None) or getattr(written, "__name__", None)
    return name if isinstance(name, str) else type(written).__name__


def _unknown(what: str, name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"there is no {what} {name!r}: {hint}there are {', '.join(known)}"


def _not_taken(argument: str, written: object, call: str, methods: str, known: Mapping[str, Any]) -> str:
    if callable(written):
        name = getattr(written, "__name__", "")
        return f"{argument}={shown(written)} lacks its parentheses: write {argument}={name}()"
    names = ", ".join(known)
    return f"{argument}={shown(written)} chooses nothing: write {call}, a name ({names}), or an object with {methods}"
