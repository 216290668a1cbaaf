"""Checks of what users write at ``search=`` and ``scheduler=``: each is a sentence that names the call, the argument and the value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pytest_sweep.errors import DefinitionError
from pytest_sweep.model.spread import is_number, judged_float
from pytest_sweep.space.display import shown


def check_count(call: str, name: str, value: Any, least: int = 1) -> None:
    """Raise DefinitionError if `value` is no whole number of at least `least`."""
    if type(value) is not int or value < least:
        raise DefinitionError(f"{call}: {name}={shown(value)} is not a whole number, {least} or more")


def check_optional_count(call: str, name: str, value: Any) -> None:
    """Raise DefinitionError if `value` is neither None nor a whole number of at least 1."""
    if value is not None:
        check_count(call, name, value)


def check_number(call: str, name: str, value: Any, low: float, high: float = math.inf, *, above: bool = False) -> None:
    """Raise DefinitionError if `value` is no finite number from `low` to `high`, or above `low`."""
    if (
        not (is_number(value) and math.isfinite(judged_float(value)))
        or not (low < value if above else low <= value)
        or value > high
    ):
        wanted = f"{'above' if above else 'of at least'} {low:g}" + (
            "" if high == math.inf else f" and at most {high:g}"
        )
        raise DefinitionError(f"{call}: {name}={shown(value)} is not a number {wanted}")


def check_one_of(call: str, name: str, value: Any, known: Sequence[Any]) -> None:
    """Raise DefinitionError if `value` is none of those that are `known`."""
    if not any(type(value) is type(one) and value == one for one in known):
        raise DefinitionError(f"{call}: {name}={shown(value)} is none of {', '.join(map(repr, known))}")


def check_flag(call: str, name: str, value: Any) -> None:
    """Raise DefinitionError if `value` is neither True nor False."""
    if not isinstance(value, bool):
        raise DefinitionError(f"{call}: {name}={shown(value)} is neither True nor False")


def check_time_attr(call: str, value: Any) -> None:
    """Raise DefinitionError if `value` is not ``"training_iteration"``: seconds would not repeat, nor compare after a pause."""
    if value != "training_iteration":
        raise DefinitionError(
            f"{call}: time_attr={shown(value)} is not 'training_iteration', the number of reports: with seconds the same trials would be "
            "judged differently in each run. Leave time_attr= out, and give the other numbers in iterations"
        )
