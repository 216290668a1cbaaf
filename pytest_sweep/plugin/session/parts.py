"""Tells the items of a session apart: what is run when, and what was skipped for a reason that is gone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_sweep.items.private import is_skipped_by_marks
from pytest_sweep.plugin.collect.sweeps import TRIAL


def partition(items: Sequence[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item], list[pytest.Item]]:
    """Return ordinary tests, trials, and tests that use ``sweep_results``, each in the order of `items`."""
    ordinary, trials, judges = [], [], []
    for item in items:
        if TRIAL in item.stash:
            trials.append(item)
        elif "sweep_results" in getattr(item, "fixturenames", ()):
            judges.append(item)
        else:
            ordinary.append(item)
    return ordinary, trials, judges


def is_skipped_no_more(item: pytest.Item) -> bool:
    """Say of an item that was skipped whether that was by a condition which holds no more; not where it may have failed as expected."""
    has = {mark.name for mark in item.iter_markers()}
    return "skipif" in has and "xfail" not in has and not is_skipped_by_marks(item)
