"""What ``show`` says of one trial: all that is known of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_sweep.cli.output import Output
from pytest_sweep.cli.times import time_text
from pytest_sweep.cli.trial_rows import OF_FRAME, OWN, TrialView
from pytest_sweep.reporting.table import Cells
from pytest_sweep.reporting.text import cell_text
from pytest_sweep.store import RunReader, RunScan, StoredAttempt

_LONG = ("error",)
_TIMES = ("started", "finished")


def trial_lines(output: Output, scan: RunScan, view: TrialView, *, log: bool) -> None:
    """Write what is known of a trial.

    Args:
        output: where to.
        scan: reads its run.
        view: the trial.
        log: whether what it has printed is written, too.
    """
    row = view.row
    output.lines(_facts(view))
    output.line(f"run: {scan.folder.name}")
    for title, values in (
        ("Configuration", view.parameters),
        ("Metrics", {name: view.value(name) for name in view.metric_columns}),
    ):
        if values:
            output.line()
            output.line(title, "bold")
            for name, value in values.items():
                output.line(f"  {name}: {cell_text(value) if not isinstance(value, float) else repr(value)}")
    attempts = RunReader(scan.folder).attempts(row.key)
    if len(attempts) > 1:
        output.line()
        output.line("Attempts", "bold")
        output.table(_attempt_cells(attempts))
    if row.error:
        output.line()
        output.line("Error", "bold")
        output.block(row.error)
    if log:
        for attempt in attempts:
            output.line()
            output.line(f"Output of attempt {attempt.number}", "bold")
            output.block(attempt.output or "(nothing was captured)")


def _facts(view: TrialView) -> Iterator[str]:
    for name in ("name", *(name for name in (*OF_FRAME, *OWN) if name not in ("name", *_LONG))):
        value = view.value(name) if name in OF_FRAME else OWN[name](view)
        if name == "checkpoint" and value is None:
            value = view.row.checkpoint and f"none any more; {view.row.checkpoint} was deleted"
        if value is not None:
            yield f"{name}: {time_text(value) if name in _TIMES else cell_text(value)}"


def trial_document(scan: RunScan, view: TrialView) -> dict[str, Any]:
    """Return what is known of a trial, for JSON: the trial, its attempts and its history."""
    reader = RunReader(scan.folder)
    return {
        "trial": view.as_json(),
        "attempts": [_attempt(attempt) for attempt in reader.attempts(view.row.key)],
        "history": iter(reader.history(view.row.key)),
    }


def _attempt(attempt: StoredAttempt) -> dict[str, Any]:
    names = ("number", "state", "location", "started", "finished", "duration", "error", "output")
    return {name: getattr(attempt, name) for name in names}


def _attempt_cells(attempts: list[StoredAttempt]) -> list[Cells]:
    return [
        Cells("attempt", [attempt.number for attempt in attempts], 100),
        Cells("state", [attempt.state for attempt in attempts], 90),
        Cells("duration", [attempt.duration for attempt in attempts], 80),
        Cells("started", [time_text(attempt.started) for attempt in attempts], 60),
        Cells("location", [attempt.location for attempt in attempts], 50),
        Cells("error", [attempt.error and attempt.error.rstrip().rpartition("\n")[2] for attempt in attempts], 40),
    ]
