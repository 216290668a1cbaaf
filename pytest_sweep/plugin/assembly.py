"""Puts together what a session with ``--sweep`` needs. Imports it, but for the executor, which has begun to start by then."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import pytest

from pytest_sweep.engine.policy import Policy
from pytest_sweep.engine.port import Executor
from pytest_sweep.errors import SpaceError
from pytest_sweep.items.allure import AllureParameters
from pytest_sweep.items.lifetimes import FixtureKeeper
from pytest_sweep.plugin.collect.keywords import ExactKeywords, asks_for_trials
from pytest_sweep.plugin.collect.searches import SearchOptions
from pytest_sweep.plugin.collect.selection import TrialSelection
from pytest_sweep.plugin.collect.spaces import SpaceExpander
from pytest_sweep.plugin.collect.sweeps import SweepCollector
from pytest_sweep.plugin.guests.others import Guests, Replacements
from pytest_sweep.plugin.guests.rerunfailures import Reruns
from pytest_sweep.plugin.options import SweepOptions
from pytest_sweep.plugin.session.run import SweepRun
from pytest_sweep.plugin.session.signals import Interrupts
from pytest_sweep.plugin.show.words import OutcomeWords
from pytest_sweep.space import MAX_POINTS, parse_condition, parse_override

if TYPE_CHECKING:  # Imports the database, which a session that takes nothing of earlier runs does not need that early.
    from pytest_sweep.plugin.session.resuming import Resumption

T = TypeVar("T")


def assemble(
    config: pytest.Config,
    options: SweepOptions,
    resumption: Resumption | None,
    executor: Executor,
    keeper: FixtureKeeper,
    interrupts: Interrupts,
) -> None:
    """Register the driver's plugins.

    Raises:
        pytest.UsageError: options that make no sense.
    """
    spaces = _spaces(config, options)
    reruns = Reruns(config.pluginmanager)
    is_inline = executor.name == "inline"
    collector = SweepCollector(
        spaces=spaces, reruns=reruns, must_pickle=not is_inline, on_sweep=partial(_prepare, executor, options)
    )
    run = SweepRun(
        config,
        options,
        executor,
        _policy(options, executor),
        collector=collector,
        keeper=keeper,
        resumption=resumption,
        interrupts=interrupts,
    )
    config.pluginmanager.register(collector, "sweep-collector")
    config.pluginmanager.register(run, "sweep-run")
    config.pluginmanager.register(OutcomeWords(), "sweep-words")
    config.pluginmanager.register(run.spread, "sweep-spread")
    config.pluginmanager.register(interrupts, "sweep-interrupts")
    config.pluginmanager.register(Replacements(), "sweep-replacements")
    config.pluginmanager.register(reruns, "sweep-reruns")
    config.pluginmanager.register(AllureParameters(), "sweep-allure")
    if not is_inline:
        config.pluginmanager.register(Guests(config, options), "sweep-guests")
    if asks_for_trials(config):
        config.pluginmanager.register(ExactKeywords(config), "sweep-keywords")
    if options.where is not None:
        config.pluginmanager.register(
            TrialSelection(_read("--sweep-where", parse_condition, options.where)), "sweep-selection"
        )
    if config.option.collectonly:
        from pytest_sweep.plugin.collect.dryrun import DryRun

        config.pluginmanager.register(DryRun(executor, options.max_concurrent, spaces), "sweep-dry-run")


def _policy(options: SweepOptions, executor: Executor) -> Policy:
    limits = [limit for limit in (options.max_concurrent, executor.max_concurrent) if limit is not None]
    return Policy(
        max_concurrent=min(limits, default=None),
        timeout=options.timeout,
        abort_after=options.abort_after,
        budget=options.budget,
        grace=options.grace,
    )


def _spaces(config: pytest.Config, options: SweepOptions) -> SpaceExpander:
    overrides = [_read("--sweep-set", parse_override, text) for text in options.sets]

    def is_made(argument: str) -> bool:
        hook = (
            config.hook.pytest_sweep_make_searcher if argument == "search" else config.hook.pytest_sweep_make_scheduler
        )
        return bool(hook.get_hookimpls())

    searches = SearchOptions(options.search, options.scheduler, options.num_samples, is_made)
    return SpaceExpander(options.seed, options.max_trials or MAX_POINTS, overrides, searches)


def _read(flag: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except SpaceError as error:
        raise pytest.UsageError(f"{flag}: {error}") from error


def _prepare(executor: Executor, options: SweepOptions) -> None:
    """Begin to start the executor as soon as there is something to run, so that it starts while pytest collects."""
    if options.starts_something:
        executor.prepare()
