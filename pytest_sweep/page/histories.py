"""Reads what trials have reported, few of them at a time, for their learning curves: of which metrics, and how many points."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pytest_sweep.model.exact_json import from_json
from pytest_sweep.model.judging import Goal
from pytest_sweep.model.metrics import AUTO_METRICS, flattened
from pytest_sweep.model.spread import is_number
from pytest_sweep.page.curves import CurveWriter
from pytest_sweep.reporting.text import counted
from pytest_sweep.store import RunScan, TrialRow

MOST_POINTS = 1_000_000
"""How many points all curves of a page have together."""

_POINTS_EACH = 200
_FEW_POINTS = 200_000
_LONGEST_CURVE, _SHORTEST_CURVE = 300, 40
_MOST_METRICS = 12
_CHUNK = 250
_LOOKED_AT = 200


class CurveReader:
    """Reads the curves of one sweep.

    Args:
        scan: reads the run.
        goals: what the trials are judged by.
        places: the places of trials on the page, by their ordinals.

    Attributes:
        notes: what was left out, a sentence each.
    """

    def __init__(self, scan: RunScan, goals: Sequence[Goal], places: Mapping[int, int]) -> None:
        self._scan, self._goals, self._places = scan, goals, places
        self.notes: list[str] = []

    def read(self, rows: Sequence[TrialRow], total: int, share: float) -> tuple[dict[str, Any], bytes]:
        """Return the directory and the bytes of the curves, as `CurveWriter.document` does.

        Args:
            rows: the trials.
            total: how many trials the sweep has.
            share: the share of all points that the sweep may have.
        """
        metrics, mean = self._reported(rows)
        metrics, points = self._room(metrics, len(rows), mean, share)
        writer = CurveWriter(metrics, points)
        if not metrics:
            return {**writer.document()[0], "of": 0, "trials": 0}, b""
        trials = 0
        for chunk in _chunks(rows, _CHUNK):
            of_key = {row.key: self._places[row.ordinal] for row in chunk}
            for key, texts in self._scan.report_texts(chunk).items():
                if not texts:
                    continue
                trials += 1
                writer.add(of_key[key], _decoded(spread(texts, points)))
        directory, content = writer.document()
        return {**directory, "of": total, "trials": trials, "most": points}, content

    def _reported(self, rows: Sequence[TrialRow]) -> tuple[list[str], float]:
        """Return the metrics that are numbers, those that the sweep is judged by first, and how many reports a trial has."""
        names: dict[str, None] = {}
        count, looked = 0, [row for row in rows if row.attempts][:: max(1, len(rows) // _LOOKED_AT)]
        for texts in self._scan.report_texts(looked).values():
            count += len(texts)
            for report in _decoded([*texts[:2], *texts[-1:]]):
                names |= dict.fromkeys(name for name, value in flattened(report).items() if is_number(value))
        goals = [goal.metric for goal in self._goals if goal.metric in names]
        others = [name for name in names if name not in goals and name not in AUTO_METRICS]
        return [*goals, *others][:_MOST_METRICS], count / max(len(looked), 1)

    def _room(self, metrics: list[str], trials: int, mean: float, share: float) -> tuple[list[str], int]:
        """Return for which metrics there are curves, and how many points each has at the most."""
        room = share * min(max(_POINTS_EACH * trials / max(share, 1e-9), _FEW_POINTS), MOST_POINTS)
        kept = list(metrics)
        while len(kept) > max(len(self._goals), 1) and trials * len(kept) * min(mean, _SHORTEST_CURVE) > room:
            kept.pop()
        if len(kept) < len(metrics):
            self.notes.append(
                f"Learning curves of {counted(len(kept), 'metric')} of {len(metrics)}: left out are {', '.join(metrics[len(kept) :])}"
            )
        each = room / max(trials * len(kept), 1)
        if mean <= each:
            return kept, _LONGEST_CURVE
        return kept, int(min(max(each, _SHORTEST_CURVE / 2), _LONGEST_CURVE))


def _decoded(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return what these reports hold; read as one text, which is twice as quick."""
    found: list[dict[str, Any]] = from_json(f"[{','.join(texts)}]")
    return found


def spread(texts: Sequence[str], most: int) -> Sequence[str]:
    """Return at most so many reports, evenly spread, each at a random place of its part: what is reported every tenth time is met, too."""
    if len(texts) <= most:
        return texts
    drawn, size = random.Random(len(texts)), (len(texts) - 2) / (most - 2)
    inner = [texts[1 + int((part + drawn.random()) * size)] for part in range(most - 2)]
    return [texts[0], *inner, texts[-1]]


def _chunks(rows: Iterable[TrialRow], size: int) -> Iterator[list[TrialRow]]:
    left = iter(rows)
    while chunk := list(islice(left, size)):
        yield chunk
