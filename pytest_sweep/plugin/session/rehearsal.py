"""``--setup-only`` and ``--setup-plan``: shows the fixtures of trials, in this process. No trial runs, and nothing is stored."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

import pytest

from pytest_sweep import clock
from pytest_sweep.items.lifetimes import FixtureKeeper
from pytest_sweep.model import Run
from pytest_sweep.plugin.collect.sweeps import TRIAL
from pytest_sweep.plugin.session.ending import raise_if_ended
from pytest_sweep.plugin.session.tasks import TaskMaker
from pytest_sweep.worker.current import activated
from pytest_sweep.worker.trial import ActiveTrial


def rehearse(
    session: pytest.Session, items: Sequence[pytest.Item], following: pytest.Item | None, keeper: FixtureKeeper
) -> None:
    """Set up and tear down the fixtures of trials, as pytest does those of tests: it leaves out the call.

    Args:
        session: the session.
        items: the items of the trials.
        following: the item that comes after them, or None.
        keeper: keeps the fixtures of this session between items.

    Raises:
        pytest.Session.Interrupted, pytest.Session.Failed: as from pytest's own loop.
    """
    with tempfile.TemporaryDirectory(prefix="pytest-sweep-setup-") as scratch:
        run = Run("setup", scratch, seed=0, command="", started=clock.wall(), executor="inline")
        trials = [item.stash[TRIAL] for item in items]
        tasks = TaskMaker(run, trials, storage=None, keep_checkpoints=None, remembers=False)
        for item, nextitem in zip(items, [*items, following][1:], strict=True):
            keeper.enter(item)
            # Fixtures may ask for the trial; what they report of it is for nobody.
            with activated(ActiveTrial(tasks.make(item.stash[TRIAL].key, 1), lambda _: None)):
                item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            raise_if_ended(session)
