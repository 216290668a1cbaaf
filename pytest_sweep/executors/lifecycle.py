r"""The life of a worker process, as a state machine: starts and retries, stale answers, deadlines, graceful ends, kills.

Used for the workers that run trials and for the builders of shared fixtures, on every executor that has processes. It is pure: orders and
news come in as method calls, what is to be done goes to a `Port`, what has become of it to an `Owner`. Time is passed in.

A `Slot` has one process at a time, and possibly several one after the other. Each process has a number, its birth: what is said of an
older one is refused here, and nowhere else.

    RESERVING -> STARTING -> IDLE <-> BUSY            the session runs
                                \-> FINISHING        the session ends: fixtures are torn down
                                       \-> EXITING   the process ends by itself: exit handlers run, files are flushed
    any of them -> KILLED                             the process is being killed
    then: a new process (STARTING), DOWN (the owner decides), or GONE
"""

from __future__ import annotations

from typing import Any

from pytest_sweep.durations import duration_words
from pytest_sweep.executors.phases import Limits, Owner, Phase, Port, Then
from pytest_sweep.model.commands import WithinCall
from pytest_sweep.model.events import Death
from pytest_sweep.wire.calls import CallResult
from pytest_sweep.wire.lastwords import Ending


class Slot:
    """A place for one process at a time.

    Args:
        port: does what is to be done.
        owner: is told what came of it.
        limits: how long each phase may take.
        reserves: whether something is to be reserved before a process can be started.

    Attributes:
        phase: what the process does now.
        birth: the number of the process; counts from 1.
        fixture: the fixture that is torn down now, as the process has last said; "" where none is known.
        torn_down: the key of the trial that has used it last; "" likewise.
        deadline: when the phase has taken too long, or None.
    """

    def __init__(self, port: Port, owner: Owner, limits: Limits, *, reserves: bool = False) -> None:
        self.phase = Phase.DOWN
        self.birth = 0
        self.fixture = self.torn_down = ""
        self.deadline: float | None = None
        self._port = port
        self._owner = owner
        self._limits = limits
        self._reserves = reserves
        self._is_reserved = False
        self._failed_starts = 0
        self._has_run = False
        self._then = Then.DIED
        self._killed_in = Phase.IDLE
        self._is_overrun = False

    @property
    def is_overrun(self) -> bool:
        """Whether the process is ended, or was, because a phase took too long."""
        return self._is_overrun

    @property
    def is_stopping(self) -> bool:
        """Whether no other process follows the one that ends."""
        return self._then is Then.STOP

    # Orders

    def start(self) -> None:
        """Start a process, when what it holds is reserved."""
        if self._reserves and not self._is_reserved:
            self._enter(Phase.RESERVING)
            self._port.reserve()
        else:
            self._spawn()

    def run(self, order: Any, deadline: float | None = None) -> None:
        """Give the session an order, which is lost where its process has died: the owner has been told of that."""
        if self.phase is Phase.IDLE:
            self._enter(Phase.BUSY, deadline)
            self._has_run, self.fixture, self.torn_down = True, "", ""
            self._port.send(order)

    def tell(self, order: WithinCall) -> None:
        """Pass an order on to the session, if it carries out another one: else it comes too late."""
        if self.phase is Phase.BUSY:
            self._port.tell(order)

    def restart(self, now: float, within: float | None = None) -> None:
        """Replace the process, after its session has ended, which may take `within` seconds."""
        if self.phase in (Phase.IDLE, Phase.BUSY):
            self._finish(Then.RESTART, now, within)
            self._port.prepare()
        elif self.phase is Phase.KILLED and self._then is not Then.STOP:
            self._then = Then.RESTART
        elif self.phase is Phase.DOWN:
            self.start()

    def stop(self, now: float, within: float | None = None) -> None:
        """End the session, which may take `within` seconds, then the process. One whose session has not started ends at once."""
        if self.phase in (Phase.IDLE, Phase.BUSY):
            self._finish(Then.STOP, now, within)
        elif self.phase in (Phase.FINISHING, Phase.EXITING, Phase.KILLED):
            self._then = Then.STOP
            if self.phase is Phase.FINISHING and within is not None:
                self.deadline = min(now + within, now + within if self.deadline is None else self.deadline)
        elif self.phase is not Phase.GONE:
            self.abandon()
            self._owner.on_stopped()

    def kill(self, now: float) -> None:
        """Kill the process, in whichever phase it is."""
        if self.phase is Phase.RESERVING:
            self.release()
            self._enter(Phase.DOWN)
            self._owner.on_died(Phase.RESERVING, Ending("it was ended before it had a process"))
        elif self.phase is Phase.IDLE and self._has_run:
            self._kill(Then.NOTHING, now)  # Its answer has crossed the order, and is the only one.
        elif self.phase in (Phase.STARTING, Phase.IDLE, Phase.BUSY):
            self._kill(Then.DIED, now)
        elif self.phase in (Phase.FINISHING, Phase.EXITING):
            self._kill(Then.STOP if self._then is Then.STOP else Then.DIED, now)

    def cut_off(self, now: float) -> None:
        """Kill the process if it carries out an order; it need not show its stacks."""
        if self.phase is Phase.BUSY:
            self._kill(Then.DIED, now, shows_stacks=False)

    def release(self) -> None:
        """Give back what was reserved; the process, if there is one, goes on without it."""
        if self._is_reserved or self.phase is Phase.RESERVING:
            self._is_reserved = False
            self._port.release()

    def abandon(self) -> None:
        """End the process at once and give everything back; the owner is told nothing more."""
        self._port.drop()
        self.release()
        self.birth += 1
        self._enter(Phase.GONE)

    # News

    def on_reserved(self) -> None:
        """What the slot holds is granted."""
        if self.phase is Phase.RESERVING:
            self._is_reserved = True
            self._spawn()

    def on_not_reserved(self, cause: str) -> None:
        """What the slot holds is not granted, and never will be."""
        if self.phase is Phase.RESERVING:
            self._fail(None, cause)

    def on_up(self, birth: int, now: float) -> None:
        """The process is there."""
        if birth == self.birth and self.phase is Phase.STARTING:
            self.deadline = now + self._limits.start
            self._port.start()

    def on_started(self, birth: int, result: CallResult) -> None:
        """The session has started, or has said why it cannot."""
        if birth != self.birth or self.phase is not Phase.STARTING:
            return
        if result.failure is not None or result.exit is not None:
            self._fail(result, result.failure or "")
        else:
            self._failed_starts = 0
            self._enter(Phase.IDLE)
            self._owner.on_started(result)

    def on_answer(self, birth: int, answer: Any) -> None:
        """The order was carried out, perhaps while the process was being stopped or killed."""
        if birth != self.birth:
            return
        if self.phase is Phase.BUSY:
            self._enter(Phase.IDLE)
        elif self.phase is Phase.KILLED and self._then is Then.DIED and self._killed_in is Phase.BUSY:
            self._then = Then.NOTHING
        elif self.phase is not Phase.FINISHING:
            return
        self._owner.on_answer(answer)

    def on_finished(self, birth: int, now: float) -> None:
        """The session has ended."""
        if birth == self.birth and self.phase is Phase.FINISHING:
            self._enter(Phase.EXITING, now + self._limits.exit)
            self._port.exit()

    def on_gone(self, birth: int, ending: Ending, *, may_retry: bool = True) -> None:
        """The process has ended. `may_retry` says whether another one may fare better, where it had not started."""
        if birth != self.birth or self.phase in (Phase.RESERVING, Phase.DOWN, Phase.GONE):
            return
        phase = self.phase
        self._port.drop()
        if phase is Phase.STARTING and ending.kind is not Death.NODE_LOST:
            self._failed_starts += 1
            if may_retry and self._failed_starts < self._limits.starts:
                self._spawn()
            else:
                self._fail(None, ending.cause, ending)
        elif phase in (Phase.STARTING, Phase.IDLE, Phase.BUSY):
            self._enter(Phase.DOWN)
            self._owner.on_died(phase, ending)
        else:
            if phase is Phase.FINISHING:
                self._owner.on_lost(ending)
            elif phase is Phase.KILLED and self._is_overrun and self._killed_in in (Phase.FINISHING, Phase.EXITING):
                self._owner.on_overrun(self._killed_in, self.fixture, ending)
            self._go_on(ending)

    def tick(self, now: float) -> None:
        """Look at the clock: end a process whose phase has taken too long."""
        if self.deadline is None or now < self.deadline:
            return
        if self.phase is Phase.KILLED:
            self.on_gone(
                self.birth, Ending(f"it did not end within {duration_words(self._limits.kill)} after it was killed")
            )
        else:
            then = {Phase.STARTING: Then.FAIL, Phase.BUSY: Then.DIED}.get(self.phase, self._then)
            self._kill(then, now, is_overrun=True)

    # Inside

    def _enter(self, phase: Phase, deadline: float | None = None) -> None:
        self.phase, self.deadline = phase, deadline

    def _spawn(self) -> None:
        self.birth += 1
        self._enter(Phase.STARTING)
        self._has_run, self._is_overrun, self._then = False, False, Then.DIED
        self.fixture = self.torn_down = ""
        self._port.spawn(self.birth)

    def _finish(self, then: Then, now: float, within: float | None) -> None:
        self._enter(Phase.FINISHING, None if within is None else now + within)
        self._then = then
        self._port.finish()

    def _kill(self, then: Then, now: float, *, is_overrun: bool = False, shows_stacks: bool = True) -> None:
        self._killed_in, self._is_overrun = self.phase, is_overrun
        self._enter(Phase.KILLED, now + self._limits.kill)
        self._then = then
        self._port.kill(shows_stacks=shows_stacks)

    def _fail(self, failure: CallResult | None, cause: str, ending: Ending | None = None) -> None:
        if ending is not None and ending.stacks:
            cause = f"{cause}\n{ending.stacks}"
        self.abandon()
        self._owner.on_not_started(failure, cause)

    def _go_on(self, ending: Ending) -> None:
        """Do what was to follow when the process would be gone."""
        if self._then is Then.STOP:
            self.abandon()
            self._owner.on_stopped()
        elif self._then is Then.RESTART:
            self.start()
        elif self._then is Then.FAIL:
            limit = duration_words(self._limits.start)
            self._fail(None, f"its session did not start within {limit}, and its process was ended", ending)
        else:
            self._enter(Phase.DOWN)
            if self._then is Then.DIED:
                self._owner.on_died(self._killed_in, ending)
