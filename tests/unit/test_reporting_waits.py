"""What the status says of trials that wait, and of what running ones were granted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from pytest_sweep.model import Resources, Trial, TrialState
from pytest_sweep.model.events import TrialFinished, TrialRetried, TrialStarted
from pytest_sweep.model.waiting import Wait, Waiting, WaitingGroup
from pytest_sweep.plugin.show.stalls import AGAIN_SECONDS, StallWatch
from pytest_sweep.reporting import Progress, final_table, stalled_lines, status_block
from pytest_sweep.reporting.waits import waiting_lines
from pytest_sweep.testing.samples import make_replicates
from tests.support.driven import make_trials

from .test_reporting_status import VIEW, table_of

CPUS = Wait("2 CPUs", "node 10.0.0.1 has 1 of 4 CPUs free; train[a=9] (3 CPUs) holds the rest")
RETRY = Wait("another attempt", "it has failed, and is tried again in 40 s")


def waiting(
    *groups: WaitingGroup, stalled: float | None = None, of: Callable[[str], Wait | None] = lambda _: None
) -> Waiting:
    return Waiting(groups, stalled, of)


class TestLines:
    def test_how_many_for_what(self) -> None:
        """While a run goes on, a line says how many trials wait for what."""
        some = waiting(WaitingGroup(CPUS, 12, ("train_model",)), WaitingGroup(RETRY, 1, ("train_model",)))
        assert waiting_lines(some) == ["Waiting: 12 trials for 2 CPUs, 1 trial for another attempt"]

    def test_why(self) -> None:
        """Where nothing happens, each reason has a line, which says who has what is missing."""
        some = waiting(WaitingGroup(CPUS, 12, ("train_model",)), WaitingGroup(RETRY, 1, ("a", "b")), stalled=60.4)
        assert waiting_lines(some) == [
            f"Waiting, without progress for 1 min: 12 trials of train_model wait for 2 CPUs: {CPUS.why}",
            f"Waiting, without progress for 1 min: 1 trial of a, b waits for another attempt: {RETRY.why}",
        ]

    def test_nothing_waits(self) -> None:
        """Where no trial waits, nothing is said."""
        assert waiting_lines(waiting()) == waiting_lines(waiting(stalled=90.0)) == []

    def test_many_reasons(self) -> None:
        """Of many reasons, and of many sweeps, the first are told and the others counted."""
        groups = [WaitingGroup(Wait(f"{n} CPUs", "because"), 2, tuple("abcdef")) for n in range(2, 10)]
        lines = stalled_lines(waiting(*groups, stalled=60.0))
        assert (
            lines[0] == "Waiting, without progress for 1 min: 2 trials of a, b, c and 3 more wait for 2 CPUs: because"
        )
        assert lines[5:] == ["... 6 more trials for 3 other reasons"]
        assert waiting_lines(waiting(*groups))[0].endswith("2 trials for 6 CPUs, 6 more")

    def test_sweeps_that_nobody_looked_up(self) -> None:
        """Of very many trials only the number is said."""
        (line,) = stalled_lines(waiting(WaitingGroup(CPUS, 10**6, ()), stalled=3700.0))
        assert line.startswith("Waiting, without progress for 1 h 1 min 40 s: 1000000 trials wait for 2 CPUs: ")


class TestBlock:
    def test_a_pending_row(self) -> None:
        """A row of a trial that waits says what for; the line above the table how many do."""
        trials = make_trials(2)
        progress = Progress(trials)
        progress.update(TrialStarted(trials[0].key, 1, 1.0, "10.0.0.1:42"))
        some = waiting(WaitingGroup(CPUS, 1, ()), of={trials[1].key: CPUS}.get)
        block = status_block(progress, dataclasses.replace(VIEW, waiting=some))
        assert "PENDING)\nWaiting: 1 trial for 2 CPUs\n+--" in block
        assert table_of(block) == [
            ["Trial name", "status", "waits for", "loc"],
            ["train[a=0]", "RUNNING", "", "10.0.0.1:42"],
            ["train[a=1]", "PENDING", "2 CPUs", ""],
        ]

    def test_a_narrow_terminal(self) -> None:
        """Where there is no room for the column, the line is still there."""
        (trial,) = make_trials(1)
        some = waiting(WaitingGroup(CPUS, 1, ()), of=lambda _: CPUS)
        block = status_block(Progress([trial]), dataclasses.replace(VIEW, waiting=some), width=26)
        assert "waits for" not in block
        assert "Waiting: 1 trial for 2 CPUs" in block


class TestGrants:
    def progress(self, resources: Resources) -> tuple[Progress, list[Trial]]:
        trials = make_trials(2, resources)
        progress = Progress(trials)
        progress.update(TrialStarted(trials[0].key, 1, 1.0, "10.0.0.1:42", "1,3", "4"))
        return progress, trials

    def test_gpus_and_threads(self) -> None:
        """Where trials ask for GPUs, the table shows those that each got, and its threads; in the end, too."""
        progress, trials = self.progress(Resources(cpu=4, gpu=2))
        rows = table_of(status_block(progress, VIEW))
        assert rows[0] == ["Trial name", "status", "loc", "gpus", "threads"]
        assert rows[1] == ["train[a=0]", "RUNNING", "10.0.0.1:42", "1,3", "4"]
        progress.update(TrialFinished(trials[0].key, 1, TrialState.TERMINATED, None, None, 2.0, 3.0))
        assert table_of(final_table(progress))[1][3:5] == ["1,3", "4"]

    def test_no_gpus(self) -> None:
        """A trial that has asked for none shows none, whatever its process sees."""
        progress, _ = self.progress(Resources(cpu=4))
        assert table_of(status_block(progress, VIEW))[0] == ["Trial name", "status", "loc", "threads"]

    def test_plain_trials(self) -> None:
        """Where every trial asks for one CPU, the table is as it always was."""
        progress, _ = self.progress(Resources(memory=2**30))
        assert table_of(status_block(progress, VIEW))[0] == ["Trial name", "status", "loc"]

    def test_a_retry(self) -> None:
        """What a failed attempt had is not shown beside the next one."""
        progress, trials = self.progress(Resources(cpu=4, gpu=2))
        progress.update(TrialRetried(TrialFinished(trials[0].key, 1, TrialState.ERROR, None, "no", 2.0, 3.0)))
        assert table_of(status_block(progress, VIEW))[0] == ["Trial name", "status"]

    def test_replicates(self) -> None:
        """A configuration shows what all its replicates were granted alike."""
        trials = make_replicates(1, 2)
        progress = Progress(trials)
        for trial, gpus in zip(trials, "01", strict=True):
            progress.update(TrialStarted(trial.key, 1, 1.0, "10.0.0.1:42", gpus, "2"))
        (header, row) = table_of(final_table(progress))
        assert dict(zip(header, row, strict=True))["threads"] == "2"


class FakeEngine:
    """An engine whose state is set."""

    resources = Resources()
    stalled: float | None = None
    groups: tuple[WaitingGroup, ...] = (WaitingGroup(CPUS, 12, ("train_model",)),)
    asked = 0

    def waiting(self) -> Waiting:
        self.asked += 1
        return waiting(*self.groups, stalled=self.stalled)


class TestStallWatch:
    def told(self, engine: FakeEngine, seconds: int) -> list[int]:
        """Return the seconds at which something is told, when the run stalls at second 60."""
        watch, told = StallWatch(), []
        for now in range(seconds):
            engine.stalled = float(now) if now >= 60 else None
            if watch.lines(engine, float(now)):
                told.append(now)
        return told

    def test_once_and_every_five_minutes(self) -> None:
        """What does not change is told once, and again after five minutes."""
        assert self.told(FakeEngine(), 700) == [60, 60 + int(AGAIN_SECONDS), 60 + 2 * int(AGAIN_SECONDS)]

    def test_it_costs_nothing_while_the_run_goes_on(self) -> None:
        """Nobody is asked who waits before the run stalls, and then every five seconds."""
        engine = FakeEngine()
        assert self.told(engine, 60) == []
        assert engine.asked == 0
        self.told(engine, 90)
        assert engine.asked == 6

    def test_a_new_reason(self) -> None:
        """A reason that changes is told when it is seen; that only the number of trials changes is none."""
        engine, watch = FakeEngine(), StallWatch()
        engine.stalled = 60.0
        assert watch.lines(engine, 60.0)
        engine.groups = (WaitingGroup(CPUS, 11, ("train_model",)),)
        assert not watch.lines(engine, 70.0)
        engine.groups = (WaitingGroup(RETRY, 1, ("train_model",)),)
        assert not watch.lines(engine, 72.0)
        assert watch.lines(engine, 75.0)

    def test_nothing_waits(self) -> None:
        """A run in which all that is left runs has nothing to tell."""
        engine = FakeEngine()
        engine.groups = ()
        assert self.told(engine, 200) == []
