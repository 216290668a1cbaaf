"""Frozen records that cross the borders between rooms. Knows neither pytest nor Ray, and does nothing."""

from __future__ import annotations

from pytest_sweep.model.resources import Resources
from pytest_sweep.model.stop import StopRule
from pytest_sweep.model.trials import Run, Sweep, Task, Trial, TrialState

__all__ = ["Resources", "Run", "StopRule", "Sweep", "Task", "Trial", "TrialState"]
