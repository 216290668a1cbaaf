"""A hundred trials of a sweep: pytest --sweep examples/quickstart."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_sweep import sweep


@sweep(grid={"model_id": [f"model_{i}" for i in range(100)]})
@pytest.mark.resources(cpu=1)
def train_model(config: dict[str, Any]) -> dict[str, Any]:
    """Stand in for a training: return what came out of it."""
    return {"score": config["model_id"], "other_data": len(config["model_id"])}
