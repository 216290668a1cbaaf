"""What a trial leaves in a junit file, as the properties of its test case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_sweep.model import Trial, TrialState
from pytest_sweep.space import displayable, flatten


def junit_properties(
    trial: Trial, state: TrialState, metrics: Mapping[str, Any] | None, run_name: str, failed: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Return the properties of a trial's test case: names and values.

    Args:
        trial: the trial.
        state: what became of it.
        metrics: its final metrics; None where there are none.
        run_name: the name of the run, which ``load_results`` takes.
        failed: the errors of the attempts before the last one, in order.

    Returns:
        ``sweep.run``, ``sweep.key``, ``sweep.state``; where it was tried again ``sweep.attempts``, their number, and ``attempt.1`` and so
        on with the errors of those that failed; then ``config.<name>`` and ``metric.<name>`` with dotted names for what is
        nested. Numbers are written in full.
    """
    return [
        ("sweep.run", run_name),
        ("sweep.key", trial.key),
        ("sweep.state", state.value),
        *([("sweep.attempts", str(len(failed) + 1))] if failed else []),
        *((f"attempt.{number}", error) for number, error in enumerate(failed, 1)),
        *((f"config.{name}", str(displayable(value))) for name, value in flatten(trial.config).items()),
        *((f"metric.{name}", str(displayable(value))) for name, value in flatten(metrics or {}).items()),
    ]
