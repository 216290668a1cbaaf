"""What to try: grids, domains, lists of configurations, their labels and keys. Pure: knows neither pytest, nor Ray, nor any file."""

from __future__ import annotations

from pytest_sweep.space.canonical import canonical, identity_text
from pytest_sweep.space.composition import Grid, Space, Zip, as_space, grid, zip_
from pytest_sweep.space.copies import own_containers, own_copy
from pytest_sweep.space.display import displayable
from pytest_sweep.space.domains import Categorical
from pytest_sweep.space.expansion import MAX_POINTS, OTHER_ARGUMENTS, expand
from pytest_sweep.space.expressions import AbsentError, Condition, parse_condition, unknown_name
from pytest_sweep.space.feasibility import Feasibility, feasibility
from pytest_sweep.space.identity import digest, trial_key, trial_seed
from pytest_sweep.space.listing import Listed
from pytest_sweep.space.naming import escaped, label_of, printable, value_text
from pytest_sweep.space.nesting import flat_items, flatten, without
from pytest_sweep.space.overrides import Override, axis_keys, parse_override
from pytest_sweep.space.points import NOT_CHOSEN, Choice, Expansion, Point
from pytest_sweep.space.restoring import restored
from pytest_sweep.space.searched import searched_axes
from pytest_sweep.space.storing import stored
from pytest_sweep.space.unrestored import Unrestored

__all__ = [
    "MAX_POINTS",
    "NOT_CHOSEN",
    "OTHER_ARGUMENTS",
    "AbsentError",
    "Categorical",
    "Choice",
    "Condition",
    "Expansion",
    "Feasibility",
    "Grid",
    "Listed",
    "Override",
    "Point",
    "Space",
    "Unrestored",
    "Zip",
    "as_space",
    "axis_keys",
    "canonical",
    "digest",
    "displayable",
    "escaped",
    "expand",
    "feasibility",
    "flat_items",
    "flatten",
    "grid",
    "identity_text",
    "label_of",
    "own_containers",
    "own_copy",
    "parse_condition",
    "parse_override",
    "printable",
    "restored",
    "searched_axes",
    "stored",
    "trial_key",
    "trial_seed",
    "unknown_name",
    "value_text",
    "without",
    "zip_",
]
