"""Dotted keys lead into nested dicts."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_sweep.space import without


@pytest.mark.parametrize(
    ("names", "left"),
    [
        (["seed"], {"model": {"lr": 1, "seed": 2}}),
        (["model.seed"], {"model": {"lr": 1}, "seed": 3}),
        (["model.seed", "model.lr"], {"seed": 3}),
        (["model"], {"seed": 3}),
        (["lr"], {"model": {"lr": 1, "seed": 2}, "seed": 3}),
    ],
)
def test_without(names: list[str], left: dict[str, Any]) -> None:
    """A name is the whole path of a value; a level that is left empty goes, too."""
    assert without({"model": {"lr": 1, "seed": 2}, "seed": 3}, names) == left
