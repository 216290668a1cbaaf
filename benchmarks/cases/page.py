"""The report page: its size, when a browser has drawn it, and how long it takes to write."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from benchmarks.measuring import Sample
from benchmarks.model import Case, Contestant, Mark, figure
from benchmarks.page import stored
from benchmarks.synthetic import Kind

_MANY, _MORE, _MOST = "2,000 trials", "10,000 trials", "100,000 trials"


def _read(folder: Path, sample: Sample) -> Sample:
    return {**sample, **json.loads((folder / "page.json").read_text(encoding="utf-8"))}


def _page(name: str, kind: Kind) -> Contestant:
    return Contestant(name, ("-m", "benchmarks.page"), finish=_read, beside=partial(stored, kind))


CASES = (
    Case(
        "page",
        "the report page, of 100 reports a trial, and of 100,000 trials with 5",
        (_page(_MANY, Kind(2000)), _page(_MORE, Kind(10_000)), _page(_MOST, Kind(100_000, reports=5))),
        (
            Mark("2,000 trials: ready in chromium", figure(_MANY, "ready"), 1.5, unit="s", is_relative=False),
            Mark("2,000 trials: size", figure(_MANY, "megabytes"), 1.5, unit="MB", is_relative=False),
            Mark("10,000 trials: ready in chromium", figure(_MORE, "ready"), 2.5, unit="s", is_relative=False),
            Mark("10,000 trials: size", figure(_MORE, "megabytes"), 4.0, unit="MB", is_relative=False),
            Mark("10,000 trials: writing it", figure(_MORE, "writing"), None, unit="s", is_relative=False),
            Mark("100,000 trials: ready in chromium", figure(_MOST, "ready"), None, unit="s", is_relative=False),
            Mark("100,000 trials: writing it", figure(_MOST, "writing"), None, unit="s", is_relative=False),
        ),
        rounds=3,
    ),
)
