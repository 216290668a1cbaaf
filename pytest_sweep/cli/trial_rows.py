"""Trials as rows: what tables, conditions and files show of them. The names of columns are those of `ResultGrid.get_dataframe`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from pytest_sweep.cli.marks import NO_MARKS, Marks
from pytest_sweep.cli.times import moment, time_text
from pytest_sweep.model.metrics import flattened, metric_columns, metric_value
from pytest_sweep.model.trials import name_without_replicate
from pytest_sweep.reporting.failures import reason_of
from pytest_sweep.space import displayable, restored
from pytest_sweep.store import TrialRow

_ABSENT = object()
_OWN_PREFIX = "trial/"
"""What a column of ours gets before its name where a metric has it."""

OF_FRAME: Mapping[str, Callable[[TrialRow], Any]] = {
    "trial_id": lambda row: row.node_id,
    "name": lambda row: row.name,
    "state": lambda row: row.state.value,
    "seed": lambda row: row.seed,
    "replicate": lambda row: row.replicate,
}
"""The columns that the data frame has before the metrics."""

OWN: Mapping[str, Callable[[TrialView], Any]] = {
    "sweep": lambda view: view.row.sweep_id,
    "key": lambda view: view.row.key,
    "group": lambda view: view.row.group_key,
    "configuration": lambda view: view.row.configuration or name_without_replicate(view.row.name, view.row.replicate),
    "attempts": lambda view: view.row.attempts,
    "started": lambda view: view.row.started,
    "finished": lambda view: view.row.finished,
    "duration": lambda view: view.row.duration,
    "location": lambda view: view.row.location,
    "reason": lambda view: view.row.reason,
    "error": lambda view: view.row.error,
    "checkpoint": lambda view: _present(view.row.checkpoint),
    "taken_from": lambda view: view.row.taken_from,
    "best": lambda view: view.marks.is_best(view.row.ordinal),
    "feasible": lambda view: view.marks.is_feasible(view.row.metrics),
}
"""The columns that come after those of the data frame: the attributes of `Result`, and what a trial is beside the others of its sweep."""

_JUNIT = {"sweep.key": "key", "sweep.state": "state", "sweep.attempts": "attempts"}
"""How a junit file calls them."""


class TrialView:
    """One trial.

    Attributes:
        row: what is stored of it.
        marks: what is known of the trials of its sweep together.
    """

    row: TrialRow
    marks: Marks

    def __init__(self, row: TrialRow, marks: Marks = NO_MARKS) -> None:
        self.row = row
        self.marks = marks

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration, its values as they were, as far as they can be restored here."""
        found = self.row.config if self.row.is_plain else restored(self.row.config)
        return found if isinstance(found, dict) else {}

    @cached_property
    def params(self) -> dict[str, Any]:
        """The values of stacked marks and fixtures, likewise."""
        found = self.row.params if self.row.is_plain else restored(self.row.params)
        return found if isinstance(found, dict) else {}

    @cached_property
    def metrics(self) -> Mapping[str, Any]:
        """The final metrics."""
        return self.row.metrics or {}

    @cached_property
    def metric_columns(self) -> dict[str, str]:
        """The names of the metrics by their columns; one that has the name of another column gets ``metrics/`` before it."""
        found = metric_columns({*OF_FRAME, *self.parameters}, flattened(self.metrics))
        return {column: name for name, column in found.items()}

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The values of the configuration and of stacked marks and fixtures, by the names of their columns."""
        return {**flattened(self.config, "config/"), **flattened(self.params, "params/")}

    def columns(self) -> Sequence[str]:
        """Return the names of its columns: those of the data frame, then the others."""
        return [*OF_FRAME, *self.metric_columns, *self.parameters, *map(self._own_name, OWN)]

    def value(self, column: str) -> Any:
        """Return the value of a column; None where it has none."""
        if column in OF_FRAME:
            return OF_FRAME[column](self.row)
        if column.startswith(("config/", "params/")) and column in self.parameters:
            return self.parameters[column]
        if (found := self._metric(column)) is not _ABSENT:
            return found
        own = OWN.get(column.removeprefix(_OWN_PREFIX))
        return None if own is None else own(self)

    def resolve(self, name: str) -> str | None:
        """Return the column that is meant by a name: ``lr`` is ``config/lr``, ``metric.loss`` is ``loss``."""
        if name in OF_FRAME or name in self.metric_columns or name in self.parameters:
            return name
        if name.removeprefix(_OWN_PREFIX) in OWN:
            return self._own_name(name.removeprefix(_OWN_PREFIX))
        if name in _JUNIT:
            return _JUNIT[name]
        slashed = name.replace(".", "/")
        for column in (slashed, f"config/{name}", f"config/{slashed}", f"params/{name}", f"params/{slashed}"):
            if column in self.metric_columns or column in self.parameters:
                return column
        metric = slashed.removeprefix("metric/").removeprefix("metrics/")
        return next((column for column, found in self.metric_columns.items() if found == metric), None)

    def get(self, name: str, default: Any) -> Any:
        """Return what a name stands for in a condition.

        A column first; then, as for ``--sweep-where``, a key of the configuration, or the argument of a stacked mark or a fixture; then
        ``config``, ``params`` and ``metric`` as a whole.
        """
        if (read := OF_FRAME.get(name)) is not None:
            return read(self.row)
        for values in (self.metrics, self.config, self.params):
            if name in values:
                return values[name]
        return self._seldom(name, default)

    def _seldom(self, name: str, default: Any) -> Any:
        if (own := OWN.get(name)) is not None:
            return moment(own(self)) if name in ("started", "finished") else own(self)
        if name in ("config", "params"):
            return self.config if name == "config" else self.params
        if name in ("metric", "metrics"):
            return self.metrics
        if name == "trial":
            return {own: value(self) for own, value in OWN.items()}
        column = _JUNIT.get(name, name if "/" in name else None)
        return default if column is None or self.resolve(column) != column else self.value(column)

    def as_json(self) -> dict[str, Any]:
        """Return it as a record of the JSON schema."""
        return {
            **{name: value(self.row) for name, value in OF_FRAME.items()},
            **{name: value(self) for name, value in OWN.items()},
            "metrics": None if self.row.metrics is None else self.row.metrics,
            "config": displayable(self.config),
            "params": displayable(self.params),
        }

    def _metric(self, column: str) -> Any:
        if column in self.metrics:
            return self.metrics[column]
        if (name := self.metric_columns.get(column)) is None:
            return _ABSENT
        found = metric_value(self.metrics, name)
        return flattened(self.metrics)[name] if found is None else found

    def _own_name(self, name: str) -> str:
        return f"{_OWN_PREFIX}{name}" if name in self.metric_columns else name


def _present(checkpoint: str | None) -> str | None:
    """Return the address of a checkpoint; None where it is a path of this machine that is not there any more, since it was pruned."""
    if checkpoint is None or "://" in checkpoint:
        return checkpoint
    return checkpoint if os.path.lexists(checkpoint) else None


def cell(view: TrialView, column: str) -> Any:
    """Return how the value of a column is shown in a table: of an error its last line, times as people read them."""
    value = view.value(column)
    own = column.removeprefix(_OWN_PREFIX)
    if column == "time_total_s" and isinstance(value, float) and value < 1:
        return round(value, 4)  # As in the tables of a session.
    if own not in OWN or column in view.metric_columns:
        return value
    if own in ("started", "finished"):
        return time_text(value)
    if own == "best":
        return "*" if value else None
    if own == "feasible":
        return None if value is None else "yes" if value else "no"
    return reason_of(value) if own == "error" and value is not None else value
