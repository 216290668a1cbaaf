"""Which trials a table shows, and what it says of the others. Knows nothing of columns and widths."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_sweep.model import TrialState
from pytest_sweep.reporting.best import goal_of, judged_value
from pytest_sweep.reporting.entry import TrialProgress
from pytest_sweep.reporting.progress import Progress
from pytest_sweep.reporting.text import counted

MOST_ROWS = 20
_ROWS_FOR_FAILED = MOST_ROWS // 4
ENDED_WELL = (TrialState.TERMINATED, TrialState.STOPPED, TrialState.CACHED, TrialState.SKIPPED)
ROW_ORDER = (
    TrialState.ERROR,
    TrialState.RUNNING,
    TrialState.PAUSED,
    *ENDED_WELL,
    TrialState.INTERRUPTED,
    TrialState.PENDING,
    TrialState.NOT_RUN,
)
_COUNTED_LAST = (TrialState.RUNNING, TrialState.PAUSED, TrialState.PENDING, TrialState.NOT_RUN)
COUNT_ORDER = (
    *ENDED_WELL,
    *(state for state in TrialState if state not in (*ENDED_WELL, *_COUNTED_LAST)),
    *_COUNTED_LAST,
)


def counts_text(counts: Mapping[TrialState, int], order: Sequence[TrialState] = ROW_ORDER) -> str:
    """Return ``60 TERMINATED, 20 PENDING``, without the states that no trial is in."""
    return ", ".join(f"{counts[state]} {state}" for state in order if counts.get(state))


def not_shown_line(progress: Progress, shown: Sequence[TrialProgress], configurations: int | None = None) -> str:
    """Return how many are not among those `shown`, and of what kind; empty where all are.

    Args:
        progress: what is known of the trials.
        shown: the rows of the table.
        configurations: how many rows there would be, where a row stands for a configuration; None where each is a trial.
    """
    counts = progress.counts()
    for entry in shown:
        for state in entry.states:
            counts[state] -= 1
    left, states = sum(counts.values()), counts_text(counts)
    if not left:
        return ""
    if configurations is None:
        return f"... {counted(left, 'more trial')} not shown ({states})"
    more = counted(configurations - len(shown), "more configuration")
    return f"... {more} not shown ({counted(left, 'trial')}: {states})"


def fair_shares(sizes: Sequence[int], room: int) -> list[int]:
    """Return how many of each group fit into `room` when none gets more than another that would need it too."""
    shares = [0] * len(sizes)
    for position, index in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        shares[index] = min(sizes[index], room // (len(sizes) - position))
        room -= shares[index]
    return shares


def status_rows(progress: Progress) -> list[TrialProgress]:
    """Return up to 20 trials to be shown while the run goes on, in an order that changes as little as possible.

    What failed, what runs and what ended share the rows fairly; of what failed or ended the newest are taken. What waits gets the
    rest. Costs the same for any number of trials.
    """
    counts = progress.counts()
    ended = sum(counts.get(state, 0) for state in ENDED_WELL)
    sizes = [counts.get(TrialState.ERROR, 0), counts.get(TrialState.RUNNING, 0), ended]
    errors, running, well = fair_shares(sizes, MOST_ROWS)
    rows = [
        *itertools.islice(progress.newest_in_state(TrialState.ERROR), errors),
        *itertools.islice(progress.in_state(TrialState.RUNNING), running),
        *itertools.islice(_newest(progress), well),
    ]
    rest = (TrialState.PAUSED, TrialState.INTERRUPTED, TrialState.PENDING, TrialState.NOT_RUN)
    waiting = itertools.chain.from_iterable(progress.in_state(state) for state in rest)
    rows += itertools.islice(waiting, MOST_ROWS - len(rows))
    # In collection order within a state, so that rows keep their places from one block to the next.
    return sorted(rows, key=lambda entry: (ROW_ORDER.index(entry.state), entry.index))


def _newest(progress: Progress) -> Iterator[TrialProgress]:
    return itertools.chain.from_iterable(progress.newest_in_state(state) for state in ENDED_WELL)


def final_rows(entries: Iterable[TrialProgress]) -> list[TrialProgress]:
    """Return up to 20 of `entries` to be shown at the end: grouped by sweep, which share the rows fairly.

    A sweep with a metric shows its best trials first; without one, and below them, those that failed, then collection order. A quarter
    of the rows is kept for those with a failure.
    """
    of_sweep: dict[str, list[TrialProgress]] = {}
    for entry in entries:
        of_sweep.setdefault(entry.trial.sweep.id, []).append(entry)
    groups = list(of_sweep.values())
    failed = [[entry for entry in group if TrialState.ERROR in entry.states] for group in groups]
    kept = fair_shares([len(group) for group in failed], _ROWS_FOR_FAILED)
    shares = fair_shares([len(group) - few for group, few in zip(groups, kept, strict=True)], MOST_ROWS - sum(kept))
    chosen = [_chosen(*one) for one in zip(groups, failed, kept, shares, strict=True)]
    return list(itertools.chain.from_iterable(chosen))


def _chosen(
    group: Sequence[TrialProgress], failed: Sequence[TrialProgress], kept: int, share: int
) -> list[TrialProgress]:
    """Return the first `kept` of those that failed and the first `share` of the others, in the order in which they are shown."""
    first = heapq.nsmallest(kept, failed, key=_final_order)
    places = {entry.index for entry in first}
    rest = heapq.nsmallest(share, (entry for entry in group if entry.index not in places), key=_final_order)
    return sorted([*first, *rest], key=_final_order)


def _final_order(entry: TrialProgress) -> tuple[int, float, int]:
    goal, value = goal_of(entry.trial.sweep), judged_value(entry)
    if goal is not None and value is not None:
        return (0, goal.rank(value)[1], entry.index)
    return (1 if TrialState.ERROR in entry.states else 2, 0.0, entry.index)
