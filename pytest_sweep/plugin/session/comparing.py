"""What is said of the code that has made stored results, beside today's. Reads nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_sweep.model import Trial, TrialState
from pytest_sweep.model.source import Source
from pytest_sweep.store import Outcome

_MOST_CHANGES = 3
_MOST_SWEEPS = 5
_TAKEN = "taken from"
_NEW = "run, of which there is no earlier result"


class OtherCode:
    """Counts taken results and failures that other code has made, by sweep and by what has changed."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources
        self._changes: dict[tuple[str, Source], list[str]] = {}
        self._counts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._found: dict[str, dict[str, None]] = defaultdict(dict)
        self._names: dict[str, str] = {}

    def changes(self, sweep: str, outcome: Outcome) -> list[str]:
        """Return what has changed in the code of a sweep since `outcome`; compared once for all that share it."""
        known = (sweep, outcome.source)
        if known not in self._changes:
            self._changes[known] = self._sources[sweep].changes_since(outcome.source, sweep)
        return self._changes[known]

    def note(self, trial: Trial, outcome: Outcome) -> None:
        """Take note of a result that is taken."""
        changes = self.changes(trial.sweep.id, outcome)
        if changes:
            self._counts[trial.sweep.id] += 1
            self._failures[trial.sweep.id] += outcome.state is TrialState.ERROR
            self._found[trial.sweep.id] |= dict.fromkeys(changes)
            self._names[trial.sweep.id] = trial.sweep.name

    def lines(self) -> Iterator[str]:
        """Yield a sentence for each sweep with such results."""
        for sweep, count in self._counts.items():
            changes = list(self._found[sweep])
            failures = self._failures[sweep]
            kinds = ((count - failures, "cached result"), (failures, "failure"))
            results = " and ".join(f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in kinds if number)
            were = "was" if count == 1 else "were"
            why = listed(changes)
            verb = f"{were} made by other code" if not why.endswith("known") else f"{were} perhaps made by other code"
            yield f"{results} of {self._names[sweep]} {verb}: {why}"


@dataclass
class _Group:
    """Trials with the same fate: how many of each sweep, and when the results that it goes by were made."""

    names: Counter[str] = field(default_factory=Counter)
    finished: list[float] = field(default_factory=list)

    def add(self, trial: Trial, outcome: Outcome | None) -> None:
        """Add a trial, and the result that its fate goes by."""
        self.names[trial.sweep.name] += 1
        if outcome is not None and outcome.finished is not None:
            self.finished.append(outcome.finished)

    def words(self, run: str, now: float) -> str:
        """Return the run and the age of the results: `` run 2026-11-23_20-30-21_8khj (made 3 h ago)``."""
        if not run or not self.finished:
            return f" run {run}" if run else ""
        newest, oldest = age(now - max(self.finished)), age(now - min(self.finished))
        return f" run {run} (made {oldest if newest == oldest else f'{newest} to {oldest}'} ago)"


class CacheComparison:
    """What ``--sweep-cache`` has taken, from which runs, and why it has not taken the rest.

    Args:
        sources: the code of today, by the sweeps' ids.
        trials: the trials that results are looked for.
    """

    def __init__(self, sources: Mapping[str, Source], trials: Sequence[Trial]) -> None:
        self._told = OtherCode(sources)
        self._sources = sources
        self._trials = trials
        self._taken: dict[str, Outcome] = {}
        self._reasons: dict[str, tuple[str, Outcome]] = {}

    def differs(self, trial: Trial, outcome: Outcome) -> bool:
        """Say whether other code, or another seed, has made `outcome`; the newest that did is kept in mind as the reason."""
        changes = self._told.changes(trial.sweep.id, outcome)
        if not changes and outcome.seed == trial.seed:
            return False
        why = listed(changes)
        link = "for" if why.endswith("known") else "since"
        reason = f"run, because {why} {link}" if changes else "run, with another seed than in"
        self._reasons.setdefault(trial.key, (reason, outcome))
        return True

    def note(self, trial: Trial, outcome: Outcome, *, is_taken: bool) -> None:
        """Take note of the newest result of today's code: whether it is taken, or was no good one."""
        if is_taken:
            self._taken[trial.key] = outcome
        else:
            what = "being skipped" if outcome.was_skipped else "failing"
            self._reasons[trial.key] = f"run, after {what} in", outcome

    def lines(self, made_in: Mapping[str, Path], *, now: float, verbose: bool = False) -> list[str]:
        """Return what is said of it: a line for each run that results are taken from, and for each reason that others are not.

        Args:
            made_in: the folders of the runs that have made what is taken, by the trials' keys.
            now: the time, in seconds since the epoch.
            verbose: whether it is said, too, what was compared.
        """
        groups: dict[tuple[str, str], _Group] = defaultdict(_Group)
        for trial in self._trials:
            fate, outcome = self._fate(trial)
            folder = None if outcome is None else made_in.get(trial.key, outcome.folder)
            groups[fate, "" if folder is None else folder.name].add(trial, outcome)
        total = f"{len(self._trials)} {'trial' if len(self._trials) == 1 else 'trials'}"
        lines = [
            f"cache: {group.names.total()} of {total} {fate}{group.words(run, now)}: {_counts(group.names)}"
            for (fate, run), group in sorted(groups.items(), key=lambda item: item[0][0] != _TAKEN)
        ]
        return lines + (list(self._compared()) if verbose else [])

    def partly_known(self) -> Iterator[str]:
        """Yield a sentence if results were taken of which it is not known which files they import."""
        yield from partly_known(
            trial for trial in self._trials if trial.key in self._taken and self._taken[trial.key].source.is_partial
        )

    def _fate(self, trial: Trial) -> tuple[str, Outcome | None]:
        if trial.key in self._taken:
            return _TAKEN, self._taken[trial.key]
        return self._reasons.get(trial.key, (_NEW, None))

    def _compared(self) -> Iterator[str]:
        taken = {trial.sweep.id: trial.sweep.name for trial in self._trials if trial.key in self._taken}
        for sweep, name in taken.items():
            yield f"cache: unchanged of {name}: {self._sources[sweep].compared(sweep)}"


def partly_known(trials: Iterable[Trial]) -> Iterator[str]:
    """Yield a sentence on results that version 0.1.0 has made, if there are any, whose `trials` are given."""
    names = Counter(trial.sweep.name for trial in trials)
    if names:
        results, were = ("result", "was") if names.total() == 1 else ("results", "were")
        yield (
            f"{names.total()} {results} {were} made by pytest-sweep 0.1.0, which stored function, module and fixtures only: whether files "
            f"that these import have changed is not known: {_counts(names)}"
        )


def listed(changes: Sequence[str]) -> str:
    """Return the first changes, and how many more there are."""
    more = [f"and {len(changes) - _MOST_CHANGES} more"] if len(changes) > _MOST_CHANGES else []
    return ", ".join([*changes[:_MOST_CHANGES], *more])


def _counts(names: Counter[str]) -> str:
    most = names.most_common(_MOST_SWEEPS)
    more = [f"and {len(names) - _MOST_SWEEPS} more"] if len(names) > _MOST_SWEEPS else []
    return ", ".join([*(f"{count} of {name}" for name, count in most), *more])


AHEAD_SECONDS = 60.0
"""How much clocks of machines may differ before it is worth a word."""


def future_text(began: float, now: float) -> str:
    """Return what is to be said of a run that `began` in the future: it counts as the newest until then; "" for any other."""
    ahead = began - now
    if ahead <= AHEAD_SECONDS:
        return ""
    return f"by this clock it begins in {age(ahead)}, so that it counts as the newest: a clock was set wrongly, here or there"


def age(seconds: float) -> str:
    """Return an age in its largest unit: ``40 s``, ``5 min``, ``3 h``, ``12 days``."""
    for amount, unit, most in ((1, "s", 120), (60, "min", 120), (3600, "h", 48)):
        if seconds < amount * most:
            return f"{max(int(seconds / amount), 0)} {unit}"
    return f"{int(seconds / 86400)} days"
