"""What a sweep's trials are judged by, as it is written: metrics, modes, and the conditions that the best must meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.model.study import Objective
from pytest_sweep.space import Feasibility

_HOW = "give mode='min' if lower values are better, or mode='max' if higher ones are"


def objectives_of(arguments: Mapping[str, Any]) -> tuple[Objective, ...]:
    """Return what the arguments of a sweep, which have no problems, name as its metrics: one, several or none."""
    metrics = _names(arguments.get("metric"))
    modes = _names(arguments.get("mode")) or ("max",)
    return tuple(Objective(metric, mode) for metric, mode in zip(metrics, modes, strict=False))


def conditions_of(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the conditions that ``feasible=`` gives: one or a list of them."""
    return _names(arguments.get("feasible"))


def goal_problems(arguments: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with ``metric``, ``mode``, ``keep_best`` and ``feasible`` together: no mode is meant by silence, as in Tune."""
    if isinstance(arguments.get("metric"), (list, tuple)):
        return [*_several_problems(arguments["metric"], arguments.get("mode")), *_feasible_problems(arguments)]
    metric, mode, keep_best = (arguments.get(name) for name in ("metric", "mode", "keep_best"))
    problems = []
    named = next((name for name in ("metric", "keep_best") if isinstance(arguments.get(name), str)), None)
    if isinstance(mode, (list, tuple)):
        problems.append(
            f"mode={mode!r} is a list, and metric={metric!r} is none: give a mode for each metric of a list"
        )
    elif named is not None and mode is None:
        problems.append(f"{named}={arguments[named]!r} needs mode=: {_HOW}")
    elif mode is not None and metric is None and keep_best is None:
        problems.append(
            f"mode={mode!r} says which value of a metric is best, and there is no metric: give metric=, or leave out mode="
        )
    if keep_best is True and metric is None:
        problems.append(
            "keep_best=True means the sweep's metric, and it has none: give metric=, or name one in keep_best="
        )
    return [*problems, *_feasible_problems(arguments)]


def are_metrics(value: Any) -> bool:
    """Say whether `value` can be ``metric=``: a name, or a list of names that differ."""
    return value is None or isinstance(value, str) or _are_names(value)


def are_modes(value: Any) -> bool:
    """Say whether `value` can be ``mode=``: ``"min"`` or ``"max"``, or a list of these."""
    several = isinstance(value, (list, tuple)) and bool(value)
    return all(mode in ("min", "max") for mode in value) if several else value in (None, "min", "max")


def are_conditions(value: Any) -> bool:
    """Say whether `value` can be ``feasible=``: a text, or a list of texts."""
    return value is None or isinstance(value, str) or _are_names(value)


def _several_problems(metrics: Sequence[Any], modes: Any) -> list[str]:
    if not _are_names(metrics):
        return []  # That it is no list of names is said elsewhere.
    if len(set(metrics)) < len(metrics):
        return [f"metric={list(metrics)!r} has a metric twice: name each once"]
    if not isinstance(modes, (list, tuple)) or len(modes) != len(metrics):
        example = ["min"] * len(metrics)
        return [
            f"metric={list(metrics)!r} needs a mode for each: give mode={example!r}, with 'max' where higher is better"
        ]
    return []


def _feasible_problems(arguments: Mapping[str, Any]) -> list[str]:
    given = arguments.get("feasible")
    if given is None or not are_conditions(given):
        return []
    if arguments.get("metric") is None:
        return [
            f"feasible={given!r} says which trials can be the best, and there is no metric: give metric= and mode=, or leave it out"
        ]
    try:
        Feasibility(_names(given))
    except SpaceError as error:
        return [f"feasible={given!r}: {error}"]
    return []


def _are_names(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(name, str) for name in value)


def _names(value: Any) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)
