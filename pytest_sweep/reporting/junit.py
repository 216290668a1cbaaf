"""What a trial leaves in a junit file, as the properties of its test case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_sweep.model import Trial, TrialState
from pytest_sweep.space import displayable, flatten


def junit_properties(
    trial: Trial, state: TrialState, metrics: Mapping[str, Any] | None, run_name: str
) -> list[tuple[str, str]]:
    """Return the properties of a trial's test case: names and values.

    Args:
        trial: the trial.
        state: what became of it.
        metrics: its final metrics; None where there are none.
        run_name: the name of the run, which ``load_results`` takes.

    Returns:
        ``sweep.run``, ``sweep.key``, ``sweep.state``, then ``config.<name>`` and ``metric.<name>`` with dotted names for what is
        nested. Numbers are written in full.
    """
    return [
        ("sweep.run", run_name),
        ("sweep.key", trial.key),
        ("sweep.state", state.value),
        *((f"config.{name}", str(displayable(value))) for name, value in flatten(trial.config).items()),
        *((f"metric.{name}", str(value)) for name, value in flatten(metrics or {}).items()),
    ]
