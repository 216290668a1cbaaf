"""The cases, each a line of the table in docs/performance.md, and which of them the short form runs."""

from __future__ import annotations

from benchmarks.cases import counts, engine, idle, listing, reports, space, times
from benchmarks.model import Case

CASES: dict[str, Case] = {
    case.name: case for module in (counts, times, reports, idle, engine, space, listing) for case in module.CASES
}
SHORT: dict[str, Case] = {case.name: case for module in (counts, reports, idle, engine) for case in module.SHORT}
"""Few trials, no peer that has to be installed beside the tests, and a minute in all."""
