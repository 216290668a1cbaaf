"""Selects among the collected trials by a condition on their values (``--sweep-where``). Ordinary tests are left alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from pytest_sweep.errors import SpaceError
from pytest_sweep.plugin.collect.searches import refuse_searched
from pytest_sweep.plugin.collect.sweeps import PARAMETERS, TRIAL
from pytest_sweep.space import AbsentError, Condition, flatten, unknown_name


class TrialSelection:
    """Deselects the trials that do not meet a condition; one that lacks a name that is looked at does not meet it.

    A condition's names are those of the configuration, and those of stacked ``parametrize``.

    Args:
        condition: the condition.
    """

    def __init__(self, condition: Condition) -> None:
        self._condition = condition

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep the trials that meet the condition.

        Raises:
            pytest.UsageError: no trial has one of the names, or values cannot be compared.
        """
        values = {id(item): _values(item) for item in items if TRIAL in item.stash}
        refuse_searched("--sweep-where", self._condition.text, self._condition.names, items)
        try:
            self._check_names(values.values())
            left_out = {item for item, its in values.items() if not self._meets(its)}
        except SpaceError as error:
            raise pytest.UsageError(f"--sweep-where: {error}") from error
        if left_out:
            config.hook.pytest_deselected(items=[item for item in items if id(item) in left_out])
            items[:] = [item for item in items if id(item) not in left_out]

    def _meets(self, values: Mapping[str, Any]) -> bool:
        try:
            return self._condition.holds(values)
        except AbsentError:
            return False

    def _check_names(self, values: Iterable[Mapping[str, Any]]) -> None:
        known: dict[str, None] = {}
        for its in values:
            if not self._condition.names - known.keys():
                return
            known |= dict.fromkeys(flatten(its)) | dict.fromkeys(its)
        for name in sorted(self._condition.names - known.keys()):
            if known:
                raise SpaceError(f"{self._condition.text!r}: {unknown_name(name, known)}")


def _values(item: pytest.Item) -> dict[str, Any]:
    parameters, config = item.stash[PARAMETERS], item.stash[TRIAL].config
    return {**parameters, **config}
