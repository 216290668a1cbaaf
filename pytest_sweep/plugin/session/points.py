"""Which configurations of searched sweeps earlier runs have tried: with ``--sweep-cache`` they are taken when a searcher chooses them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pytest_sweep.errors import StoreError
from pytest_sweep.model import Trial
from pytest_sweep.plugin.session.comparing import OtherCode
from pytest_sweep.plugin.session.plan import Plan
from pytest_sweep.store import newest_runs, tried_points, who_runs


def take_points(plan: Plan, slots: Sequence[Trial], results_dir: Path) -> None:
    """Take note of the configurations that today's code has tried in any run, the newest result of each.

    Seeds are not compared: that of a slot is known before its configuration.

    Args:
        plan: takes them, and what is to be said of them.
        slots: the slots that have no configuration yet.
        results_dir: the folder for results.
    """
    sweeps = {slot.sweep.id: slot.sweep.name for slot in slots}
    if not sweeps:
        return
    told, counts = OtherCode(plan.sources), Counter[str]()
    for folder in newest_runs(results_dir):
        try:
            if who_runs(folder) is not None:
                continue
            tried = tried_points(folder, sweeps)
        except StoreError as error:
            plan.warnings.append(f"cache: passed over: {error}")
            continue
        for sweep, point in tried:
            if point.point not in plan.known_points and not told.changes(sweep, point.outcome):
                plan.known_points[point.point] = point
                counts[sweep] += 1
    for sweep, name, search in dict.fromkeys((slot.sweep.id, slot.sweep.name, slot.sweep.search) for slot in slots):
        what, its = ("1 configuration", "it") if counts[sweep] == 1 else (f"{counts[sweep]} configurations", "them")
        verb = "is" if counts[sweep] == 1 else "are"
        plan.notes.append(f"cache: {what} of {name} {verb} known of earlier runs, and taken if {search} chooses {its}")
