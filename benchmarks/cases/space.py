"""Expanding search spaces: ten times as many points take ten times as long."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.expansion import SPACES
from benchmarks.measuring import Sample
from benchmarks.model import Case, Contestant, Mark, figure

_EXPANSION = "expansion"


def _finish(folder: Path, sample: Sample) -> Sample:
    return {**sample, **json.loads((folder / "expansion.json").read_text(encoding="utf-8"))}


CASES = (
    Case(
        "expansion",
        "expanding 100,000 points beside 10,000",
        (Contestant(_EXPANSION, ("-m", "benchmarks.expansion"), finish=_finish),),
        tuple(Mark(f"{name}: of the time of 10,000", figure(_EXPANSION, name), is_relative=False) for name in SPACES),
    ),
)
