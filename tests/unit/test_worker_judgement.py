"""A report at a milestone is sent at once and waits for its verdict; what ends an attempt early, and as what."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from pytest_sweep.model import StopRule, Sweep, Task, Trial, TrialState
from pytest_sweep.model.commands import Tell
from pytest_sweep.model.events import TrialReported
from pytest_sweep.model.study import Milestones, Verdict, VerdictKind
from pytest_sweep.worker.judgement import Judgement, TrialPaused, TrialStopped
from pytest_sweep.worker.trial import ActiveTrial

AT_2 = Milestones((2,))
LIMIT = 10.0
STOP, PAUSE, GO_ON = VerdictKind.STOP, VerdictKind.PAUSE, VerdictKind.CONTINUE


class Judged:
    """A trial that is judged; `answer` is called when it wants its report to be sent at once."""

    def __init__(
        self, folder: Path, milestones: Milestones | None = AT_2, *stop: StopRule, patience: float = LIMIT, **task: Any
    ) -> None:
        trial = Trial(
            "0" * 16, "test_a.py::train[a=1]", "train[a=1]", Sweep("test_a.py::train", "train", stop=stop), {}
        )
        fresh = Task(trial, 1, str(folder / "trial"), lease=7, milestones=milestones)
        self.task = dataclasses.replace(fresh, **task)
        self.emitted: list[Any] = []
        self.hurried: list[int] = []
        self.answer: Callable[[], None] = lambda: None
        self.judgement = Judgement(self.task, self._hurry, patience)
        self.trial = ActiveTrial(self.task, self.emitted.append, judgement=self.judgement)
        self.saved = folder / "saved"
        self.saved.write_text("saved")

    def _hurry(self) -> None:
        self.hurried.append(len(self.emitted))
        self.answer()

    def report(self, count: int = 1, *, saves: bool = False) -> None:
        for _ in range(count):
            self.trial.report({"x": 1}, self.saved if saves else None)

    def tell(self, kind: VerdictKind = GO_ON, iteration: int = 2, **others: Any) -> None:
        order = Tell("worker-1", "0" * 16, 1, 7, iteration, Verdict(kind, "the reason"))
        self.judgement.take(dataclasses.replace(order, **others))

    def tells_later(self, kind: VerdictKind = GO_ON, iteration: int = 2, **others: Any) -> threading.Thread:
        """Tell it in another thread when the report waits."""
        telling = threading.Timer(0.02, self.tell, (kind, iteration), others)
        self.answer = telling.start
        return telling


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    return Judged(tmp_path)


class TestWaiting:
    def test_only_at_milestones(self, judged: Judged) -> None:
        """Only there is the report sent at once; it is emitted by then."""
        judged.answer = judged.tell
        judged.report(4)
        assert judged.hurried == [2]

    def test_each_multiple(self, tmp_path: Path) -> None:
        """Milestones may be all multiples of a number; those that do not wait are sent at once, too."""
        judged = Judged(tmp_path, Milestones(every=2, waits=False))
        judged.report(5)
        assert judged.hurried == [2, 4]

    def test_no_milestones(self, tmp_path: Path) -> None:
        """A trial that is not judged never asks, and takes no verdict."""
        judged = Judged(tmp_path, None)
        judged.tell(STOP)
        judged.report(3)
        assert (judged.hurried, judged.judgement.state) == ([], TrialState.TERMINATED)

    def test_it_goes_on(self, judged: Judged) -> None:
        """It waits until the verdict is there, and not longer."""
        telling = judged.tells_later()
        began = time.monotonic()
        judged.report(2)
        assert 0.01 < time.monotonic() - began < LIMIT / 2
        telling.join()

    def test_patience(self, tmp_path: Path) -> None:
        """Without a verdict it goes on after a while."""
        judged = Judged(tmp_path, patience=0.1)
        began = time.monotonic()
        judged.report(2)
        assert 0.09 < time.monotonic() - began < LIMIT / 2
        assert not judged.trial.should_stop

    @pytest.mark.parametrize("others", [{"key": "1" * 16}, {"attempt": 2}, {"lease": 8}])
    def test_a_verdict_for_another(self, tmp_path: Path, others: dict[str, Any]) -> None:
        """One for another trial, attempt or lease is ignored."""
        judged = Judged(tmp_path, patience=0.1)
        judged.answer = lambda: judged.tell(STOP, **others)
        began = time.monotonic()
        judged.report(2)
        assert time.monotonic() - began > 0.09

    def test_a_verdict_on_an_older_report(self, tmp_path: Path) -> None:
        """That it may go on does not end the wait at a later milestone; that it is to stop does."""
        judged = Judged(tmp_path, Milestones(every=1), patience=0.1)
        judged.report()
        judged.answer = lambda: judged.tell(iteration=1)
        began = time.monotonic()
        judged.report()
        assert time.monotonic() - began > 0.09
        judged.answer = lambda: judged.tell(STOP, iteration=1)
        with pytest.raises(TrialStopped):
            judged.report()

    def test_several_threads(self, tmp_path: Path) -> None:
        """Reports of several threads wait for their verdicts at the same time, and all of them are told."""
        judged = Judged(tmp_path, Milestones(every=1))
        threads = [threading.Thread(target=judged.report) for _ in range(8)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + LIMIT
        while len(judged.hurried) < 8 and time.monotonic() < deadline:
            time.sleep(0.001)
        judged.tell(iteration=8)
        for thread in threads:
            thread.join(LIMIT / 2)
        assert not any(thread.is_alive() for thread in threads)

    def test_a_signal(self, judged: Judged) -> None:
        """Ctrl-C, and whatever else a signal raises, ends the wait."""

        def interrupt(_: int, __: FrameType | None) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            judged.answer = lambda: signal.setitimer(signal.ITIMER_REAL, 0.05) and None
            began = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                judged.report(2)
        finally:
            signal.signal(signal.SIGALRM, before)
        assert time.monotonic() - began < LIMIT / 2
        judged.tell(STOP)  # Nobody holds the lock any more.

    def test_no_clock(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A trial may patch the functions of `time`."""
        judged = Judged(tmp_path, patience=0.1)
        with monkeypatch.context() as patched:
            for name in ("time", "monotonic", "perf_counter", "sleep"):
                patched.setattr(time, name, None)
            judged.report(2)
        assert len(judged.emitted) == 2


class TestObeying:
    @pytest.mark.parametrize(
        ("kind", "error", "state"), [(STOP, TrialStopped, "STOPPED"), (PAUSE, TrialPaused, "PAUSED")]
    )
    def test_at_the_milestone(self, judged: Judged, kind: VerdictKind, error: type[BaseException], state: str) -> None:
        """The body is ended there, with the reason."""
        judged.tells_later(kind)
        with pytest.raises(error, match="the reason"):
            judged.report(5)
        assert (len(judged.emitted), str(judged.judgement.state)) == (2, state)

    def test_late(self, tmp_path: Path) -> None:
        """A verdict that comes later ends it with its next report."""
        judged = Judged(tmp_path, patience=0.0)
        judged.report(2)
        judged.tell(STOP)
        with pytest.raises(TrialStopped):
            judged.report()
        assert len(judged.emitted) == 3

    def test_another_thread(self, judged: Judged) -> None:
        """A report on another thread does not raise; its body sees should_stop."""
        judged.tells_later(STOP)
        thread = threading.Thread(target=judged.report, args=(3,))
        thread.start()
        thread.join(LIMIT)
        assert (len(judged.emitted), judged.trial.should_stop) == (3, True)
        assert judged.judgement.state is TrialState.STOPPED

    def test_in_a_coroutine(self, judged: Judged) -> None:
        """An async body is ended, too: its report waits for milliseconds, and raises in its coroutine."""

        async def train() -> None:
            await asyncio.sleep(0)
            judged.report(5)

        judged.tells_later(STOP)
        with pytest.raises(TrialStopped):
            asyncio.run(train())
        assert (len(judged.emitted), judged.judgement.state) == (2, TrialState.STOPPED)

    def test_who_never_knew(self, tmp_path: Path) -> None:
        """A trial that ended before it could know of its verdict has run to its own end."""
        judged = Judged(tmp_path, patience=0.0)
        judged.report(2)
        judged.tell(STOP)
        assert judged.judgement.state is TrialState.TERMINATED

    def test_the_first_one_counts(self, tmp_path: Path) -> None:
        """Of several verdicts that end it the first one counts."""
        judged = Judged(tmp_path, patience=0.0)
        judged.report(2)
        judged.tell(STOP)
        judged.tell(PAUSE)
        with pytest.raises(TrialStopped):
            judged.report()
        assert judged.judgement.state is TrialState.STOPPED


class TestPausing:
    def test_with_a_checkpoint(self, tmp_path: Path) -> None:
        """The attempt pauses at the report that its task names, without asking anybody."""
        judged = Judged(tmp_path, pause_at=2)
        with pytest.raises(TrialPaused):
            judged.report(3, saves=True)
        last = judged.emitted[-1]
        assert isinstance(last, TrialReported)
        assert (len(judged.emitted), judged.hurried, judged.judgement.state) == (2, [], TrialState.PAUSED)
        assert last.checkpoint is not None

    @pytest.mark.parametrize("milestones", [AT_2, Milestones()])
    def test_without_a_checkpoint(self, tmp_path: Path, milestones: Milestones) -> None:
        """Without one it is a milestone as others, whether or not the milestones name it."""
        judged = Judged(tmp_path, milestones, pause_at=2)
        judged.answer = judged.tell
        judged.report(3)
        assert (judged.hurried, judged.judgement.state) == ([2], TrialState.TERMINATED)

    def test_a_stop_rule_comes_first(self, tmp_path: Path) -> None:
        """One that is met at the same report stops the trial, and nobody is asked."""
        for options in ({"pause_at": 2}, {}):
            judged = Judged(tmp_path, AT_2, StopRule("training_iteration", ">=", 2), **options)
            with pytest.raises(TrialStopped):
                judged.report(3, saves=True)
            assert (judged.hurried, judged.judgement.state) == ([], TrialState.STOPPED)

    def test_in_another_thread(self, tmp_path: Path) -> None:
        """A body on another thread that looks at should_stop is paused; one that does not runs to its end."""
        for looks, state in ((True, TrialState.PAUSED), (False, TrialState.TERMINATED)):
            judged = Judged(tmp_path, pause_at=2)
            thread = threading.Thread(target=lambda judged=judged: judged.report(2, saves=True))
            thread.start()
            thread.join(LIMIT)
            assert not looks or judged.trial.should_stop
            assert judged.judgement.state is state

    def test_a_late_verdict_does_not_change_it(self, tmp_path: Path) -> None:
        """What is paused stays paused, whatever is said of an earlier report."""
        judged = Judged(tmp_path, pause_at=2)
        with pytest.raises(TrialPaused):
            judged.report(2, saves=True)
        judged.tell(STOP, iteration=1)
        assert judged.judgement.state is TrialState.PAUSED

    def test_restored_where_it_pauses(self, tmp_path: Path) -> None:
        """An attempt after one that died when it had saved that checkpoint pauses before its body begins; iterations count on."""
        first = Judged(tmp_path, Milestones(), pause_at=3)
        with pytest.raises(TrialPaused):
            first.report(3, saves=True)
        for pause_at, ends in ((3, True), (5, False)):
            known = first.emitted[-1].checkpoint
            second = Judged(tmp_path, pause_at=pause_at, attempt=2, checkpoint=known, iteration=3)
            second.trial.restore(tmp_path / "scratch")
            if ends:
                with pytest.raises(TrialPaused):
                    second.trial.begin()
            else:
                second.trial.begin()
                with pytest.raises(TrialPaused):
                    second.report(9, saves=True)
                assert second.emitted[-1].metrics["training_iteration"] == 5
