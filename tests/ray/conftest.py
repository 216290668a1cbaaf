"""Which tests on Ray are left out by tox."""

from __future__ import annotations

import pytest

OF_THE_DRIVER = frozenset({
    "test_failed_first", "test_last_failed", "test_new_first", "test_no_summary", "test_q", "test_ra", "test_retention", "test_stepwise",
    "test_tb",
})  # fmt: skip
"""Cells of docs/pytest.md that need sessions of their own, and of which the driver alone decides: they are held in processes each time."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what would cost a minute, and say on Ray what it says in processes."""
    for item in items:
        if isinstance(item, pytest.Function) and item.originalname in OF_THE_DRIVER and "OnRay" in item.nodeid:
            item.add_marker(pytest.mark.slow)
