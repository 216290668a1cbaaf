"""The best trial of each sweep while the run goes on. `model.judging` defines what is best; this only remembers it between looks."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence

from pytest_sweep.model import Sweep
from pytest_sweep.model.judging import Goal
from pytest_sweep.reporting.best import goal_of, judged_value
from pytest_sweep.reporting.entry import TrialProgress
from pytest_sweep.reporting.progress import Progress
from pytest_sweep.reporting.replicates import ConfigurationProgress
from pytest_sweep.reporting.text import cell_text, name_text

_MOST_SWEEPS = 3


class Leaders:
    """Finds the best trials so far. A look costs as much as trials have ended since the last one, however many there are.

    Args:
        progress: what is known of the trials.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._seen = 0
        self._groups: dict[str, list[TrialProgress]] = {}
        self._ranked: dict[str, list[tuple[tuple[bool, float], int, int, TrialProgress]]] = {}
        self._current: dict[str, TrialProgress] = {}
        self._sizes: Counter[str] = Counter()

    def best(self) -> list[tuple[Sweep, TrialProgress]]:
        """Return the best trial, or configuration, of each sweep that has one, as of what has ended by now."""
        self._take_ended()
        found = []
        for sweep in self._progress.sweeps():
            ranked = self._ranked.get(sweep.id, [])
            # The mean of a configuration changes with each of its replicates; what it was before is dropped when it comes to the top.
            while ranked and self._current[ranked[0][-1].trial.group_key] is not ranked[0][-1]:
                heapq.heappop(ranked)
            if ranked:
                found.append((sweep, ranked[0][-1]))
        return found

    def _take_ended(self) -> None:
        ended = self._progress.ended
        for entry in ended[self._seen :]:
            goal = goal_of(entry.trial.sweep)
            if goal is not None and entry.ended_well:
                self._rank(goal, entry)
        self._seen = len(ended)

    def _has_all(self, group: Sequence[TrialProgress]) -> bool:
        """Say whether all trials of a configuration are in `group`."""
        if self._sizes.total() != len(self._progress):
            self._sizes = Counter(entry.trial.group_key for entry in self._progress)
        return len(group) == self._sizes[group[0].trial.group_key]

    def _rank(self, goal: Goal, entry: TrialProgress) -> None:
        group = self._groups.setdefault(entry.trial.group_key, [])
        group.append(entry)
        if entry.trial.sweep.average_over and not self._has_all(group):
            return  # The mean over the easy folds, which end first, would mislead.
        is_trial = len(group) == 1 and not entry.trial.sweep.average_over
        judged = entry if is_trial else ConfigurationProgress.of(group)
        self._current[entry.trial.group_key] = judged
        value = judged_value(judged)
        if value is not None:
            ranked = self._ranked.setdefault(entry.trial.sweep.id, [])
            heapq.heappush(ranked, (goal.rank(value), judged.index, len(group), judged))


def best_so_far(progress: Progress, leaders: Leaders, longest: int | None = None) -> list[str]:
    """Return ``train[lr=0.1] with loss=0.25 (min)`` for each of the first 3 sweeps that have a best trial.

    Args:
        progress: what is known of the trials.
        leaders: finds the best ones.
        longest: a name that is longer is replaced by digits of the trial's key; None shows all names.
    """
    lines = []
    for sweep, entry in leaders.best()[:_MOST_SWEEPS]:
        ended = len(entry.states)
        of = f", mean of {ended} trials" if ended > 1 else ""
        label = progress.label(entry.trial)
        if longest is not None and len(label) > longest:
            label = progress.short_name(entry.trial)
        lines.append(f"{label} with {name_text(sweep.metric)}={cell_text(judged_value(entry))} ({sweep.mode}{of})")
    return lines
