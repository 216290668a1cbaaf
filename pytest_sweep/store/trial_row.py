"""One row of the table of trials, as sqlite3 returns it: each value is decoded when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_sweep.errors import StoreError
from pytest_sweep.model import TrialState
from pytest_sweep.model.exact_json import TYPE, from_json
from pytest_sweep.store.records import KILLED, is_open, left_open_as

COLUMNS = (
    "ordinal, key, sweep_id, node_id, name, seed, folder, replicate, group_key, state, attempts, error, reason, location, "
    "started, finished, duration, checkpoint, taken_from, configuration, point_key, config, params, metrics"
)
"""The columns that a `TrialRow` is made of."""

OPEN = frozenset(filter(is_open, TrialState))
"""The states of trials that go on, or will, as long as their driver lives."""

_NOT_PLAIN = f'"{TYPE}"'
_STATES = {state.value: state for state in TrialState}


class TrialRow:
    """A row of the table of trials. `config`, `params` and `metrics` are decoded at their first use; else as in `StoredTrial`."""

    def __init__(self, row: tuple[Any, ...], folder: Path, goes_on: bool) -> None:
        (
            self.ordinal, self.key, self.sweep_id, self.node_id, self.name, self.seed, self.folder, self.replicate, self.group_key,
            word, self.attempts, self.error, self.reason, self.location, self.started, self.finished, self.duration, checkpoint,
            self.taken_from, configuration, point_key, self._config, self._params, self._metrics,
        ) = row  # fmt: skip
        self.state = state_of(word)
        self.configuration: str | None = configuration
        self.point_key: str | None = point_key
        self.last_report: dict[str, Any] | None = None
        self.checkpoint: str | None = None
        if checkpoint is not None:
            self.checkpoint = checkpoint if "://" in checkpoint else str(folder / checkpoint)
        if self.state in OPEN and not goes_on:
            self.state, self.reason = left_open_as(self.attempts), KILLED

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration, in its stored form."""
        return decoded(self._config, json.loads) or {}

    @cached_property
    def params(self) -> dict[str, Any]:
        """The values of stacked marks and fixtures, in their stored form."""
        return decoded(self._params, json.loads) or {}

    @cached_property
    def metrics(self) -> dict[str, Any] | None:
        """The final metrics; of a trial that was cut off, its last report."""
        found = decoded(self._metrics, from_json)
        return self.last_report if found is None else found

    @property
    def is_plain(self) -> bool:
        """Whether configuration and values hold only what JSON has, so that their stored form is what they were."""
        return not any(text and _NOT_PLAIN in text for text in (self._config, self._params))

    @property
    def is_bare(self) -> bool:
        """Whether it was cut off before it had final metrics."""
        return self.state is TrialState.INTERRUPTED and self._metrics is None


def state_of(word: str) -> TrialState:
    """Return the state of this word; StoreError if it is none."""
    try:
        return _STATES[word]
    except KeyError:
        raise StoreError(
            f"a results database has a trial in the state {word!r}, which this version does not know"
        ) from None


def decoded(text: Any, decode: Callable[[str], Any]) -> Any:
    """Return what a text stands for, None for None; StoreError if it is no JSON."""
    try:
        return None if text is None else decode(text)
    except (ValueError, TypeError) as error:
        raise StoreError(f"a results database holds what is no JSON: {error}") from error
