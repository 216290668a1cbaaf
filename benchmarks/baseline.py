"""Compares ratios with those of a baseline: what got twice as slow relative to its peer fails, and nothing else does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.model import Case, Round

MOST = 2.0
"""How many times worse than in the baseline a ratio may be. Machines and their neighbours differ by less than that."""


def as_baseline(cases: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the medians of all relative marks, by case and text: what a baseline is."""
    return {
        name: {mark["text"]: round(mark["median"], 4) for mark in data["marks"] if mark["is_relative"]}
        for name, data in cases.items()
    }


def slower(case: Case, rounds: Sequence[Round], baseline: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return a sentence for each mark of the case that is more than `MOST` times worse than its baseline.

    What the baseline does not know is not compared, nor is what is no ratio within one round.
    """
    known = baseline.get(case.name, {})
    sentences = []
    for mark in case.marks:
        if not mark.is_relative or mark.text not in known:
            continue
        outcome, before = mark.judge(rounds), known[mark.text]
        if outcome.times_worse(before) > MOST:
            sentences.append(
                f"{case.name} got {outcome.times_worse(before):.1f} times slower: {outcome.median:.3g} {mark.unit} {mark.text}, "
                f"which is {before:.3g} in the baseline"
            )
    return sentences
