"""What is said of trials that wait: how many for what, and after a while without progress also why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pytest_sweep.durations import duration_words
from pytest_sweep.model.waiting import Waiting, WaitingGroup
from pytest_sweep.reporting.text import cell_text, counted

_MOST_GROUPS = 5
_MOST_SWEEPS = 3


def waiting_lines(waiting: Waiting) -> list[str]:
    """Return one line on what trials wait for; while nothing happens, a line for each reason. Empty where nothing waits."""
    if not waiting.groups:
        return []
    if waiting.stalled is not None:
        return stalled_lines(waiting)
    counts: Counter[str] = Counter()
    for group in waiting.groups:
        counts[cell_text(group.wait.what)] += group.trials
    shown = counts.most_common(_MOST_GROUPS)
    parts = [f"{counted(number, 'trial')} for {what}" for what, number in shown]
    rest = counts.total() - sum(number for _, number in shown)
    return [f"Waiting: {', '.join([*parts, *([f'{rest} more'] if rest else [])])}"]


def stalled_lines(waiting: Waiting) -> list[str]:
    """Return a line for each reason why trials wait, which says who has what they wait for; empty where nothing waits."""
    time = duration_words(int(waiting.stalled or 0.0))
    lines = [f"Waiting, without progress for {time}: {_told(group)}" for group in waiting.groups[:_MOST_GROUPS]]
    rest = waiting.groups[_MOST_GROUPS:]
    if rest:
        number = sum(group.trials for group in rest)
        lines.append(f"... {counted(number, 'more trial')} for {counted(len(rest), 'other reason')}")
    return lines


def reasons(waiting: Waiting) -> frozenset[tuple[str, Sequence[str]]]:
    """Return what is worth telling anew when it changes: who waits for what, without numbers."""
    return frozenset((group.wait.what, group.sweeps) for group in waiting.groups)


def _told(group: WaitingGroup) -> str:
    sweeps = f" of {', '.join(group.sweeps[:_MOST_SWEEPS])}" if group.sweeps else ""
    if len(group.sweeps) > _MOST_SWEEPS:
        sweeps += f" and {len(group.sweeps) - _MOST_SWEEPS} more"
    verb = "waits" if group.trials == 1 else "wait"
    return cell_text(f"{counted(group.trials, 'trial')}{sweeps} {verb} for {group.wait.what}: {group.wait.why}")
