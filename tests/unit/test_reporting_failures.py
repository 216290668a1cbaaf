"""What is said of trials that passed late, and of failures that are tolerated; and what the session exits with."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest

from pytest_sweep.model import TrialState
from pytest_sweep.model.events import TrialFinished, TrialNotRun
from pytest_sweep.plugin.session.verdict import INCOMPLETE, exit_status
from pytest_sweep.reporting import Progress, flaky_line, junit_properties, tolerated_lines
from pytest_sweep.testing.samples import SWEEP
from tests.support.driven import make_trials

OK, FAILED, INTERRUPTED = (int(code) for code in list(pytest.ExitCode)[:3])


def progress_of(*ends: tuple[TrialState, int], tolerate: int | Fraction = 0) -> Progress:
    """Return the progress of a sweep whose trials have ended so: states and attempts."""
    trials = make_trials(len(ends), sweep=dataclasses.replace(SWEEP, tolerate=tolerate))
    progress = Progress(trials)
    for trial, (state, attempt) in zip(trials, ends, strict=True):
        if state is TrialState.NOT_RUN:
            progress.update(TrialNotRun(trial.key, "no time"))
        else:
            progress.update(TrialFinished(trial.key, attempt, state, {"loss": 1.0}, None, 1.0, 2.0))
    return progress


def good(count: int = 1, attempt: int = 1) -> list[tuple[TrialState, int]]:
    return [(TrialState.TERMINATED, attempt)] * count


def bad(count: int = 1) -> list[tuple[TrialState, int]]:
    return [(TrialState.ERROR, 3)] * count


def test_flaky_trials() -> None:
    """Only what passed at a later attempt is flaky; of many the first five are named, in order."""
    assert flaky_line(progress_of(*good(), *bad())) == ""
    line = flaky_line(progress_of(*good(), *good(1, 2), *bad()))
    assert line == "1 flaky trial, passed at a later attempt: train[a=1] (attempt 2)"
    assert flaky_line(progress_of(*good(7, 2))).endswith("train[a=4] (attempt 2) and 2 more")


def test_flaky_trials_with_short_names() -> None:
    """A short name is shown as it is in a line that is too wide; digits stand for one that fills the line."""
    short = flaky_line(progress_of(*good(5, 2)), 80)
    assert "train[a=0] (attempt 2), train[a=1] (attempt 2)" in short
    trial = dataclasses.replace(make_trials(1)[0], name=f"train[a={'x' * 70}]")
    progress = Progress([trial])
    progress.update(TrialFinished(trial.key, 2, TrialState.TERMINATED, {}, None, 1.0, 2.0))
    assert flaky_line(progress, 80).endswith(f": {progress.short_name(trial)} (attempt 2)")


@pytest.mark.parametrize(
    ("tolerate", "failed", "line"),
    [
        (0, 3, None),
        (3, 0, None),
        (3, 3, "train_model: 3 of 20 trials failed, which is tolerated (tolerate=3)"),
        (Fraction(5, 100), 1, "train_model: 1 of 20 trials failed, which is tolerated (tolerate=5%)"),
        (Fraction(5, 100), 2, "train_model: 2 of 20 trials failed, more than tolerate=5%"),
    ],
)
def test_tolerated_failures(tolerate: int | Fraction, failed: int, line: str | None) -> None:
    """A sweep that tolerates failures and has some says whether they are few enough."""
    progress = progress_of(*bad(failed), *good(20 - failed), tolerate=tolerate)
    assert tolerated_lines(progress) == ([] if line is None else [line])


def test_attempts_in_junit() -> None:
    """A trial that was tried again has the errors of the attempts before the last one."""
    (trial,) = make_trials(1)
    properties = dict(junit_properties(trial, TrialState.TERMINATED, None, "run", ["OSError: a", "OSError: b"]))
    assert (properties["sweep.attempts"], properties["attempt.1"], properties["attempt.2"]) == (
        "3",
        "OSError: a",
        "OSError: b",
    )
    assert "sweep.attempts" not in dict(junit_properties(trial, TrialState.TERMINATED, None, "run"))


class TestExitStatus:
    def verdict(
        self,
        progress: Progress,
        status: int,
        failures: int,
        reports: int,
        *,
        cut_short: bool = False,
        unstored: bool = False,
    ) -> int:
        return exit_status(status, failures, {SWEEP.id: reports}, progress, cut_short=cut_short, unstored=unstored)

    def test_pytests_own(self) -> None:
        """Where nothing is special pytest's status stands, another plugin's too."""
        assert self.verdict(progress_of(*good()), OK, 0, 0) == OK
        assert self.verdict(progress_of(*bad()), FAILED, 1, 1) == FAILED
        assert self.verdict(progress_of(*good()), FAILED, 0, 0) == FAILED

    def test_tolerated(self) -> None:
        """Tolerated failures count as none, but excuse no other."""
        progress = progress_of(*bad(), *good(), tolerate=1)
        assert self.verdict(progress, FAILED, 1, 1) == OK
        assert self.verdict(progress, FAILED, 2, 1) == FAILED
        assert self.verdict(progress, INTERRUPTED, 1, 1) == INTERRUPTED

    def test_incomplete(self) -> None:
        """What was not run for want of time, or not stored, is told by a status of its own; an interrupt's stands."""
        progress = progress_of(*good(), *bad(), (TrialState.NOT_RUN, 0))
        assert self.verdict(progress, FAILED, 1, 1, cut_short=True) == INCOMPLETE == 6
        assert self.verdict(progress, INTERRUPTED, 1, 1, cut_short=True) == INTERRUPTED
        assert self.verdict(progress_of(*good()), OK, 0, 0, cut_short=True) == OK
        assert self.verdict(progress_of(*good()), OK, 0, 0, unstored=True) == INCOMPLETE
