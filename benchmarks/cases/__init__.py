"""The cases, each a line of the table in docs/performance.md, and which of them the short form runs."""

from __future__ import annotations

from benchmarks.cases import (
    asha,
    counts,
    engine,
    idle,
    listing,
    page,
    printing,
    reports,
    search,
    space,
    times,
    trackers,
    verdicts,
)
from benchmarks.model import Case

CASES: dict[str, Case] = {
    case.name: case
    for module in (
        counts,
        times,
        reports,
        printing,
        asha,
        verdicts,
        idle,
        engine,
        space,
        search,
        listing,
        page,
        trackers,
    )
    for case in module.CASES
}
SHORT: dict[str, Case] = {case.name: case for module in (counts, reports, idle, engine) for case in module.SHORT}
"""Few trials, no peer that has to be installed beside the tests, and a minute in all."""
