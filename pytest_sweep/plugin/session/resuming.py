"""Which trials of a session are not run, because an earlier run has their results, and which go on where one has stopped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sweep import clock
from pytest_sweep.errors import StoreError, SweepError
from pytest_sweep.model import Trial, TrialState
from pytest_sweep.model.integers import digits
from pytest_sweep.model.source import Source
from pytest_sweep.plugin.option_table import LAST
from pytest_sweep.plugin.options import SweepOptions
from pytest_sweep.plugin.record.backup import fetch_run
from pytest_sweep.plugin.session.comparing import CacheComparison, OtherCode, future_text, partly_known
from pytest_sweep.plugin.session.plan import Plan
from pytest_sweep.plugin.session.points import take_points
from pytest_sweep.results.finding import find_run
from pytest_sweep.results.tags import Tags
from pytest_sweep.store import (
    DATABASE,
    LastRun,
    Outcome,
    RunReader,
    UnsoundError,
    last_run,
    lost_commits,
    made_in,
    newest_runs,
    origins,
    outcomes,
    started,
    unsound,
    who_runs,
)

_MOST_NAMED = 3
_TAKEN = (TrialState.TERMINATED, TrialState.STOPPED, TrialState.SKIPPED, TrialState.CACHED)


class Resumption:
    """Takes from one run what it has (``--sweep-resume``), and then from any (``--sweep-cache``).

    Args:
        options: the options.
        runs: the run that is resumed and those that it went on from, newest first; none with ``--sweep-cache`` alone, and where there is
            nothing to resume.
        verbosity: as pytest's ``-v``; above 0 it is told what was compared.
        notes: what is to be said of the choice of the run.
    """

    def __init__(self, options: SweepOptions, runs: Sequence[Path], verbosity: int, notes: Sequence[str] = ()) -> None:
        self._options = options
        self._runs = runs
        self._verbosity = verbosity
        self._notes = notes
        self._unsound: dict[str, tuple[Path, str]] = {}

    @property
    def origin(self) -> str:
        """Where the seed comes from, to be said behind it; empty where it is the options'."""
        return f" (of run {self._runs[0].name})" if self._runs else ""

    def plan(
        self, trials: Sequence[Trial], sources: Mapping[str, Source], may_run: Callable[[str], bool] = lambda _: False
    ) -> Plan:
        """Decide on `trials`.

        Args:
            trials: the trials.
            sources: what is known of their code, by the sweeps' ids.
            may_run: says of a trial that was skipped, by its key, whether the condition that skipped it holds no more.

        Raises:
            pytest.UsageError: a run cannot be read, or ``--sweep-resume-strict`` forbids what would be taken.
        """
        plan = Plan(sources, resumed_from=self._runs[0] if self._runs else None, origins=tuple(self._runs))
        plan.notes += self._notes
        try:
            if self._runs:
                self._resume(plan, trials, may_run)
            if self._options.cache:
                rest = [trial for trial in trials if trial.key not in plan.taken and trial.key not in plan.continued]
                self._take_cached(plan, [trial for trial in rest if trial.slot is None])
                take_points(plan, [trial for trial in rest if trial.slot is not None], self._options.results_dir)
        except StoreError as error:
            raise pytest.UsageError(str(error)) from error
        plan.warnings += self._said_of_unsound({trial.key: trial.name for trial in trials})
        return plan

    def _outcomes(self, folder: Path, keys: Collection[str]) -> list[Outcome]:
        """Return what a run has stored of trials, but for those of which it holds what is never stored: they run."""
        wanted = [key for key in keys if key not in self._unsound]
        try:
            return outcomes(folder, wanted)
        except UnsoundError:
            found = unsound(folder / DATABASE, wanted)
            self._unsound |= {key: (folder, problem) for key, problem in found.items()}
            return outcomes(folder, [key for key in wanted if key not in found])

    def _drop_unsound(self, chosen: dict[str, Outcome]) -> None:
        """Drop what cannot be copied as a whole: of attempts and reports only those of chosen trials are looked at."""
        by_folder: defaultdict[Path, list[str]] = defaultdict(list)
        for key, outcome in chosen.items():
            by_folder[outcome.folder].append(key)
        for folder, keys in by_folder.items():
            for key, problem in unsound(folder / DATABASE, keys).items():
                self._unsound[key] = folder, problem
                chosen.pop(key, None)

    def _said_of_unsound(self, names: Mapping[str, str]) -> Iterator[str]:
        by_folder: defaultdict[Path, list[str]] = defaultdict(list)
        for key, (folder, problem) in self._unsound.items():
            by_folder[folder].append(f"{names[key]} ({problem})")
        for folder, texts in by_folder.items():
            what = "1 trial runs" if len(texts) == 1 else f"{len(texts)} trials run"
            more = f" and {len(texts) - _MOST_NAMED} more" if len(texts) > _MOST_NAMED else ""
            yield (
                f"{what} from the beginning, since the database of run {folder.name} is damaged and holds of them what pytest-sweep never "
                f"stores: {', '.join(texts[:_MOST_NAMED])}{more}"
            )

    def _resume(self, plan: Plan, trials: Sequence[Trial], may_run: Callable[[str], bool]) -> None:
        begun: dict[str, Outcome] = {}
        for folder in self._runs:
            missing = [trial.key for trial in trials if trial.key not in begun and trial.key not in self._unsound]
            if not missing:
                break
            # What a run has not begun, the run that it went on from may have.
            found = self._outcomes(folder, missing)
            begun |= {its.key: its for its in found if its.state.is_finished or its.attempts}
        for trial in trials:
            outcome = begun.get(trial.key)
            if outcome is None:
                continue
            failed = outcome.state is TrialState.ERROR and not self._options.retry_failed
            is_taken = outcome.state in _TAKEN and not (outcome.was_skipped and may_run(trial.key))
            (plan.taken if is_taken or failed else plan.continued)[trial.key] = outcome
        for chosen in (plan.taken, plan.continued):
            self._drop_unsound(chosen)
        if any(trial.study for trial in trials):
            self._take_decisions(plan)
        self._check_sources(plan, trials)
        future = future_text(started(self._runs[0]), clock.wall())
        if future:
            plan.warnings.append(f"the run {self._runs[0].name}: {future}")
        failures = sum(outcome.state is TrialState.ERROR for outcome in plan.taken.values())
        counts = {
            "taken": len(plan.taken) - failures,
            "failed there": failures,
            "to go on": len(plan.continued),
            "new": len(trials) - len(plan.taken) - len(plan.continued),
        }
        parts = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        noun = "trial" if len(trials) == 1 else "trials"
        plan.notes.append(f"sweep: resuming {self._runs[0].name}, {len(trials)} {noun}: {parts}")

    def _take_decisions(self, plan: Plan) -> None:
        """Take what was decided in the newest run that has anything: it has what was decided before it, too."""
        for folder in self._runs:
            plan.decisions = RunReader(folder).decisions()
            if plan.decisions:
                plan.decided_in = folder
                return

    def _check_sources(self, plan: Plan, trials: Sequence[Trial]) -> None:
        told = OtherCode(plan.sources)
        for trial in trials:
            if trial.key in plan.taken:
                told.note(trial, plan.taken[trial.key])
        lines = list(told.lines())
        if lines and self._options.strict:
            raise pytest.UsageError(
                f"--sweep-resume-strict: {'; '.join(lines)}. Run them again without --sweep-resume, or take them without -strict"
            )
        plan.warnings += lines
        old = (trial for trial in trials if trial.key in plan.taken and plan.taken[trial.key].source.is_partial)
        plan.warnings += partly_known(old)

    def _take_cached(self, plan: Plan, trials: Sequence[Trial]) -> None:
        wanted = {trial.key: trial for trial in trials}
        told = CacheComparison(plan.sources, trials)
        for folder in newest_runs(self._options.results_dir):
            if not wanted:
                break
            try:
                driver = who_runs(folder)
                if driver is not None:
                    plan.warnings.append(f"cache: passed over: the run {folder.name} still goes on ({driver})")
                    continue
                found = [
                    its
                    for its in self._outcomes(folder, wanted)
                    if its.state.is_finished and not told.differs(wanted[its.key], its)
                ]
                taken = {its.key: its for its in found if its.state in _TAKEN and not its.was_skipped}
                self._drop_unsound(taken)
            except StoreError as error:
                plan.warnings.append(f"cache: passed over: {error}")
                continue
            plan.taken |= taken
            for outcome in found:
                # It is the newest result that today's code would make; if that is a failure, it is made anew.
                trial = wanted.pop(outcome.key)
                if outcome.key not in self._unsound:
                    told.note(trial, outcome, is_taken=outcome.key in taken)
        plan.notes += told.lines(_makers(plan.taken), now=clock.wall(), verbose=self._verbosity > 0)
        plan.warnings += told.partly_known()


def _makers(taken: Mapping[str, Outcome]) -> dict[str, Path]:
    """Return the folders of the runs that have made what is taken, by the trials' keys: not of those that have taken it themselves."""
    keys: defaultdict[Path, list[str]] = defaultdict(list)
    for key, outcome in taken.items():
        keys[outcome.folder].append(key)
    return {key: folder for stored in keys for key, folder in made_in(stored, keys[stored]).items()}


def resumption(options: SweepOptions, given_seed: int | None, verbosity: int) -> tuple[SweepOptions, Resumption]:
    """Return the options with the seed of the run that is resumed, and who decides what is taken.

    Args:
        options: the options.
        given_seed: the seed that the command line names, or None.
        verbosity: as pytest's ``-v``.

    Raises:
        pytest.UsageError: there is no such run, it cannot be read, or it has another seed.
    """
    if options.resume is None:
        return options, Resumption(options, (), verbosity)
    try:
        folder, notes = _folder(options)
        runs = [] if folder is None else list(origins(folder, beside=True))
    except SweepError as error:
        raise pytest.UsageError(f"--sweep-resume: {error}") from error
    if folder is None:
        return options, Resumption(options, (), verbosity, notes)
    seed = runs[0][1].seed
    if given_seed is not None and given_seed != seed:
        raise pytest.UsageError(
            f"--sweep-seed={digits(given_seed)}: the run {folder.name} that is resumed has the seed {digits(seed)}, "
            f"with which all that is drawn would be "
            f"different: leave --sweep-seed away"
        )
    options = replace(options, seed=seed)
    if lost := lost_commits(folder):
        notes.append(
            f"sweep: the database of run {folder.name} is damaged: the last {lost} of its transactions are lost, since its write-ahead log "
            f"was damaged or deleted. What they held runs again"
        )
    return options, Resumption(options, [its for its, _ in runs], verbosity, notes)


def _folder(options: SweepOptions) -> tuple[Path | None, list[str]]:
    """Return the folder of the run that is resumed, None if there is none, and what is to be said of that."""
    results_dir = options.results_dir.absolute()
    if options.storage is not None:  # The run may have been another machine's.
        word = str(options.resume)
        fetch_run(options.storage, results_dir, None if word == LAST else Tags(results_dir).read().get(word, word))
    last = last_run(results_dir) if options.resume == LAST else LastRun(find_run(str(options.resume), results_dir))
    folder = last.begun or last.folder
    notes = [
        f"sweep: passed over: the run {its.name} was killed before it had stored anything" for its in last.passed_over
    ]
    if folder is None:
        return None, [*notes, f"sweep: nothing to resume in {results_dir}: a new run begins"]
    driver = who_runs(folder)
    if driver is not None:
        raise StoreError(
            f"the run {folder.name} still goes on ({driver}), and what it has not finished would run twice: wait for its end, or end "
            "it with Ctrl-C or SIGTERM, which stores what it has"
        )
    return folder, notes
