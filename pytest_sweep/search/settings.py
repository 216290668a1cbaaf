"""What users may write at ``search=`` and ``scheduler=``: a name, a call such as ``tpe()``, or an object of their own."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_sweep.errors import DefinitionError
from pytest_sweep.search.bayesian import GpSettings, gp
from pytest_sweep.search.own import OwnScheduler, OwnSearcher, has
from pytest_sweep.search.population import PbtSettings, pbt
from pytest_sweep.search.protocols import Searcher
from pytest_sweep.search.schedulers import (
    AshaSettings,
    HyperbandSettings,
    MedianSettings,
    SchedulerSettings,
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
    tpe,
)
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
    "stop_after",
    "tpe",
]

SEARCHERS: Mapping[str, Callable[[], SearcherSettings]] = {"random": random, "qmc": qmc, "tpe": tpe, "gp": gp}
"""The searchers that a name is enough for, as ``--sweep-search`` takes them."""

SCHEDULERS: Mapping[str, Callable[[], SchedulerSettings]] = {"asha": asha, "median": median, "hyperband": hyperband}
"""The schedulers that a name is enough for, as ``--sweep-scheduler`` takes them."""


def stop_after(
    search: SearcherSettings | Searcher | Callable[..., Searcher] | str | None = None,
    *,
    no_better: int | None = None,
    goal: float | None = None,
) -> StopAfterSettings:
    """End a study early: the slots that are left are SKIPPED, with the reason. Trials that run go on.

    Args:
        search: what chooses, as ``search=`` of ``@sweep`` takes it; `tpe()` where it is left out.
        no_better: ends it when so many trials have ended since the metric was last improved. With several objectives, since a trial was
            last better than each other one in some objective.
        goal: ends it when the metric, the first of several, is at least this good.

    Raises:
        DefinitionError: neither condition is given, or one is no number; or `search` chooses nothing.

    Example:
        >>> @sweep(space={"lr": loguniform(1e-4, 1e-1)}, num_samples=200, search=stop_after(tpe(), no_better=20),
        ...        metric="loss", mode="min")
        ... def train(lr): ...
    """
    return StopAfterSettings(
        TpeSettings() if search is None else _read_searcher(search, "stop_after(): search="), no_better, goal
    )


def read_searcher(written: object) -> SearcherSettings:
    """Return the settings that ``search=written`` means: a name, settings, a `Searcher`, or what makes one.

    Raises:
        DefinitionError: it is none of these.
    """
    return _read_searcher(written, "search=")


def read_scheduler(written: object) -> SchedulerSettings:
    """Return the settings that ``scheduler=written`` means: a name, settings, a `Scheduler`, or what makes one.

    Raises:
        DefinitionError: it is none of these.
    """
    if isinstance(written, str):
        named: SchedulerSettings = _named(_SCHEDULER, written)
        return named
    if _SCHEDULER.has_settings(written):
        return written  # type: ignore[return-value]
    _check(_SCHEDULER, written, "scheduler=")
    return OwnScheduler(written)


def _read_searcher(written: object, where: str) -> SearcherSettings:
    if isinstance(written, str):
        named: SearcherSettings = _named(_SEARCHER, written)
        return named
    if _SEARCHER.has_settings(written):
        return written  # type: ignore[return-value]
    _check(_SEARCHER, written, where)
    return OwnSearcher(written)


@dataclass(frozen=True)
class _Kind:
    """What is written at ``search=``, or at ``scheduler=``.

    Attributes:
        argument: the argument.
        noun: the word for what it takes.
        verb: what that does.
        example: what may be written.
        named: those that a name is enough for.
        calls: our functions that make settings.
        settings: an attribute that all settings have.
        methods: what an object has.
        arguments: what is given to a function that makes one.
    """

    argument: str
    noun: str
    verb: str
    example: str
    named: Mapping[str, Callable[[], Any]]
    calls: tuple[Callable[..., Any], ...]
    settings: str
    methods: tuple[str, str]
    arguments: tuple[str, ...]

    @property
    def told(self) -> str:
        """Its methods, as they are told."""
        return " and ".join(f"{name}()" for name in self.methods)

    def has_settings(self, written: object) -> bool:
        return not isinstance(written, type) and has(written, "make", self.settings)

    def is_meant(self, written: object) -> bool:
        """Say whether something belongs here, with or without its parentheses."""
        return (
            any(written is call for call in self.calls)
            or has(written, "make", self.settings)
            or has(written, *self.methods)
        )


_SEARCHER = _Kind(
    "search", "searcher", "chooses", "tpe()", SEARCHERS, (random, qmc, tpe, gp, optuna, stop_after), "needs_slots",
    ("ask", "tell"), ("space", "objectives", "seed", "num_samples"),
)  # fmt: skip
_SCHEDULER = _Kind(
    "scheduler", "scheduler", "stops", "asha(max_t=81)", SCHEDULERS, (asha, median, hyperband, pbt), "max_t",
    ("judge", "milestones"), ("objectives", "seed", "max_t", "trials"),
)  # fmt: skip


def _named(kind: _Kind, name: str) -> Any:
    """Return the settings that a name stands for.

    Raises:
        DefinitionError: it stands for none.
    """
    if name in kind.named:
        return kind.named[name]()
    other = _SCHEDULER if kind is _SEARCHER else _SEARCHER
    if name in [call.__name__ for call in kind.calls]:
        hint = f"it needs arguments: write {kind.argument}={name}(...)"
    elif name in [call.__name__ for call in other.calls]:
        hint = f"it is a {other.noun}: give it as {other.argument}= or --sweep-{other.argument}"
    else:
        near = difflib.get_close_matches(name, kind.named, n=1)
        known = ", ".join(kind.named)
        hint = f"did you mean {near[0]!r}? There are {known}" if near else f"there are {known}"
    raise DefinitionError(f"unknown {kind.noun} {name!r}; {hint}")


def _check(kind: _Kind, written: Any, where: str) -> None:
    """Raise DefinitionError unless it is an object with the methods that `kind` has, or a function that makes one."""
    other = _SCHEDULER if kind is _SEARCHER else _SEARCHER
    name = getattr(written, "__name__", None) or type(written).__name__
    said = f"{where}{name if callable(written) else shown(written)}"
    if other.is_meant(written) and not kind.is_meant(written):
        word = getattr(written, "name", None)
        word = word if isinstance(word, str) and not callable(written) else name
        raise DefinitionError(f"{said} is a {other.noun}: write {other.argument}={word}()")
    if hasattr(written, "sample_relative"):
        raise DefinitionError(f"{said} is a sampler of Optuna: write {where}optuna({name}())")
    if not isinstance(written, type) and has(written, *kind.methods):
        return
    if not callable(written):
        raise DefinitionError(
            f"{said} {kind.verb} nothing: write {kind.example}, a name ({', '.join(kind.named)}), or an object with {kind.told}"
        )
    ours = kind.is_meant(written) and not has(written, *kind.methods)
    if ours or (not _takes(written, len(kind.arguments)) and _takes(written, 0)):
        raise DefinitionError(f"{said} lacks its parentheses: write {where}{name}()")
    if not _takes(written, len(kind.arguments)):
        raise DefinitionError(
            f"{said} cannot be called with ({', '.join(kind.arguments)}), as what makes a {kind.noun} is: let it take these, or write the "
            f"{kind.noun} itself, an object with {kind.told}"
        )


def _takes(function: Callable[..., Any], count: int) -> bool:
    """Say whether a function or a class can be called with so many arguments; one that does not say so can."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:
        return True
    return True
