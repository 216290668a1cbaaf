"""What each argument of ``@sweep`` may be, for itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from pytest_sweep.durations import parse_duration
from pytest_sweep.items.goals import are_conditions, are_metrics, are_modes
from pytest_sweep.items.searching import are_points


def names_of(value: Any) -> tuple[str, ...]:
    """Return the names that ``average_over=`` gives: a list of them, or a single one."""
    return () if value is None else (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))


def _are_names(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, str)
        or (isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value))
    )


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is_number(value: Any) -> bool:
    return type(value) is int and value >= 0


_DURATION = "a number of seconds or a text such as '10s' or '5m'"


def _is_duration(value: Any) -> bool:
    try:
        parse_duration(value)
    except ValueError:
        return False
    return True


def share_of(value: Any) -> int | Fraction | None:
    """Return how many failures ``tolerate=value`` allows: a count, or a share below 1; None where it makes no sense."""
    if type(value) is int and value >= 0:
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value) if isinstance(value, str) else None
    # Not a float, of which 0.29 * 100 is less than 29.
    share = None if match is None else Fraction(match[1]) / 100
    return share if share is None or share < 1 else None


CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "average_over": (_are_names, "a list of names such as ['fold']"),
    "metric": (are_metrics, "the name of a metric, or a list of names"),
    "mode": (are_modes, "'min' or 'max', or a list of these"),
    "feasible": (are_conditions, "a condition on metrics such as 'memory < 8e9', or a list of these"),
    "stop": (lambda value: value is None or isinstance(value, Mapping), "a dict such as {'loss': '< 0.1'}"),
    "num_samples": (_is_count, "a number of samples, 1 or more"),
    "repeats": (_is_count, "a number of repeats, 1 or more"),
    "seed": (lambda value: value is None or type(value) is int, "a whole number, or None for the run's seed"),
    "retries": (_is_number, "a number of retries, 0 or more"),
    "backoff": (_is_duration, _DURATION),
    "worker_retries": (_is_number, "a number of retries, 0 or more"),
    "timeout": (
        lambda value: value is None or (_is_duration(value) and parse_duration(value) > 0),
        f"{_DURATION} above 0, or None",
    ),
    "tolerate": (
        lambda value: share_of(value) is not None,
        "a number of trials such as 3, or a share of them such as '5%'",
    ),
    "fresh_process": (lambda value: value is None or isinstance(value, bool), "True, False or None"),
    "keep_checkpoints": (
        lambda value: value is None or _is_count(value),
        "a number of checkpoints, 1 or more, or None",
    ),
    "keep_best": (
        lambda value: value is None or isinstance(value, (bool, str)),
        "the name of a metric, True for the sweep's, or None",
    ),
    "points_to_evaluate": (are_points, "a list of dicts from key to value, such as [{'lr': 0.001}]"),
    "config_arg": (lambda value: isinstance(value, str) and value.isidentifier(), "the name of an argument"),
}
"""For each argument what it accepts, and how that reads after "is not"."""
