"""Signals interrupt a session where nothing is lost, and sooner or later in any case."""

# ruff: noqa: PT012 - where in a block it raises is what is tested

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from pytest_sweep.plugin.session.signals import DOUBLED_SECONDS, PATIENCE_SECONDS, SAME_SECONDS, Interrupts


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeSession:
    """What is asked of a session: where to leave what is to be done in the end."""

    def __init__(self) -> None:
        self.config = self
        self.exitstatus: int = 0
        self.cleanups: list[Callable[[], None]] = []

    def add_cleanup(self, cleanup: Callable[[], None]) -> None:
        self.cleanups.append(cleanup)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def interrupts(clock: Clock) -> Interrupts:
    return Interrupts(clock)


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put the handlers back that the test has replaced."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def press(interrupts: Interrupts, number: int = signal.SIGINT) -> None:
    interrupts(number, None)


def started(interrupts: Interrupts) -> FakeSession:
    session = FakeSession()
    interrupts.pytest_sessionstart(cast("Any", session))
    return session


class TestHolding:
    def test_a_signal_raises_at_once(self, interrupts: Interrupts) -> None:
        """Where nothing is held a signal is a KeyboardInterrupt, as Python's own."""
        with pytest.raises(KeyboardInterrupt, match=r"^$"):
            press(interrupts)

    def test_the_text_names_other_signals(self, interrupts: Interrupts) -> None:
        """What is not Ctrl-C is named."""
        with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
            press(interrupts, signal.SIGTERM)

    def test_held_until_the_check(self, interrupts: Interrupts) -> None:
        """While signals are held, one is raised by the next check, once."""
        with pytest.raises(KeyboardInterrupt), interrupts.held():
            press(interrupts)
            assert interrupts.is_waiting
            interrupts.check()
            pytest.fail("check did not raise")
        assert not interrupts.is_waiting

    def test_held_until_the_end_of_the_block(self, interrupts: Interrupts) -> None:
        """A signal that no check has raised is raised when the block is left."""
        done = []
        with pytest.raises(KeyboardInterrupt), interrupts.held():
            press(interrupts)
            done.append(True)
        assert done == [True]

    def test_a_signal_just_before_the_block(self, interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that comes when the block is about to begin does not wait until it is over: a trial may run in it for hours."""
        check = interrupts.check

        def then_a_signal() -> None:
            check()
            monkeypatch.setattr(interrupts, "check", check)
            press(interrupts)

        monkeypatch.setattr(interrupts, "check", then_a_signal)
        with pytest.raises(KeyboardInterrupt), interrupts.held():
            try:
                with interrupts.allowed():
                    pytest.fail("the block was entered")
            finally:
                assert interrupts.is_held

    def test_allowed_within_held(self, interrupts: Interrupts, clock: Clock) -> None:
        """Code of the user is interrupted at once, and what comes after it is held again."""
        with pytest.raises(KeyboardInterrupt), interrupts.held():
            try:
                with interrupts.allowed():
                    press(interrupts)
            except KeyboardInterrupt:
                clock.now += SAME_SECONDS
                press(interrupts)  # Held.
        assert not interrupts.is_waiting

    def test_allowed_raises_what_waits(self, interrupts: Interrupts) -> None:
        """Code of the user is not called any more when a signal waits."""
        with pytest.raises(KeyboardInterrupt), interrupts.held():
            press(interrupts)
            with interrupts.allowed():
                pytest.fail("called")

    def test_left_by_an_exception_they_stay_held(self, interrupts: Interrupts) -> None:
        """When the block is left by an exception, the session ends: no signal cuts that short."""
        with pytest.raises(ValueError, match="stop"), interrupts.held():
            raise ValueError("stop")
        press(interrupts)
        assert interrupts.is_waiting


class TestTheSame:
    @pytest.mark.parametrize("gap", [0.0002, 0.002, 0.5])
    def test_within_a_second(self, interrupts: Interrupts, clock: Clock, gap: float) -> None:
        """Signals within a second are one, however many."""
        with pytest.raises(KeyboardInterrupt):
            press(interrupts)
        for _ in range(int(min(5, 0.9 / gap))):
            clock.now += gap if gap < 0.1 else 0.1
            press(interrupts, signal.SIGTERM)

    def test_one_that_was_caught_counts_no_more(self, interrupts: Interrupts, clock: Clock) -> None:
        """A trial that catches KeyboardInterrupt begins the count anew: a later signal is held as a first one is."""
        with interrupts.held():
            for _ in range(5):
                with interrupts.allowed():
                    with pytest.raises(KeyboardInterrupt):
                        press(interrupts)
                    clock.now += 10
            with pytest.raises(KeyboardInterrupt):
                press(interrupts)
                assert interrupts.is_waiting
                interrupts.check()

    def test_code_that_has_caught_one_gets_the_next_at_once(self, interrupts: Interrupts, clock: Clock) -> None:
        """A second Ctrl-C within the second raises in a trial that has caught the first; a doubled signal does not."""
        with pytest.raises(KeyboardInterrupt), interrupts.held(), interrupts.allowed():
            with pytest.raises(KeyboardInterrupt):
                press(interrupts)
            clock.now += DOUBLED_SECONDS / 2
            press(interrupts)
            clock.now += DOUBLED_SECONDS
            press(interrupts)
            pytest.fail("lost")

    def test_those_that_code_has_caught_force_nothing(self, interrupts: Interrupts, clock: Clock) -> None:
        """After two that a trial took a third is held as a second one is, so that results are stored."""
        with contextlib.suppress(KeyboardInterrupt), interrupts.held(), interrupts.allowed():
            with pytest.raises(KeyboardInterrupt):
                press(interrupts)
            clock.now += SAME_SECONDS
            press(interrupts)
        clock.now += SAME_SECONDS
        press(interrupts)
        assert interrupts.is_waiting

    @pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is none")
    @pytest.mark.parametrize(("name", "ends"), [("SIGINT", False), ("SIGTERM", True), ("SIGHUP", True)])
    def test_which_one_a_trial_may_keep_to_itself(self, interrupts: Interrupts, name: str, ends: bool) -> None:
        """A trial that catches Ctrl-C lets the session go on, as in plain pytest; SIGTERM and SIGHUP end it after the trial."""
        with contextlib.ExitStack() as expected:
            if ends:
                expected.enter_context(pytest.raises(KeyboardInterrupt, match=name))
            with interrupts.held():
                with interrupts.allowed(), pytest.raises(KeyboardInterrupt):
                    press(interrupts, getattr(signal, name))
                interrupts.check()
                assert not ends

    def test_one_that_is_lost_is_raised_again(self, interrupts: Interrupts) -> None:
        """An interrupt that is raised in a finalizer, where Python drops it, is raised again by the next check."""
        with pytest.raises(KeyboardInterrupt), interrupts.held():
            with interrupts.allowed(may_catch=False), contextlib.suppress(KeyboardInterrupt):
                press(interrupts)
            interrupts.check()


class TestForcing:
    @pytest.mark.parametrize("ending", [False, True])
    def test_the_third(self, interrupts: Interrupts, clock: Clock, ending: bool) -> None:
        """Two signals are held, the third raises wherever the program is."""
        interrupts.is_held = True
        if ending:
            interrupts.end()
        press(interrupts)
        clock.now += SAME_SECONDS
        press(interrupts)
        clock.now += SAME_SECONDS
        with pytest.raises(KeyboardInterrupt):
            press(interrupts)

    def test_a_late_one(self, interrupts: Interrupts, clock: Clock) -> None:
        """A second signal raises when the first was given so long to take effect."""
        interrupts.end()
        press(interrupts)
        clock.now += PATIENCE_SECONDS
        with pytest.raises(KeyboardInterrupt):
            press(interrupts)

    def test_nothing_is_raised_twice(self, interrupts: Interrupts) -> None:
        """A session that ends has heard of the interrupt: neither a check nor code of the user raises it again."""
        interrupts.is_held = True
        press(interrupts)
        interrupts.end()
        interrupts.check()
        with interrupts.allowed():
            pass

    def test_what_hangs_at_the_end_is_cut_off(self, interrupts: Interrupts, clock: Clock) -> None:
        """A signal that is raised while plugins finish ends that, with pytest's status, and never pytest itself."""
        session = FakeSession()
        finishing = interrupts.pytest_sessionfinish(cast("Any", session))
        next(finishing)
        press(interrupts)
        clock.now += PATIENCE_SECONDS
        with pytest.raises(KeyboardInterrupt) as raised:
            press(interrupts)
        with pytest.raises(StopIteration):
            finishing.throw(raised.value)
        assert session.exitstatus == pytest.ExitCode.INTERRUPTED


@pytest.mark.usefixtures("handlers")
class TestHandlers:
    def test_they_are_given_back(self, interrupts: Interrupts) -> None:
        """After the session the handlers are those from before."""
        session = started(interrupts)
        assert signal.getsignal(signal.SIGINT) is interrupts
        session.cleanups[0]()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

    def test_the_process_that_exits_does_not_hear_it_again(self, interrupts: Interrupts, clock: Clock) -> None:
        """After an interrupted session the same signal does nothing, and a later one what it did before."""
        session = started(interrupts)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        session.cleanups[0]()
        signal.raise_signal(signal.SIGINT)
        clock.now += SAME_SECONDS
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    def test_ordinary_tests_find_the_usual_ones(self, interrupts: Interrupts) -> None:
        """While ordinary tests run, the handlers are those that there are without us."""
        started(interrupts)
        with interrupts.left_alone():
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGINT) is interrupts

    def test_those_of_others_are_left_alone(self, interrupts: Interrupts) -> None:
        """What is ignored, as after nohup, stays ignored, and somebody's handler stays."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, print)
        session = started(interrupts)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is print
        session.cleanups[0]()

    def test_a_session_within_a_session(self, interrupts: Interrupts) -> None:
        """The inner session handles signals while it runs, then the outer one does again."""
        outer = started(Interrupts(Clock()))
        before = signal.getsignal(signal.SIGINT)
        inner = started(interrupts)
        assert signal.getsignal(signal.SIGINT) is interrupts
        inner.cleanups[0]()
        assert signal.getsignal(signal.SIGINT) is before
        outer.cleanups[0]()

    def test_an_interrupted_ordinary_test(self, interrupts: Interrupts) -> None:
        """After an interrupt of an ordinary test a second signal does not cut the ending short."""
        started(interrupts)
        with pytest.raises(KeyboardInterrupt), interrupts.left_alone():
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert interrupts.is_waiting

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_a_forked_process(self, interrupts: Interrupts) -> None:
        """A process that a trial forks ends by SIGTERM as it would without us, so that a pool can be terminated."""
        started(interrupts)
        pid = os.fork()
        if pid == 0:
            signal.raise_signal(signal.SIGTERM)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM

    def test_another_thread(self, interrupts: Interrupts) -> None:
        """A session in another thread handles no signal: Python allows that in the main thread only."""
        thread = threading.Thread(target=started, args=(interrupts,))
        thread.start()
        thread.join()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
