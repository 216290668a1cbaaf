"""Trials that take no time: as a sweep, and as ordinary tests of pytest."""

from __future__ import annotations

import os
from typing import Any

import pytest

COUNT = int(os.environ["BENCH_COUNT"])
AS_SWEEP = "BENCH_AS_SWEEP" in os.environ

if AS_SWEEP:
    from pytest_sweep import sweep

    @sweep(grid={"number": range(COUNT)})
    def train_model(number: int) -> dict[str, Any]:
        """Return what a training would."""
        return {"score": number * 0.5, "name": f"model_{number}"}

else:

    @pytest.mark.parametrize("number", range(COUNT))
    def test_model(number: int) -> None:
        """Do the same."""
        assert {"score": number * 0.5, "name": f"model_{number}"}
