"""Finds, among what a worker's own collection makes of a sweep, the values that the driver has collected for a trial.

Both collect the same files, but a set, a folder's listing, a shuffled list or a number drawn at import may have another order or other
values in each process, while the names of the items are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cloudpickle

from pytest_sweep.errors import SweepError
from pytest_sweep.items import private
from pytest_sweep.items.values import Fingerprints
from pytest_sweep.model.parameters import Parameters, ParameterValue
from pytest_sweep.model.trials import Trial
from pytest_sweep.space.display import shown


class ValuesDifferError(SweepError):
    """The driver's value of a stacked ``parametrize`` is not there in this worker, and cannot be sent to it either.

    Attributes:
        summary: the values, in a sentence.
    """

    def __init__(self, trial: Trial, value: ParameterValue, own: object, problem: str) -> None:
        both = f"{value.shown} on the driver and {shown(own)} in a worker"
        self.summary = f"different values were collected for {trial.id}: {value.name!r} is {both}"
        super().__init__(
            f"{self.summary}. The driver's value cannot be sent, because {problem}. Parametrize with values that are the same in every "
            f"process: sort sets and folders, seed random numbers, or parametrize with plain values and make the objects in a fixture"
        )


class CallMatcher:
    """Chooses the parametrized calls of trials. Values of the worker's own are taken where they equal the driver's.

    So an object stays the one that its module knows by name, and a fixture of wider scope is not built again for a copy of its
    parameter. What is nowhere here is unpickled, once in this process.
    """

    def __init__(self) -> None:
        self._fingerprints = Fingerprints()
        self._unpacked: dict[tuple[str, bytes], Any] = {}

    def choose(self, trial: Trial, calls: Sequence[Any]) -> Any | None:
        """Return the call that is `trial`, with the driver's id and values; None where there is none.

        Args:
            trial: the trial.
            calls: what the worker makes of its configuration.

        Raises:
            ValuesDifferError: the worker has other values, and cannot get the driver's.
        """
        ident = trial.name[trial.name.index("[") + 1 : -1]
        named = next((call for call in calls if call.id == ident), None)
        wanted = trial.parameters
        # A worker that knows no such name, has other arguments, or none of the trial's calls at all: it collects other code.
        if wanted is None or not calls or any(value.name not in calls[0].params for value in wanted.values):
            return named
        best = max(calls, key=lambda call: self._rank(call, wanted, call is named, calls.index(call)))
        values = {value.name: self._value(trial, value, best, calls) for value in wanted.values}
        if named is not None and best is named and all(best.params[name] is value for name, value in values.items()):
            return named
        return private.changed_call(best, ident, values)

    def _rank(self, call: Any, wanted: Parameters, is_named: bool, position: int) -> tuple[int, bool, bool]:
        """Return how well a call fits: by how many of its values are the driver's, then by its id, then by its place."""
        same = sum(self._is_same(call.params[value.name], value) for value in wanted.values)
        return same, is_named, position == wanted.position

    def _is_same(self, own: object, value: ParameterValue) -> bool:
        return self._fingerprints.of(own)[0] == value.fingerprint

    def _value(self, trial: Trial, value: ParameterValue, best: Any, calls: Sequence[Any]) -> Any:
        """Return the driver's value: one of the worker's own that equals it, or a copy."""
        own = best.params[value.name]
        if self._is_same(own, value):
            return own
        for call in calls:
            if self._is_same(call.params[value.name], value):
                return call.params[value.name]
        if value.content is not None:
            return self._copy(trial, value, value.content, own)
        if not value.is_certain:
            return own  # Nothing says that it is another one: its place in the order is all there is to go by.
        raise ValuesDifferError(trial, value, own, value.problem)

    def _copy(self, trial: Trial, value: ParameterValue, content: bytes, own: object) -> Any:
        key = value.name, content
        if key not in self._unpacked:
            try:
                self._unpacked[key] = cloudpickle.loads(content)
            except Exception as error:  # Whatever a class of the user's raises.
                if not value.is_certain:
                    return own
                problem = f"it cannot be unpickled ({type(error).__name__}: {error})"
                raise ValuesDifferError(trial, value, own, problem) from error
        return self._unpacked[key]
