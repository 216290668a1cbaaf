"""What trials reported over time, flat or as it was. Knows nothing of what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_sweep.results.result import Result, histories


def reports_of(results: Sequence[Result]) -> list[list[dict[str, Any]]]:
    """Return the reports of each result in order, of which the last one is completed by the final metrics.

    Raises:
        StoreError: the database of a run cannot be read.
    """
    if not results:
        return []
    found = []
    for result, history in zip(results, histories(list(results)), strict=True):
        reports = list(history)
        final = result.metrics
        if final:
            # What the function returned completes its last report, unless it counted on from it.
            if reports and reports[-1].get("training_iteration") == final.get("training_iteration"):
                reports.pop()
            reports.append(final)
        found.append(reports)
    return found
