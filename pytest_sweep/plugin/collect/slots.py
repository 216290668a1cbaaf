"""What happens to the item of a slot when a configuration is chosen for it."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_sweep.items.parametrization import POINT, point_of
from pytest_sweep.model.search_events import Proposed
from pytest_sweep.plugin.collect.sweeps import TRIAL
from pytest_sweep.space import Point


def configure(item: pytest.Item, proposed: Proposed) -> None:
    """Give a slot's item the configuration that was chosen: its trial's record, its arguments, and the marks of the chosen values."""
    item.stash[TRIAL] = proposed.applied_to(item.stash[TRIAL])
    if not isinstance(item, pytest.Function):
        return
    params: dict[str, Any] = item.callspec.params
    before, config = point_of(item), dict(proposed.config)
    for name, value in params.items():
        if value is before.config:
            params[name] = config
        elif name in config and value is before.config.get(name):
            params[name] = config[name]
    params[POINT] = Point(config, before.label, proposed.marks, before.replicate, before.identity)
    for given in proposed.marks:
        mark: pytest.Mark = getattr(given, "mark", given)
        item.add_marker(getattr(pytest.mark, mark.name).with_args(*mark.args, **mark.kwargs))
