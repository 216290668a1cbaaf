"""What is said of configurations that this session judges by a part of their trials, because the others were not selected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from pytest_sweep.model import Trial

_MOST = 3


def partly_selected_lines(collected: Mapping[str, Sequence[Trial]], selected: Collection[str]) -> list[str]:
    """Return a line for each sweep with a metric of which configurations were selected in part: folds, or replicates.

    The tables compare these configurations by the trials of this session, and ``sweep_results`` by all stored ones.

    Args:
        collected: the trials of each sweep, by its node id, also those that were deselected.
        selected: the keys of the trials of this session.
    """
    chosen, lines = frozenset(selected), []
    for trials in collected.values():
        there = Counter(trial.group_key for trial in trials)
        if not trials or trials[0].sweep.metric is None or len(there) == len(trials):
            continue
        here = Counter(trial.group_key for trial in trials if trial.key in chosen)
        names = {trial.group_key: trial.configuration_name for trial in reversed(trials)}
        parts = [f"{names[group]} ({count} of {there[group]})" for group, count in here.items() if count < there[group]]
        if parts:
            shown = [*parts[:_MOST], *([f"and {len(parts) - _MOST} more"] if len(parts) > _MOST else [])]
            which = "1 configuration is" if len(parts) == 1 else f"{len(parts)} configurations are"
            lines.append(
                f"{trials[0].sweep.name}: {which} judged here by the selected trials only: {', '.join(shown)}; sweep_results judges by "
                "the stored results of the others, too"
            )
    return lines
