"""Which trials of a session are not run, because an earlier run has their results, and which go on where one has stopped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
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
from pytest_sweep.store import (
    Outcome,
    RunReader,
    last_run,
    made_in,
    newest_runs,
    origins,
    outcomes,
    run_folder,
    started,
    who_runs,
)

_TAKEN = (TrialState.TERMINATED, TrialState.STOPPED, TrialState.SKIPPED, TrialState.CACHED)


class Resumption:
    """Takes from one run what it has (``--sweep-resume``), and then from any (``--sweep-cache``).

    Args:
        options: the options.
        runs: the run that is resumed and those that it went on from, newest first; none with ``--sweep-cache`` alone.
        verbosity: as pytest's ``-v``; above 0 it is told what was compared.
    """

    def __init__(self, options: SweepOptions, runs: Sequence[Path], verbosity: int) -> None:
        self._options = options
        self._runs = runs
        self._verbosity = verbosity

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
        try:
            if self._runs:
                self._resume(plan, trials, may_run)
            if self._options.cache:
                rest = [trial for trial in trials if trial.key not in plan.taken and trial.key not in plan.continued]
                self._take_cached(plan, [trial for trial in rest if trial.slot is None])
                take_points(plan, [trial for trial in rest if trial.slot is not None], self._options.results_dir)
        except StoreError as error:
            raise pytest.UsageError(str(error)) from error
        return plan

    def _resume(self, plan: Plan, trials: Sequence[Trial], may_run: Callable[[str], bool]) -> None:
        begun: dict[str, Outcome] = {}
        for folder in self._runs:
            missing = [trial.key for trial in trials if trial.key not in begun]
            if not missing:
                break
            # What a run has not begun, the run that it went on from may have.
            found = outcomes(folder, missing)
            begun |= {its.key: its for its in found if its.state.is_finished or its.attempts}
        for trial in trials:
            outcome = begun.get(trial.key)
            if outcome is None:
                continue
            failed = outcome.state is TrialState.ERROR and not self._options.retry_failed
            is_taken = outcome.state in _TAKEN and not (outcome.was_skipped and may_run(trial.key))
            (plan.taken if is_taken or failed else plan.continued)[trial.key] = outcome
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
            "new": len(trials) - len(begun),
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
                found = outcomes(folder, wanted)
            except StoreError as error:
                plan.warnings.append(f"cache: passed over: {error}")
                continue
            for outcome in found:
                trial = wanted[outcome.key]
                if not outcome.state.is_finished or told.differs(trial, outcome):
                    continue
                # It is the newest result that today's code would make; if that is a failure, it is made anew.
                del wanted[outcome.key]
                is_taken = outcome.state in _TAKEN and not outcome.was_skipped
                if is_taken:
                    plan.taken[outcome.key] = outcome
                told.note(trial, outcome, is_taken=is_taken)
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
        folder = _folder(options)
        runs = list(origins(folder, beside=True))
    except SweepError as error:
        raise pytest.UsageError(f"--sweep-resume: {error}") from error
    seed = runs[0][1].seed
    if given_seed is not None and given_seed != seed:
        raise pytest.UsageError(
            f"--sweep-seed={digits(given_seed)}: the run {folder.name} that is resumed has the seed {digits(seed)}, "
            f"with which all that is drawn would be "
            f"different: leave --sweep-seed away"
        )
    options = replace(options, seed=seed)
    return options, Resumption(options, [its for its, _ in runs], verbosity)


def _folder(options: SweepOptions) -> Path:
    results_dir = options.results_dir.absolute()
    if options.storage is not None:  # The run may have been another machine's.
        fetch_run(options.storage, results_dir, None if options.resume == LAST else str(options.resume))
    folder = last_run(results_dir) if options.resume == LAST else run_folder(results_dir, str(options.resume))
    driver = who_runs(folder)
    if driver is not None:
        raise StoreError(
            f"the run {folder.name} still goes on ({driver}), and what it has not finished would run twice: wait for its end, or end "
            "it with Ctrl-C or SIGTERM, which stores what it has"
        )
    return folder
