"""Conditions that leave combinations out before they become trials. Knows conditions and configurations, not how either came about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_sweep.errors import SpaceError
from pytest_sweep.space.copies import own_containers
from pytest_sweep.space.display import qualified, shown
from pytest_sweep.space.expressions import AbsentError, parse_condition, unknown_name
from pytest_sweep.space.nesting import flatten


@dataclass(frozen=True)
class Constraint:
    """One condition, with how errors call it and the names that it needs."""

    text: str
    names: frozenset[str]
    holds: Callable[[Mapping[str, Any]], bool]


def read_constraints(where: object) -> list[Constraint]:
    """Return the conditions of ``where=``: None, a text, a function of the configuration, or a list of these.

    The parts of a text that are joined by ``and`` are conditions of their own, so that an error can say which one left nothing.

    Raises:
        SpaceError: a text that is no condition, or what is neither text nor function.
    """
    if where is None:
        return []
    if isinstance(where, (list, tuple)):
        return [constraint for entry in where for constraint in read_constraints(entry)]
    if isinstance(where, str):
        return [
            Constraint(repr(clause.text), clause.names, clause.holds) for clause in parse_condition(where).clauses()
        ]
    if callable(where):
        return [_of_function(where)]
    raise SpaceError(
        f"where is a condition such as 'lr * batch < 1', or a function of the configuration, not {shown(where)}"
    )


def kept(configs: Sequence[Mapping[str, Any]], constraints: Sequence[Constraint]) -> list[int]:
    """Return the indexes of the configurations that meet all conditions; one that lacks a name that is looked at does not.

    Raises:
        SpaceError: none meets them, a condition fails, or it has a name that no configuration has.
    """
    if not constraints:
        return list(range(len(configs)))
    check_names(configs, constraints)
    removed = Counter({constraint.text: 0 for constraint in constraints})
    indexes = []
    for index, config in enumerate(configs):
        failed = next((constraint for constraint in constraints if not meets(config, constraint)), None)
        if failed is None:
            indexes.append(index)
        else:
            removed[failed.text] += 1
    if not indexes:
        told = ", ".join(f"{text} removed {count}" for text, count in removed.items() if count)
        raise SpaceError(
            f"where leaves nothing of {len(configs)} configurations: {told}. Loosen a condition, or widen an axis"
        )
    return indexes


def meets(config: Mapping[str, Any], constraint: Constraint) -> bool:
    """Say whether a configuration meets a condition; one that lacks a name that is looked at does not.

    Raises:
        SpaceError: the condition fails.
    """
    try:
        return constraint.holds(config)
    except AbsentError:
        return False


def _of_function(function: Any) -> Constraint:
    name = getattr(function, "__qualname__", None)
    text = f"the function {qualified(function, '.') if name else shown(function)}"

    def holds(config: Mapping[str, Any]) -> bool:
        try:
            return bool(function(own_containers(config)))
        except Exception as error:
            raise SpaceError(f"where: {text} failed for {shown(config)}: {type(error).__name__}: {error}") from error

    return Constraint(text, frozenset(), holds)


def check_names(configs: Sequence[Mapping[str, Any]], constraints: Iterable[Constraint]) -> None:
    """Raise SpaceError if a condition has a name that no configuration has."""
    wanted = {name: constraint for constraint in constraints for name in constraint.names}
    known: dict[str, None] = {}
    for config in configs if wanted else ():
        if not wanted.keys() - known.keys():
            return
        known |= dict.fromkeys(flatten(config))
        known |= dict.fromkeys(config)
    for name, constraint in wanted.items():
        if name not in known:
            raise SpaceError(f"where {constraint.text}: {unknown_name(name, known)}")
