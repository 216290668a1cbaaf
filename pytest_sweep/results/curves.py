"""The metrics of a trial as plain data: its curve, completed by what its function returned, and copies. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_sweep.model.spread import is_nan


def completed(reports: list[dict[str, Any]], final: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the reports of a trial, the last one completed by what the function returned.

    What would replace a value that was reported is an entry of its own, as in Tune: neither value is lost.

    Args:
        reports: the reports, in order.
        final: the final metrics: the last report and what was returned, as one; None or empty if there are none.
    """
    if not final:
        return reports
    last = reports[-1] if reports else {}
    count = last.get("training_iteration")
    if not reports or final.get("training_iteration", count) != count or _replaces(final, last):
        return [*reports, dict(final)]
    return [*reports[:-1], {**last, **final}]


def plain_copy(value: Any) -> Any:
    """Return metrics, or a part of them, with dicts and lists of their own."""
    if isinstance(value, dict):
        return {name: plain_copy(part) for name, part in value.items()}
    return [plain_copy(part) for part in value] if isinstance(value, list) else value


def _replaces(final: Mapping[str, Any], last: Mapping[str, Any]) -> bool:
    """Return whether `final` has another value for a metric of `last`; NaN is no other value than NaN."""
    both = ((value, last[name]) for name, value in final.items() if name in last)
    return any(one != other and not (is_nan(one) and is_nan(other)) for one, other in both)
