"""What to try: grids, lists of configurations, their labels and keys. Pure: knows neither pytest, nor Ray, nor any file."""

from __future__ import annotations

from pytest_sweep.space.canonical import canonical, identity_text
from pytest_sweep.space.display import displayable
from pytest_sweep.space.grid import expand_configs, expand_grid
from pytest_sweep.space.identity import digest, trial_key, trial_seed
from pytest_sweep.space.nesting import flatten
from pytest_sweep.space.points import Choice, Expansion, Point

__all__ = [
    "Choice",
    "Expansion",
    "Point",
    "canonical",
    "digest",
    "displayable",
    "expand_configs",
    "expand_grid",
    "flatten",
    "identity_text",
    "trial_key",
    "trial_seed",
]
