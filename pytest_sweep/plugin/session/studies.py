"""Makes the studies of a session: for each searched or scheduled sweep, and each set of its other parameters, who decides what."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from pytest_sweep.engine.study import Complete, Study
from pytest_sweep.errors import SweepError
from pytest_sweep.model.search_events import Proposed
from pytest_sweep.model.trials import Trial
from pytest_sweep.plugin.collect.searches import CollectedSearch
from pytest_sweep.plugin.collect.sweeps import TRIAL, SweepCollector, key_with
from pytest_sweep.plugin.options import SweepOptions
from pytest_sweep.plugin.session.warming import warm_searchers
from pytest_sweep.search.protocols import Scheduler, Searcher, Values
from pytest_sweep.space import feasibility

if TYPE_CHECKING:
    from pytest_sweep.search.space import SearchSpace

T = TypeVar("T")


def make_studies(
    collector: SweepCollector,
    items: Sequence[pytest.Item],
    options: SweepOptions,
    tell: Callable[[str], None],
    known: Mapping[str, Mapping[str, Any]],
) -> list[Study]:
    """Return the studies that these trials belong to.

    Args:
        collector: has collected the sweeps.
        items: the items of the trials of the session.
        options: the plugin's options.
        tell: takes a line for people.
        known: the final metrics of configurations that earlier runs have tried, by the keys of their points.

    Raises:
        pytest.UsageError: a searcher or a scheduler cannot be made.
    """
    if not collector.searches and options.warm is None:
        return []
    firsts: dict[str, pytest.Function] = {}
    for item in items:
        study = item.stash[TRIAL].study
        if study and isinstance(item, pytest.Function):
            firsts.setdefault(study, item)
    wanted = {item.stash[TRIAL].sweep.id for item in firsts.values()}
    members: dict[str, list[Trial]] = {study: [] for study in firsts}
    for sweep in wanted:
        for trial in collector.collected[sweep]:
            if trial.study in members:
                members[trial.study].append(trial)
    made = []
    for name, item in firsts.items():
        search = collector.searches[item.stash[TRIAL].sweep.id]
        made.append((replace(_made(name, item, search, members[name]), known=known), item.stash[TRIAL], search.space))
    if options.warm is not None:
        warm_searchers(options.warm, options.results_dir, made, tell)
    return [study for study, _, _ in made]


def new_search_lines(config: pytest.Config, collector: SweepCollector, items: Sequence[pytest.Item]) -> list[str]:
    """Return what is to be said of sweeps of which some trials are run again, but nothing is resumed: a line each.

    Args:
        config: the session's configuration.
        collector: has collected the sweeps.
        items: the items of the selected trials.
    """
    searched = {sweep: search for sweep, search in collector.searches.items() if search.space is not None}
    if not searched:
        return []
    selected = Counter(item.stash[TRIAL].sweep.id for item in items)
    again = any(config.getoption(name, False) for name in ("lf", "failedfirst", "stepwise"))
    lines = []
    for sweep, search in searched.items():
        total = len(collector.collected[sweep])
        if selected[sweep] and (again or selected[sweep] < total):
            lines.append(
                f"sweep: {search.sweep.name}: a new search begins for {selected[sweep]} of {total} trials: they get other "
                "configurations than in an earlier run. To go on with that one, add --sweep-resume"
            )
    return lines


def _made(study: str, item: pytest.Function, search: CollectedSearch, trials: Sequence[Trial]) -> Study:
    sweep = search.sweep
    return Study(
        id=study,
        name=sweep.name,
        objectives=sweep.goals,
        searcher=_searcher(item, search),
        scheduler=_scheduler(item, search, trials),
        complete=None if search.space is None else _completer(item, search.space),
        constraints=feasibility(sweep.feasible).violations,
        max_t=sweep.max_t,
        keys=tuple(trial.key for trial in trials),
    )


def _searcher(item: pytest.Function, search: CollectedSearch) -> Searcher | None:
    space, settings, sweep = search.space, search.definition.search, search.sweep
    if space is None or settings is None:
        return None
    hook = "pytest_sweep_make_searcher"
    made: Searcher | None = _called(
        sweep.id, hook, lambda: item.ihook.pytest_sweep_make_searcher(sweep=sweep, space=space, seed=search.seed)
    )
    if made is not None:
        return made
    number = int(search.definition.arguments["num_samples"])
    return _called(sweep.id, f"search={settings.name}", lambda: settings.make(space, sweep.goals, search.seed, number))


def _scheduler(item: pytest.Function, search: CollectedSearch, trials: Iterable[Trial]) -> Scheduler | None:
    settings, sweep = search.definition.scheduler, search.sweep
    if settings is None:
        return None
    hook = "pytest_sweep_make_scheduler"
    made: Scheduler | None = _called(sweep.id, hook, lambda: item.ihook.pytest_sweep_make_scheduler(sweep=sweep))
    if made is not None:
        return made
    known = {trial.key: trial.config for trial in trials}
    return _called(
        sweep.id, f"scheduler={settings.name}", lambda: settings.make(sweep.goals, search.seed, sweep.max_t, known)
    )


def _completer(item: pytest.Function, space: SearchSpace) -> Complete:
    def complete(key: str, slot: int, values: Values, refused: int) -> Proposed | None:
        found = space.complete(values, slot, refused)
        if found is None:
            return None
        return Proposed(key, found.config, found.label, key_with(item, found.identity), found.values, found.marks)

    return complete


def _called(sweep: str, what: str, function: Callable[[], T]) -> T:
    """Return what a function returns that may be a user's.

    Raises:
        pytest.UsageError: it has raised; the text says where.
    """
    try:
        return function()
    except SweepError as error:
        raise pytest.UsageError(f"{sweep}: {error}") from error
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise pytest.UsageError(
            f"{sweep}: {what} failed at {where.filename}:{where.lineno}: {type(error).__name__}: {error}"
        ) from error
