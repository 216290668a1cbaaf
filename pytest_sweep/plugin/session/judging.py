"""What is said of the results that tests have judged: which runs they come from, how old they are, and what differs from today."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_sweep import clock
from pytest_sweep.errors import StoreError
from pytest_sweep.model import Trial
from pytest_sweep.model.source import Source
from pytest_sweep.plugin.collect.sources import SourceReader
from pytest_sweep.plugin.collect.sweeps import SweepCollector
from pytest_sweep.plugin.options import SweepOptions
from pytest_sweep.plugin.session.comparing import OtherCode, age, future_text, listed
from pytest_sweep.plugin.show.terminal import write_lines
from pytest_sweep.plugin.show.warned import warn
from pytest_sweep.results import Result, SessionResults, newest_results
from pytest_sweep.store import (
    DATABASE,
    RunReader,
    has_database,
    made_in,
    outcomes,
    package_versions,
    started,
    version_changes,
)


@dataclass(frozen=True)
class JudgedResults:
    """The results of a session, beside the code, seeds and packages of today.

    Attributes:
        results: what the fixture ``sweep_results`` has returned.
        own: the folder of the session's own run, or None.
        seed: the seed of the session.
        sweeps: the trials of each sweep, by its node id.
        sources: what is known of the code of each sweep, by its node id.
    """

    results: SessionResults
    own: Path | None
    seed: int
    sweeps: Mapping[str, Sequence[Trial]]
    sources: Mapping[str, Source]

    def write(self, reporter: pytest.TerminalReporter, *, has_title: bool) -> None:
        """Write the lines below the results of this session, which may have none."""
        lines = list(self.lines())
        if lines and not has_title:
            reporter.write_sep("=", "sweep results")
        for line, is_own in lines:
            write_lines(reporter, line, yellow=not is_own)

    def lines(self) -> Iterator[tuple[str, bool]]:
        """Yield a line for each run that made results of a judged sweep, and whether it is this session's."""
        names = {self.results.id_of(name): name for name in self.results}
        for sweep in self.results.judged:
            grid = self.results.get_results(sweep, partial=True)
            groups = _by_run(grid)
            for origin in sorted(groups, key=lambda folder: folder != self.own):
                results = groups[origin]
                count = f"{len(results)} of {len(grid)}" if len(results) < len(grid) else f"{len(results)}"
                noun = "result" if len(grid) == 1 else "results"
                is_own = origin == self.own
                words = f"this run, {origin.name}" if is_own else self._earlier_words(sweep, origin, results)
                yield f"judged: {names[sweep]}: {count} {noun} of {words}", is_own

    def _earlier_words(self, sweep: str, origin: Path, results: Sequence[Result]) -> str:
        now = clock.wall()
        old = age(now - min(result.finished or result.started or now for result in results))
        try:
            future = future_text(started(origin), now) if self._may_open(origin) else ""
            differences = [
                *filter(None, [future]),
                *self._code_and_seed(sweep, origin, results),
                *self._packages(origin),
            ]
        except StoreError as error:
            differences = [str(error)]
        what = "; ".join(differences) or "same code, seed and packages"
        return f"an earlier run, {origin.name}, {old} old: {what}"

    def _code_and_seed(self, sweep: str, origin: Path, results: Sequence[Result]) -> Iterator[str]:
        told = OtherCode(self.sources)
        stored = [
            outcome
            for folder in dict.fromkeys(result.run_path for result in results)
            for outcome in outcomes(folder, [result.key for result in results if result.run_path == folder])
        ]
        changes = dict.fromkeys(change for outcome in stored for change in told.changes(sweep, outcome))
        if changes:
            yield f"other code ({listed(list(changes))})"
        seeds = {trial.key: trial.seed for trial in self.sweeps[sweep]}
        if any(outcome.seed != seeds[outcome.key] for outcome in stored):
            then = RunReader(origin).run().seed if self._may_open(origin) else self.seed
            yield f"other seed ({then}, now {self.seed})" if then != self.seed else "other seeds of its trials"

    def _packages(self, folder: Path) -> Iterator[str]:
        """Yield in which packages this session differs from the run in `folder`, if it does."""
        if not self._may_open(folder):
            where = "was deleted" if self._is_beside(folder) else "lies in another folder for results"
            yield f"its folder {where}, so its packages are unknown"
            return
        changes = version_changes(RunReader(folder).run().versions, package_versions())
        if changes:
            yield f"other packages ({listed(changes)})"

    def _may_open(self, folder: Path) -> bool:
        """Say whether there is a run in `folder` that may be looked into: a database may come from anyone, and name any path."""
        return self._is_beside(folder) and has_database(folder, DATABASE)

    def _is_beside(self, folder: Path) -> bool:
        return folder.parent == self.results.path.absolute() and folder.name != ".."


def judged_results(
    config: pytest.Config, options: SweepOptions, collector: SweepCollector, own: Path | None, reader: SourceReader
) -> JudgedResults:
    """Return the newest stored results of all collected trials, and warn of runs that are passed over.

    Args:
        config: the session's configuration.
        options: the plugin's options.
        collector: knows the collected trials.
        own: the folder of the session's own run, or None.
        reader: reads the code of sweeps.
    """
    sweeps = collector.collected
    results = newest_results(options.results_dir, sweeps, own)
    for note in results.notes:
        warn(config, note, when="runtest", place=results.path)
    is_own = not options.may_take and all(result.run_path == own for grid in results.grids for result in grid)
    # The code as it is now: it may be edited before the session ends.
    sources = {} if is_own else reader.sources(collector.first_items)
    return JudgedResults(results, own, options.seed, sweeps, sources)


def _by_run(results: Iterable[Result]) -> dict[Path, list[Result]]:
    """Return results by the folder of the run that made them, which is not always the one that stores them."""
    stored: defaultdict[Path, list[Result]] = defaultdict(list)
    for result in results:
        stored[result.run_path].append(result)
    groups: defaultdict[Path, list[Result]] = defaultdict(list)
    for folder, its in stored.items():
        try:
            origins = made_in(folder, [result.key for result in its])
        except StoreError:
            origins = {}
        for result in its:
            groups[origins.get(result.key, folder)].append(result)
    return groups
