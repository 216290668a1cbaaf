"""Sends a run to an MLflow tracking server, by the client of mlflow-skinny. Loading it does not import MLflow."""

from __future__ import annotations

from pytest_sweep.trackers.mlflow.tracker import MLflowTracker

__all__ = ["MLflowTracker"]
