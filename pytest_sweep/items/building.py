"""Builds the items of trials through pytest's hooks, as the session's own collection would have: those of one call together."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from typing import Any

import pytest

from pytest_sweep.errors import SweepError
from pytest_sweep.items import private
from pytest_sweep.items.definition import is_sweep, read_definition, unwrapped
from pytest_sweep.items.matching import CallMatcher
from pytest_sweep.items.parametrization import POINT, class_of_sweeps, generate_items, parametrize
from pytest_sweep.model.trials import Task, Trial
from pytest_sweep.space import Point
from pytest_sweep.wire.task import PackedTask

MOST_AT_ONCE = 64
"""How many items are made at once; where something else is parametrized, too, each trial makes several, and one of them is taken."""


class ItemBuilder:
    """A plugin that remembers the sweeps of a session, and collects nothing else.

    pytest spends much more time on a function than on each further point of it, so that trials which arrive together are built together.

    Args:
        files: what the session collects.
        place: makes a task one of this machine.
    """

    def __init__(self, files: Sequence[str], place: Callable[[Task], Task]) -> None:
        self._files = files
        self._place = place
        self._sweeps: dict[str, tuple[pytest.Module | pytest.Class, str, Callable[..., Any]]] = {}
        self._wanted: Sequence[Trial] = ()
        self._matcher = CallMatcher()
        self._offered: list[str] = []
        # Of one call: what was unpacked and what was built ahead, by key; and what may be built together, by sweep and label.
        self._tasks: dict[str, Task] = {}
        self._items: dict[str, pytest.Function] = {}
        self._together: dict[str, dict[str, Trial]] = {}
        self._widths: dict[str, int] = {}

    def collector(self, sweep: str) -> pytest.Module | pytest.Class | None:
        """Return what has collected a sweep, by its node id; None where it is not there."""
        found = self._sweeps.get(sweep)
        return None if found is None else found[0]

    def expect(self, order: Sequence[PackedTask]) -> None:
        """Take note of the trials that arrived together."""
        self._tasks, self._items, self._together = {}, {}, {}
        for packed in order:
            # What cannot be unpacked raises again when its turn comes, where it is the trial's own error.
            with contextlib.suppress(Exception):
                task = self._tasks[packed.key] = self._place(packed.unpack())
                # Of those with one label, which something else tells apart, one: each trial has a configuration of its own.
                self._together.setdefault(task.trial.sweep.id, {}).setdefault(task.trial.ident, task.trial)

    def unpack(self, packed: PackedTask) -> Task:
        """Return the task, in the turn of its trial; raises whatever its configuration raises when it is unpickled."""
        return self._tasks.pop(packed.key, None) or self._place(packed.unpack())

    def build(self, session: pytest.Session, trial: Trial) -> pytest.Function:
        """Return the trial's item, after the hooks of collection.

        Raises:
            SweepError: the session has collected no such sweep, or the sweep makes no such trial.
        """
        return self._items.pop(trial.key, None) or self._built(session, trial)

    # Hooks of collection

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(
        self, collector: pytest.Module | pytest.Class, name: str, obj: object
    ) -> pytest.Class | list[pytest.Function] | None:
        """Remember the sweeps; generate the trials that are being built; leave out all other functions."""
        if isinstance(obj, type):
            return class_of_sweeps(collector, name, obj)
        if not is_sweep(obj):
            return []
        function = unwrapped(obj)
        if self._wanted:
            return generate_items(collector, name, function)
        self._sweeps[f"{collector.nodeid}::{name}"] = (collector, name, function)
        return []

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize the function with the configurations that are being built."""
        if self._wanted:
            points = [Point(dict(its.config), its.ident, its.marks, 0, identity=None) for its in self._wanted]
            keys = dict.fromkeys(key for trial in self._wanted for key in trial.config)
            parametrize(metafunc, read_definition(metafunc.function), points, list(keys))

    @pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_generate_tests")
    def pytest_generate_tests_of_driver(self, metafunc: pytest.Metafunc) -> Generator[None, None, None]:
        """Keep the calls of the trials that are being built, with the driver's values, once all plugins have parametrized."""
        yield
        if self._wanted:
            private.set_calls(metafunc, self._chosen(private.calls(metafunc)))

    # Building

    def _built(self, session: pytest.Session, trial: Trial) -> pytest.Function:
        """Build the item of `trial`, and with it those of trials that come after it."""
        sweep, waiting = trial.sweep.id, self._together.get(trial.sweep.id, {})
        waiting.pop(trial.ident, None)
        # How many items a trial makes is known when the first one of its sweep was built.
        room = MOST_AT_ONCE // self._widths.get(sweep, MOST_AT_ONCE) - 1
        others = [waiting.pop(label) for label in list(waiting)[: max(room, 0)]]
        try:
            made = self._collected(session, [trial, *others])
        except Exception:
            if not others:
                raise
            # It may be the fault of one of them, which is built by itself, then, in its turn.
            made = self._collected(session, [trial])
        self._items |= made
        return self._items.pop(trial.key)

    def _collected(self, session: pytest.Session, trials: Sequence[Trial]) -> dict[str, pytest.Function]:
        """Return the items of `trials` by key, after the hooks of collection; raise SweepError if there is none of the first."""
        by_name = {item.name: item for item in self._generated(trials)}
        if trials[0].name not in by_name:
            offered = [f"{trials[0].sweep.name}[{ident}]" for ident in self._offered]
            raise SweepError(f"{trials[0].name} is not among {offered}, which the worker collects")
        items = {trial.key: by_name[trial.name] for trial in trials if trial.name in by_name}
        for item in items.values():
            item.ihook.pytest_itemcollected(item=item)
        # What they leave out or reorder was the driver's to decide.
        session.config.hook.pytest_collection_modifyitems(
            session=session, config=session.config, items=list(items.values())
        )
        return items

    def _generated(self, trials: Sequence[Trial]) -> list[pytest.Function]:
        if trials[0].sweep.id not in self._sweeps:
            raise SweepError(f"{trials[0].sweep.id} is not there when the worker collects {', '.join(self._files)}")
        collector, name, function = self._sweeps[trials[0].sweep.id]
        self._wanted = trials
        try:
            made = collector.ihook.pytest_pycollect_makeitem(collector=collector, name=name, obj=function)
        finally:
            self._wanted = ()
        return list(made or ())

    def _chosen(self, calls: Sequence[Any]) -> list[Any]:
        """Return of all calls of the function those that are the wanted trials."""
        self._widths[self._wanted[0].sweep.id] = max(1, len(calls) // len(self._wanted))
        self._offered = [call.id for call in calls]
        by_label: dict[str, list[Any]] = {}
        for call in calls:
            by_label.setdefault(call.params[POINT].label, []).append(call)
        chosen = (self._matcher.choose(trial, by_label.get(trial.ident, ())) for trial in self._wanted)
        return [call for call in chosen if call is not None]
