"""Trials, or all their reports, as flat rows for files, a few in memory at a time. Knows nothing of the formats of files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pytest_sweep.cli.trial_rows import OF_FRAME, OWN, TrialView
from pytest_sweep.model.metrics import flattened, free_name, metric_columns
from pytest_sweep.results.curves import completed
from pytest_sweep.space import displayable
from pytest_sweep.store import RunReader

_CHUNK = 100
"""How many trials' reports are in memory at once."""

_PLAIN = (str, bool, int, float, type(None))

Row = dict[str, Any]


class Rows:
    """The rows of a file: as `ResultGrid.get_dataframe` has them, with further columns behind.

    Args:
        views: returns the trials, in order; called several times.
        run: the name of the run.
        reports: the folder of the run, if there is a row for each report; None for one for each trial.
    """

    def __init__(self, views: Callable[[], Iterable[TrialView]], run: str, reports: Path | None = None) -> None:
        self._views, self._run = views, run
        self._reader = None if reports is None else RunReader(reports)
        parameters: dict[str, None] = {}
        metrics: dict[str, None] = {}
        for view, reported in self._reported():
            parameters |= dict.fromkeys(view.parameters)
            for one in reported:
                metrics |= dict.fromkeys(flattened(one))
        self._parameters = tuple(parameters)
        self._metrics = metric_columns({*OF_FRAME, *parameters}, metrics)
        framed = [*OF_FRAME, *self._metrics.values(), *parameters]
        self._own = {name: free_name(name, framed, "trial/") for name in (*OWN, "run")}
        self.columns = (*framed, *self._own.values())

    def __iter__(self) -> Iterator[Row]:
        """Iterate over the rows; each has all columns, None where it has no value."""
        for view, reported in self._reported():
            before = {name: value(view.row) for name, value in OF_FRAME.items()}
            after: Row = {name: _plain(view.parameters.get(name)) for name in self._parameters}
            after |= {column: OWN[name](view) for name, column in self._own.items() if name in OWN}
            after[self._own["run"]] = self._run
            for one in reported or [{}]:
                metrics = flattened(one)
                yield {**before, **{column: metrics.get(name) for name, column in self._metrics.items()}, **after}

    def _reported(self) -> Iterator[tuple[TrialView, Sequence[dict[str, Any]]]]:
        views = iter(self._views())
        if self._reader is None:
            yield from ((view, [view.row.metrics or {}]) for view in views)
            return
        while chunk := list(islice(views, _CHUNK)):
            found = self._reader.histories([view.row.key for view in chunk])
            for view in chunk:
                yield view, completed(found[view.row.key], view.row.metrics)


def _plain(value: Any) -> Any:
    return value if type(value) in _PLAIN else displayable(value)
