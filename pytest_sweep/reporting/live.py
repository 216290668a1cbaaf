"""The lines of a live view: of a session's, below pytest's output, and of ``pytest-sweep watch``. Does not know where they go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_sweep.model import TrialState
from pytest_sweep.model.metrics import metric_value
from pytest_sweep.reporting.remaining import remaining_text
from pytest_sweep.reporting.rows import COUNT_ORDER, counts_text, fair_shares
from pytest_sweep.reporting.text import (
    LONGEST_VALUE,
    cell_text,
    cut_end,
    cut_middle,
    duration_text,
    name_text,
    text_width,
)
from pytest_sweep.space import printable

LEAST_ENDED = 5
"""How many trials must have ended before the remaining time is shown."""

MOST_SWEEPS, MOST_REASONS = 3, 3
"""Of how many sweeps the best trial is shown, and how many reasons of failures."""

_LONGEST = 10_000
_BY_IMPORTANCE = (0, 4, 1, 2, 3)
"""The groups below the states, which are the best, failures, what waits, trackers, what runs: what runs comes after the best."""

_LEAST_BAR, _WIDEST_BAR = 10, 40
_OF_FAILED, _OF_RUNNING, _OF_REST, _OF_DONE = "!", ">", "-", "#"


@dataclass(frozen=True, slots=True)
class NamedLine:
    """A line about one trial.

    Attributes:
        before: what stands before the name.
        name: the trial's name.
        short: what stands for the name where the line is too wide; "" for nothing.
        after: what stands behind the name.
    """

    before: str
    name: str
    short: str = ""
    after: str = ""

    def fitted(self, width: int) -> str:
        """Return the line in at most `width` terminal cells, with nothing in it that moves the cursor."""
        line = _shown(f"{self.before}{self.name[:_LONGEST]}{self.after}")
        if text_width(line) > width and self.short:
            line = _shown(f"{self.before}{self.short}{self.after}")
        return cut_end(line, width)

    def __str__(self) -> str:
        return _shown(f"{self.before}{self.name}{self.after}")


@dataclass(frozen=True)
class LiveView:
    """What a live view shows of a run at one moment.

    Attributes:
        counts: how many trials are in each state.
        elapsed: seconds since the run began.
        remaining: seconds that the rest will take; None where that is not known.
        best: the best trial of each sweep, see `best_named`.
        failures: why trials failed, the most frequent reason first.
        waiting: what waits for what.
        trackers: how far behind trackers are.
        running: trials that run, the one that has run longest first; as many as there may be rows are enough.
    """

    counts: Mapping[TrialState, int]
    elapsed: float
    remaining: float | None = None
    best: Sequence[NamedLine] = ()
    failures: Sequence[NamedLine] = ()
    waiting: Sequence[str] = ()
    trackers: Sequence[str] = ()
    running: Sequence[NamedLine] = ()

    @property
    def total(self) -> int:
        """How many trials there are."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """How many have ended."""
        return sum(number for state, number in self.counts.items() if state.is_finished)


def live_lines(view: LiveView, width: int, rows: int) -> list[str]:
    """Return at most `rows` lines of at most `width` terminal cells: a bar, the states, and a fair share of all else that there is.

    Args:
        view: what is shown.
        width: in terminal cells.
        rows: how many lines there may be.
    """
    if rows < 1 or width < 1:
        return []
    if rows == 1:
        return [_bar_line(view, width, counts_text(view.counts, COUNT_ORDER))]
    groups = [
        list(view.best),
        list(view.failures),
        [NamedLine("", line) for line in view.waiting],
        [NamedLine("", line) for line in view.trackers],
        list(view.running),
    ]
    shares = _shares([len(group) for group in groups], rows - 2)
    shown = [line.fitted(width) for group, share in zip(groups, shares, strict=True) for line in group[:share]]
    return [_bar_line(view, width), cut_end(counts_text(view.counts, COUNT_ORDER), width), *shown]


def live_line(view: LiveView) -> str:
    """Return the view in one line of any width, as for output that is no terminal."""
    parts = [f"sweep: {view.done}/{view.total} done"]
    if states := counts_text(view.counts, COUNT_ORDER):
        parts[0] += f" ({states})"
    parts += [duration_text(view.elapsed), remaining_text(view.remaining)]
    line = ", ".join(filter(None, parts))
    return "; ".join([line, *map(str, view.best[:MOST_SWEEPS]), *map(str, view.failures[:MOST_REASONS])])


def best_named(metric: str | None, value: object, mode: str, name: NamedLine, trials: int = 1) -> NamedLine:
    """Return the line of the best trial of a sweep: its value first, which is not cut.

    Args:
        metric: what the sweep is judged by.
        value: the best value, of a configuration of several trials their mean.
        mode: ``min`` or ``max``.
        name: the trial or the configuration.
        trials: how many trials that is.
    """
    of = f", mean of {trials} trials" if trials > 1 else ""
    shown = float(value) if isinstance(value, float) else value  # A mean without its deviation.
    before = f"Best so far: {name_text(metric)}={cell_text(shown)} ({mode}{of}): "
    return NamedLine(f"{before}{name.before}", name.name, name.short, name.after)


def running_named(name: NamedLine, seconds: float | None, iteration: object, metric: str) -> NamedLine:
    """Return the line of a trial that runs.

    Args:
        name: the trial.
        seconds: for how long it has run; None where that is not known.
        iteration: the ``training_iteration`` of its latest report, or None.
        metric: of that report what it is judged by: ``loss=0.5``; "" before it has reported.
    """
    parts = [
        "" if seconds is None else duration_text(seconds),
        "" if iteration is None else f"iteration {cell_text(iteration)}",
        metric,
    ]
    after = ", ".join(filter(None, parts))
    return NamedLine(f"RUNNING {name.before}", name.name, name.short, name.after + (f": {after}" if after else ""))


def metric_text(metrics: Mapping[str, object], names: Sequence[str | None]) -> str:
    """Return the first of these metrics that was reported as a number, as ``loss=0.25``; "" if none was."""
    for name in names:
        if name is not None and (value := metric_value(metrics, name)) is not None:
            return cut_middle(f"{name_text(name)}={cell_text(value)}", LONGEST_VALUE)
    return ""


def _shares(sizes: Sequence[int], room: int) -> list[int]:
    """Return how many lines of each group are shown; the most important groups have one where there is not one for each."""
    there = [index for index in _BY_IMPORTANCE if sizes[index]]
    if room >= len(there):
        return fair_shares(sizes, room)
    return [1 if index in there[:room] else 0 for index in range(len(sizes))]


def _bar_line(view: LiveView, width: int, states: str = "") -> str:
    """Return the line with the bar; what does not fit beside a bar of ten cells is left out, the least important first."""
    done = f"{view.done}/{view.total} done"
    time, left = duration_text(view.elapsed), remaining_text(view.remaining)
    for prefix, parts in (
        ("sweep ", (done, time, left, states)),
        ("sweep ", (done, time, left)),
        ("", (done, left)),
        ("", (f"{view.done}/{view.total}",)),
    ):
        after = ", ".join(filter(None, parts))
        room = width - len(prefix) - len(after) - 3
        if room >= _LEAST_BAR:
            return f"{prefix}[{_bar(view, min(room, _WIDEST_BAR))}] {after}"
    return cut_end(f"{view.done}/{view.total}", width)


def _bar(view: LiveView, width: int) -> str:
    """Return the bar, in which each kind of trials that there are has at least one cell."""
    failed = view.counts.get(TrialState.ERROR, 0)
    running = view.counts.get(TrialState.RUNNING, 0)
    numbers = [view.done - failed, failed, running, view.total - view.done - running]
    cells = [max(round(width * number / view.total), 1) if number else 0 for number in numbers]
    cells[cells.index(max(cells))] += width - sum(cells)
    kinds = (_OF_DONE, _OF_FAILED, _OF_RUNNING, _OF_REST)
    return "".join(kind * number for kind, number in zip(kinds, cells, strict=True))


def _shown(text: str) -> str:
    return printable(text).replace("\t", " ")
