"""What is said of the code that has made stored results, beside today's. Reads nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pytest_sweep.model import Trial
from pytest_sweep.model.source import Source
from pytest_sweep.store import Outcome

_MOST_CHANGES = 3


class OtherCode:
    """Counts taken results that other code has made, by sweep and by what has changed."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources
        self._changes: dict[tuple[str, Source], list[str]] = {}
        self._counts: Counter[str] = Counter()
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
            self._found[trial.sweep.id] |= dict.fromkeys(changes)
            self._names[trial.sweep.id] = trial.sweep.name

    def lines(self) -> Iterator[str]:
        """Yield a sentence for each sweep with such results."""
        for sweep, count in self._counts.items():
            changes = list(self._found[sweep])
            more = [f"and {len(changes) - _MOST_CHANGES} more"] if len(changes) > _MOST_CHANGES else []
            results, were = ("cached result", "was") if count == 1 else ("cached results", "were")
            why = ", ".join([*changes[:_MOST_CHANGES], *more])
            verb = f"{were} made by other code" if not why.endswith("known") else f"{were} perhaps made by other code"
            yield f"{count} {results} of {self._names[sweep]} {verb}: {why}"


class CacheComparison:
    """What ``--sweep-cache`` has compared, and taken, by sweep."""

    def __init__(self, sources: Mapping[str, Source], trials: Sequence[Trial]) -> None:
        self._told = OtherCode(sources)
        self._sources = sources
        self._trials = Counter(trial.sweep.id for trial in trials)
        self._names = {trial.sweep.id: trial.sweep.name for trial in trials}
        self._taken: Counter[str] = Counter()
        self._oldest: dict[str, str] = {}
        self._other: dict[str, str] = {}

    def differs(self, trial: Trial, outcome: Outcome) -> bool:
        """Say whether other code has made `outcome`."""
        changes = self._told.changes(trial.sweep.id, outcome)
        if changes:
            self._other.setdefault(trial.sweep.id, f"{', '.join(changes)} since run {outcome.folder.name}")
        return bool(changes)

    def note(self, trial: Trial, outcome: Outcome) -> None:
        """Take note of a result that is taken."""
        self._taken[trial.sweep.id] += 1
        self._oldest[trial.sweep.id] = outcome.folder.name

    def lines(self) -> list[str]:
        """Return a line for each sweep: what was compared, and what came of it."""
        found = []
        for sweep, count in self._trials.items():
            taken = f"{self._taken[sweep]} of {count} taken"
            if sweep in self._oldest:
                compared = self._sources[sweep].compared(sweep)
                found.append(
                    f"cache: {self._names[sweep]}: {compared} unchanged since run {self._oldest[sweep]}: {taken}"
                )
            else:
                found.append(f"cache: {self._names[sweep]}: {self._other.get(sweep, 'no earlier result')}: {taken}")
        return found

    def summary(self) -> str:
        """Return all of it in one line."""
        return f"sweep: of {self._trials.total()} trials {self._taken.total()} are taken from earlier runs"
