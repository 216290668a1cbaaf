"""Gives slots the configurations again that searchers chose for them in the run that is resumed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from pytest_sweep.engine.study import Study
from pytest_sweep.errors import SweepError
from pytest_sweep.model.search_events import Decision, Proposed, TrialConfigured, TrialResumed
from pytest_sweep.plugin.collect.slots import configure
from pytest_sweep.plugin.collect.sweeps import TRIAL


def recall_slots(decisions: Iterable[Decision], studies: Sequence[Study], items: Sequence[pytest.Item]) -> list[str]:
    """Configure the items of slots as it was decided in an earlier run.

    Args:
        decisions: what was decided there, in order.
        studies: those of this session.
        items: the items of its trials.

    Returns:
        What is to be said of sweeps whose space has changed since, a line each.
    """
    known, by_key = {study.id: study for study in studies}, {item.stash[TRIAL].key: item for item in items}
    changed: dict[str, list[str]] = {}
    for decision in decisions:
        item = by_key.get(decision.key)
        if item is None:
            continue
        if isinstance(decision, TrialConfigured):
            proposed, is_same = _completed(decision.proposed, known.get(decision.study))
            configure(item, proposed)
            if not is_same:
                changed.setdefault(item.stash[TRIAL].sweep.name, []).append(item.name)
        elif isinstance(decision, TrialResumed) and decision.resumption.config is not None:
            trial = item.stash[TRIAL]
            configure(item, Proposed(decision.key, decision.resumption.config, trial.label, trial.point_key))
    return [_changed_line(sweep, names) for sweep, names in changed.items()]


def _completed(stored: Proposed, study: Study | None) -> tuple[Proposed, bool]:
    """Return a proposal with the values that the space has for it now, and whether that is what was run before."""
    made: Proposed | None = None
    if study is not None and study.complete is not None:
        try:
            made = study.complete(stored.key, stored.slot, stored.values, stored.refused)
        except SweepError:  # The space has not what was chosen then: what is stored of it is all there is.
            made = None
    if made is None or made.point_key != stored.point_key:
        return stored, study is None or study.complete is None
    return made, True


def _changed_line(sweep: str, names: Sequence[str]) -> str:
    few = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return (
        f"sweep: the space of {sweep} has changed since the run that is resumed: {few} keep the configurations that they had there. "
        "To search the new space, run without --sweep-resume"
    )
