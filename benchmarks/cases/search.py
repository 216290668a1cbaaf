"""Searchers and schedulers in virtual time: how soon ours are as good as OptunaSearch with ASHA, Tune's, is in the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.measuring import Sample
from benchmarks.model import Case, Contestant, Mark, figure

_STUDIES, _DECISIONS, _TENTH = "studies", "decisions", "decisions, a hundredth"
NAMES = ("hartmann6", "digits", "protein")


def _read(folder: Path, sample: Sample) -> Sample:
    """Add what came out: the ratios, and the curves for the figures of the docs."""
    found: dict[str, Any] = json.loads((folder / "search.json").read_text(encoding="utf-8"))
    return {**sample, **{name: found[name]["upper"] for name in NAMES}, "curves": found}


def decisions(name: str, trials: int) -> Contestant:
    """Return a simulation of ASHA's decisions on so many trials."""

    def finish(folder: Path, sample: Sample) -> Sample:
        return {**sample, **json.loads((folder / "decisions.json").read_text(encoding="utf-8"))}

    return Contestant(name, ("-m", "benchmarks.searching.decisions", str(trials)), finish=finish)


CASES = (
    Case(
        "search",
        "tpe() and asha() beside OptunaSearch and ASHA of Tune, in virtual time: 30 seeds, 20 whole trials, 4 workers",
        (Contestant(_STUDIES, ("-m", "benchmarks.searching"), finish=_read, timeout=3600.0),),
        tuple(Mark(f"of the budget on {name}, upper end of 95 %", figure(_STUDIES, name), 0.5) for name in NAMES),
        rounds=1,
    ),
    Case(
        "decisions",
        "decisions of asha() alone: 1,000,000 trials",
        (decisions(_DECISIONS, 1_000_000), decisions(_TENTH, 10_000)),
        (
            Mark("a decision, stopping", figure(_DECISIONS, "stopping"), 20.0, unit="µs", is_relative=False),
            Mark("a decision, promotion", figure(_DECISIONS, "promotion"), 20.0, unit="µs", is_relative=False),
            Mark(
                "promotion, of 10,000 trials", lambda one: one[_DECISIONS]["promotion"] / one[_TENTH]["promotion"], 2.0
            ),
            Mark("stopping, of 10,000 trials", lambda one: one[_DECISIONS]["stopping"] / one[_TENTH]["stopping"], 2.0),
        ),
        rounds=1,
    ),
)
