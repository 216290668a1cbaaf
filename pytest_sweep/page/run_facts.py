"""What ran, where, and how it ended: the head of the page, and who worked when. Reads no trials but their attempts."""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from typing_extensions import TypeIs

from pytest_sweep.cli.run_rows import RunRow
from pytest_sweep.cli.times import time_text
from pytest_sweep.reporting.text import duration_text
from pytest_sweep.store import RunScan

MOST_ATTEMPTS = 30_000
"""How many attempts the timeline has at the most; the longest ones are kept."""

_BEFORE = 1.0
"""How many seconds before the run an attempt may have begun; what began earlier was taken from another run."""


def run_document(row: RunRow, now: float) -> dict[str, Any]:
    """Return what is known of the run itself.

    Args:
        row: the run, as tables show it.
        now: the time, in seconds since the epoch.
    """
    its = row.row
    return {
        "name": row.folder.name,
        "status": row.status,
        "facts": [[name, text] for name, text in _facts(row) if text],
        "remark": row.remark,
        "versions": _versions(its.get("versions")),
        "started": row.started,
        "finished": its.get("finished"),
        "made": now,
        "made_text": time_text(now),
    }


def timeline_document(scan: RunScan, places: Mapping[int, tuple[int, int]], end: float) -> dict[str, Any]:
    """Return which worker ran which trial, and when.

    Args:
        scan: reads the run.
        places: the sweep and the row of each trial on the page, by its ordinal.
        end: until when attempts go on that have not ended, in seconds since the epoch.

    Returns:
        ``workers``, their names, and lists of one entry for each attempt: ``worker``, ``sweep``, ``row``, ``number``, ``begin`` and
        ``took`` (milliseconds, from the start of the run), ``state``; ``of`` is how many attempts there were.
    """
    began = float(scan.run["started"])
    found, count = [], 0
    for ordinal, number, state, location, started, finished in scan.attempts():
        if not _is_time(started) or started < began - _BEFORE or ordinal not in places:
            continue
        count += 1
        until = finished if _is_time(finished) else max(end, started)
        found.append((max(until - started, 0.0), started, ordinal, number, state, location or "unknown"))
        if len(found) >= 2 * MOST_ATTEMPTS:
            found = heapq.nlargest(MOST_ATTEMPTS, found)
    if len(found) > MOST_ATTEMPTS:
        found = heapq.nlargest(MOST_ATTEMPTS, found)
    found.sort(key=lambda one: one[1])
    workers: dict[str, int] = {}
    for *_, location in found:
        workers.setdefault(location, len(workers))
    states = list(dict.fromkeys(state for *_, state, _ in found))
    return {
        "workers": list(workers),
        "states": states,
        "worker": [workers[location] for *_, location in found],
        "sweep": [places[ordinal][0] for _, _, ordinal, *_ in found],
        "row": [places[ordinal][1] for _, _, ordinal, *_ in found],
        "number": [number for _, _, _, number, *_ in found],
        "begin": [round(1000 * (started - began)) for _, started, *_ in found],
        "took": [round(1000 * took) for took, *_ in found],
        "state": [states.index(state) for *_, state, _ in found],
        "of": count,
    }


def _facts(row: RunRow) -> Iterator[tuple[str, str]]:
    its = row.row
    took = row.duration
    yield "began", time_text(row.started) or ""
    yield "took", "" if took is None else duration_text(took, 1 if took < 60 else 0)
    yield "exit status", "" if its.get("exit_status") is None else str(its["exit_status"])
    yield "command", str(its.get("command") or "")
    yield "executor", str(its.get("executor") or "")
    yield "seed", str(row.value("seed"))
    commit = its.get("git_commit")
    yield "commit", "" if not commit else f"{commit[:12]}{' with changes' if its.get('git_dirty') else ''}"
    yield "resumed from", str(its.get("resumed_from") or "")
    yield "tags", ", ".join(row.tags)
    yield "driver", str(its.get("driver") or "")
    yield "folder", str(row.folder)


def _versions(text: object) -> dict[str, str]:
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return {}
    return {str(name): str(version) for name, version in found.items()} if isinstance(found, dict) else {}


def _is_time(value: object) -> TypeIs[float]:
    return isinstance(value, (int, float)) and math.isfinite(value)
