"""What counts as a metric, and how it becomes plain data. Knows of numpy and torch only by the shape of their scalars."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from pytest_sweep.errors import MetricsError
from pytest_sweep.model.exact_json import MOST_DEPTH, is_too_deep
from pytest_sweep.model.integers import digits

__tracebackhide__ = True  # What a user reported or asked wrongly is shown at the line that did so.

AUTO_METRICS = ("training_iteration", "time_total_s", "time_this_iter_s", "timestamp")
"""The metrics that every report has besides its own; the names are Ray Tune's."""

METRIC_PREFIX = "metrics/"
"""What the name of a metric gets in tables where it would collide with another name."""

_TOO_DEEP = f"lists and dicts in metrics may be nested {MOST_DEPTH} levels deep: report numbers, and save the rest as a checkpoint"

MOST_VALUES = 1000
"""How many values an array may have that is reported as a metric."""


def plain_metrics(metrics: object) -> dict[str, Any]:
    """Return `metrics` as plain Python data that JSON can hold.

    A metric is a number, a string, a boolean, None, or a list or dict of them. Scalars of numpy, zero-dimensional arrays
    and tensors (anything with ``item()`` and an empty ``shape``) become the Python number they hold; NaN and infinities are kept.
    Arrays and tensors of up to 1000 values (anything with ``tolist()`` and a ``shape``) become lists.

    Raises:
        MetricsError: `metrics` is not a dict with string keys, a value is none of these, or a larger array, or lists and dicts are nested
            more than 200 levels deep, which could not be read again.
    """
    if not isinstance(metrics, Mapping):
        raise MetricsError(f"metrics are a dict such as {{'loss': 0.1}}, not {_shown(metrics)}")
    try:
        plain = _plain_dict(metrics, "")
    except RecursionError:
        raise MetricsError(_TOO_DEEP) from None
    for name, value in plain.items():
        if type(value) in (dict, list) and is_too_deep([value]):
            raise MetricsError(f"metric {name!r}: {_TOO_DEEP}")
    return plain


def metric_value(metrics: Mapping[str, Any] | None, name: str) -> Any:
    """Return the metric `name`, or None. As in Ray Tune, slashes lead into nested dicts: ``"val/loss"``."""
    value: Any = metrics
    if isinstance(value, Mapping) and name in value:
        return value[name]
    for part in name.split("/"):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested dicts as one, their keys joined by slashes, as Tune does in its data frames.

    An empty dict stays, and so does one with other keys than strings, two of which might read the same.
    ``{"a/b": 1, "a": {"b": 2}}`` keeps both: the value in the outer dict has the plain name, the other one gets a prefix: that of all
    names again, or ``metrics/``.
    """
    pairs = list(_flat_pairs(values, prefix))
    flat = {name: value for name, value, _ in pairs}
    if len(flat) == len(pairs):
        return flat
    flat = {}
    for name, value, _ in sorted(pairs, key=lambda pair: pair[2]):
        flat[free_name(name, flat, prefix or METRIC_PREFIX)] = value
    return flat


def free_name(name: str, taken: Container[str], prefix: str) -> str:
    """Return `name`, with `prefix` before it as often as needed so that it is none of the names that are `taken`."""
    while name in taken:
        name = f"{prefix}{name}"
    return name


def metric_columns(taken: AbstractSet[str], names: Iterable[str]) -> dict[str, str]:
    """Return the column of each metric: its name, with ``metrics/`` before it where another column is called like that.

    Other metrics keep their names, also one that is called metrics/state.

    Args:
        taken: the names of the columns that hold no metrics.
        names: the names of all metrics, in order.
    """
    columns = {name: name for name in names}
    if not taken.isdisjoint(columns):
        others = taken | columns.keys()
        for name in taken & columns.keys():
            columns[name] = free_name(name, others, METRIC_PREFIX)
            others.add(columns[name])
    return columns


def _flat_pairs(values: Mapping[str, Any], prefix: str, level: int = 0) -> Iterator[tuple[str, Any, int]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value and all(isinstance(inner, str) for inner in value):
            yield from _flat_pairs(value, f"{prefix}{key}/", level + 1)
        else:
            yield f"{prefix}{key}", value, level


def check_iteration(metrics: Mapping[str, Any] | None) -> None:
    """Raise MetricsError if ``training_iteration`` among returned metrics is no count of iterations."""
    count = (metrics or {}).get("training_iteration", 1)
    if type(count) is not int or not 0 <= count < 2**63:
        raise MetricsError(
            f"'training_iteration' is {_shown(count)}, but it counts the reports, and is a whole number below 2**63: return yours under "
            "another name"
        )


def plain_scalar(value: object) -> object:
    """Return the Python scalar that a numpy scalar, a zero-dimensional array or a tensor holds; else `value` itself."""
    if getattr(value, "shape", None) == () and callable(item := getattr(value, "item", None)):
        return item()
    return value


def _plain_dict(metrics: Mapping[Any, object], prefix: str) -> dict[str, Any]:
    plain = {}
    for key, value in metrics.items():
        if not isinstance(key, str):
            raise MetricsError(f"the name of a metric is a string, not {_shown(key)}")
        plain[str.__str__(key)] = _plain_value(value, f"{prefix}{key}")
    return plain


def _plain_value(value: object, name: str) -> Any:
    value = plain_scalar(value)
    if value is None:
        return None
    if isinstance(value, (str, int, float)):
        return _plain_scalar(value)
    if isinstance(value, Mapping):
        return _plain_dict(value, f"{name}.")
    if isinstance(value, (list, tuple)):
        return [_plain_value(part, f"{name}[{index}]") for index, part in enumerate(value)]
    if getattr(value, "shape", None) == () and getattr(getattr(value, "dtype", None), "kind", "") == "f":
        number: Any = value
        return float(number)  # numpy's longdouble is its own item: Python has no number like it.
    if (
        (shape := getattr(value, "shape", None))
        and isinstance(shape, tuple)
        and callable(tolist := getattr(value, "tolist", None))
    ):
        return _plain_value(_listed(tolist, shape, name), name)
    raise MetricsError(
        f"metric {name!r} is {_shown(value)}: report numbers, strings, booleans, None, or lists and dicts of them"
    )


def _plain_scalar(value: str | float) -> str | int | float:
    # A subclass (numpy.float64, an IntEnum) prints and pickles as itself: what is stored must be the plain type.
    if isinstance(value, str):
        return str.__str__(value)  # Not str(value), which is the name of an enumeration's member.
    for kind in (bool, float):
        if isinstance(value, kind):
            return kind(value)
    return int(value)


def _listed(tolist: Callable[[], object], shape: tuple[int, ...], name: str) -> object:
    count = math.prod(shape)
    if count > MOST_VALUES:
        raise MetricsError(
            f"metric {name!r} is an array of {count:,} values, shape {tuple(shape)}: report at most {MOST_VALUES:,}, such as its mean, and "
            f"save the array as a checkpoint: trial.report(metrics, checkpoint=path)"
        )
    return tolist()


def _shown(value: object) -> str:
    text = digits(value) if type(value) is int else repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
