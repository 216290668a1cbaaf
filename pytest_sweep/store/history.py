"""The history of a trial, of what each of its attempts has reported. Opens no file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple


class Reported(NamedTuple):
    """What an attempt has reported once. `iteration` is 0 where it has none."""

    attempt: int
    iteration: int
    metrics: dict[str, Any]
    checkpoint: str | None


def history_of(reports: Sequence[Reported], attempts: int) -> list[dict[str, Any]]:
    """Return the metrics of a trial's reports, in order, each iteration once.

    An attempt that is restored from a checkpoint goes on counting: what earlier attempts reported up to there counts too.

    Args:
        reports: all reports of the trial, in the order in which they were stored.
        attempts: how often it was begun.
    """
    by_attempt: defaultdict[int, list[Reported]] = defaultdict(list)
    for report in reports:
        by_attempt[report.attempt].append(report)
    last = max([attempts, *by_attempt])
    kept: list[Reported] = []
    # Those without reports in between say nothing: what one had from before, the next one says, which may have recovered more than was
    # heard of until then.
    for number in sorted({*by_attempt, last} - {0}):
        new = by_attempt.get(number, [])
        # An attempt without reports goes on from the newest checkpoint, or from the start, all the same.
        restored = next((report.iteration for report in reversed(kept) if report.checkpoint is not None), 0)
        first = new[0].iteration if new else restored + 1
        kept = [report for report in kept if report.iteration < first] + new
    return [report.metrics for report in kept]
