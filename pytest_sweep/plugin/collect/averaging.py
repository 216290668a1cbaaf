"""What a sweep averages over: which of its trials are replicates of one configuration, and how that is called."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pytest_sweep.errors import DefinitionError, SpaceError
from pytest_sweep.items import private
from pytest_sweep.items.parametrization import point_of
from pytest_sweep.model.trials import Trial
from pytest_sweep.space import digest, flatten, label_of, trial_key, value_text, without


@dataclass(frozen=True)
class Averaged:
    """A trial of a sweep that averages over something.

    Attributes:
        item: its item.
        trial: its record.
        others: the values of stacked ``parametrize`` and parametrized fixtures.
    """

    item: pytest.Function
    trial: Trial
    others: Mapping[str, Any]


def check_names(over: Sequence[str], keys: Sequence[str], others: Sequence[str]) -> None:
    """Check that each of the names that a sweep averages over is one of its parameters.

    Args:
        over: the names.
        keys: the dotted keys of the space.
        others: the names of stacked ``parametrize`` arguments and parametrized fixtures.

    Raises:
        DefinitionError: one is not; the text lists what there is.
    """
    known = [*others, *keys]
    # A key that leads to a nested dict stands for all that is in it.
    levels = {key.rsplit(".", depth)[0] for key in keys for depth in range(1, key.count(".") + 1)}
    for name in over:
        if name not in known and name not in levels:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise DefinitionError(
                f"average_over={name!r} is neither an argument of a stacked parametrize, nor a parametrized fixture, nor a key of the "
                f"space: {hint}There are {', '.join(map(repr, known)) or 'none'}"
            )


def grouped(averaged: Sequence[Averaged]) -> list[Trial]:
    """Return the trials of a sweep with `Trial.group` and `Trial.configuration`, which those that it averages over share."""
    over = averaged[0].trial.sweep.average_over if averaged else ()
    labels = _labels(averaged, over)
    idents = [private.id_parts(one.item) for one in averaged]
    places: dict[str, dict[int, int]] = {}
    groups = [_group(one, over, places) for one in averaged]
    # What tells the trials of a configuration apart in their names is what is averaged over.
    seen: dict[tuple[str, int], set[str]] = {}
    for group, parts in zip(groups, idents, strict=True):
        for index, part in enumerate(parts):
            seen.setdefault((group, index), set()).add(part)
    differs = {index for (_, index), found in seen.items() if len(found) > 1}
    names: dict[str, tuple[Averaged, str, list[str]]] = {}
    for one, group, label, parts in zip(averaged, groups, labels, idents, strict=True):
        kept = [part for index, part in enumerate(parts) if index not in differs and part != one.trial.label]
        names.setdefault(group, (one, label, kept))
    shown = _names(names, over)
    return [
        replace(one.trial, group=group, configuration=shown[group]) for one, group in zip(averaged, groups, strict=True)
    ]


def _labels(averaged: Sequence[Averaged], over: Sequence[str]) -> list[str]:
    """Return how the configuration of each trial reads, without what is averaged over in the space."""
    labels = []
    for one in averaged:
        config, trial = point_of(one.item).config, one.trial
        left = without(config, over)
        if flatten(left) != flatten(config):
            labels.append(label_of(left))
        else:
            labels.append(trial.label.removesuffix(f"#{trial.replicate + 1}") if trial.replicate else trial.label)
    return labels


def _group(one: Averaged, over: Sequence[str], places: dict[str, dict[int, int]]) -> str:
    identity = point_of(one.item).identity
    left = without(identity, over) if isinstance(identity, Mapping) else identity
    others = {
        name: _identity(value, places.setdefault(name, {})) for name, value in one.others.items() if name not in over
    }
    return trial_key(one.trial.sweep.id, left, others, 0)


def _identity(value: Any, places: dict[int, int]) -> Any:
    """Return what tells `value` from others, in every run; `places` are those of the values seen so far, by their `id`."""
    try:
        digest(value)
    except SpaceError:  # It has no content to tell it by: then its place among the values does.
        return {"place": places.setdefault(id(value), len(places))}
    return value


def _names(names: Mapping[str, tuple[Averaged, str, list[str]]], over: Sequence[str]) -> dict[str, str]:
    found = {
        group: f"{one.trial.sweep.name}[{'-'.join([label, *kept])}]" for group, (one, label, kept) in names.items()
    }
    times = Counter(found.values())
    for group, (one, label, _) in names.items():
        if times[found[group]] > 1:
            # One id stood for several arguments, of which only some are averaged over.
            others = [f"{name}={value_text(value)}" for name, value in one.others.items() if name not in over]
            found[group] = f"{one.trial.sweep.name}[{'-'.join([label, *others])}]"
    return found
