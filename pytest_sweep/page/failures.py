"""Why trials failed, each error once, with the trials that failed by it. Knows nothing of how it is shown."""

from __future__ import annotations

from typing import Any

from pytest_sweep.model import TrialState
from pytest_sweep.reporting.failures import reason_of
from pytest_sweep.store import TrialRow

MOST_GROUPS = 200
"""How many errors are told apart."""

_LONGEST = 8000
_OTHERS = "other errors"


class Failures:
    """Groups the failed trials of a sweep by the last line of their errors."""

    def __init__(self) -> None:
        self._groups: dict[str, tuple[str, list[int]]] = {}

    def add(self, place: int, row: TrialRow) -> None:
        """Add a trial if it failed; `place` is its place on the page."""
        if row.state is not TrialState.ERROR:
            return
        reason = reason_of(row.error)
        if reason not in self._groups and len(self._groups) >= MOST_GROUPS:
            reason = _OTHERS
        if reason not in self._groups:
            error = row.error or ""
            self._groups[reason] = (error if len(error) <= _LONGEST else f"...\n{error[-_LONGEST:]}", [])
        self._groups[reason][1].append(place)

    def document(self) -> list[dict[str, Any]]:
        """Return the groups for the page, the largest first, each with the whole error of its first trial."""
        ordered = sorted(self._groups.items(), key=lambda item: -len(item[1][1]))
        return [{"reason": reason, "text": text, "rows": rows} for reason, (text, rows) in ordered]
