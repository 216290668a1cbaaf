"""The life of a worker's process, without a process: every order in every phase, stale answers, deadlines, kills."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.executors.awake import AwakeClock
from pytest_sweep.executors.lifecycle import Slot
from pytest_sweep.executors.phases import Limits, Phase
from pytest_sweep.model.events import Death
from pytest_sweep.wire.calls import CallResult
from pytest_sweep.wire.lastwords import Ending

DONE = CallResult(0, (), "10.0.0.1:7")
FAILED = CallResult(0, (), "10.0.0.1:7", failure="SyntaxError")
CRASH = Ending("killed by SIGSEGV")
LIMITS = Limits(start=300, exit=10, kill=60, starts=3)


class Driven:
    """A slot whose port and owner note what they are told; `take` returns that, and forgets it."""

    def __init__(self, *, reserves: bool = False) -> None:
        self._noted: list[str] = []
        self.slot = Slot(self, self, LIMITS, reserves=reserves)

    def take(self) -> str:
        """Return what was done and told since the last call."""
        noted, self._noted = " ".join(self._noted), []
        return noted

    def at(self, phase: Phase) -> Driven:
        """Bring the slot into a phase; forget what that took."""
        slot = self.slot
        slot.start()
        if phase is not Phase.RESERVING:
            slot.on_reserved()
            slot.on_up(1, 0)
        if phase not in (Phase.RESERVING, Phase.STARTING):
            slot.on_started(1, DONE)
        if phase in (Phase.BUSY, Phase.KILLED, Phase.DOWN):
            slot.run("order")
        if phase in (Phase.FINISHING, Phase.EXITING):
            slot.restart(0, 5)
        if phase is Phase.EXITING:
            slot.on_finished(1, 0)
        elif phase is Phase.KILLED:
            slot.kill(0)
        elif phase is Phase.DOWN:
            slot.on_gone(1, CRASH)
        elif phase is Phase.GONE:
            slot.abandon()
        assert self.slot.phase is phase
        self.take()
        return self

    # The port

    def reserve(self) -> None:
        self._noted.append("reserve")

    def release(self) -> None:
        self._noted.append("release")

    def prepare(self) -> None:
        self._noted.append("prepare")

    def spawn(self, birth: int) -> None:
        self._noted.append(f"spawn{birth}")

    def start(self) -> None:
        self._noted.append("start")

    def send(self, order: Any) -> None:
        self._noted.append(f"send:{order}")

    def tell(self, order: Any) -> None:
        self._noted.append(f"tell:{order}")

    def finish(self) -> None:
        self._noted.append("finish")

    def exit(self) -> None:
        self._noted.append("exit")

    def kill(self, *, shows_stacks: bool = True) -> None:  # noqa: ARG002
        self._noted.append("kill")

    def drop(self) -> None:
        self._noted.append("drop")

    # The owner

    def on_started(self, result: CallResult) -> None:  # noqa: ARG002
        self._noted.append("STARTED")

    def on_not_started(self, failure: CallResult | None, cause: str) -> None:
        self._noted.append(f"NOT-STARTED({cause}{'' if failure is None else ', said itself'})")

    def on_answer(self, answer: Any) -> None:
        self._noted.append(f"ANSWER:{answer}")

    def on_died(self, phase: Phase, ending: Ending) -> None:
        self._noted.append(f"DIED({phase.name}, {ending.cause})")

    def on_overrun(self, phase: Phase, fixture: str, ending: Ending) -> None:
        self._noted.append(f"OVERRUN({phase.name}, {fixture}, {ending.stacks})")

    def on_lost(self, ending: Ending) -> None:
        self._noted.append(f"LOST({ending.cause})")

    def on_stopped(self) -> None:
        self._noted.append("STOPPED")


ORDERS = ("run", "restart", "stop", "kill")
TABLE = [
    # run, restart, stop, kill: what is done and told at once, and the phase after it
    (Phase.RESERVING, "", "", "drop release STOPPED", "release DIED(RESERVING, it was ended before it had a process)"),
    (Phase.STARTING, "", "", "drop release STOPPED", "kill"),
    (Phase.IDLE, "send:more", "finish prepare", "finish", "kill"),
    (Phase.BUSY, "", "finish prepare", "finish", "kill"),
    (Phase.FINISHING, "", "", "", "kill"),
    (Phase.EXITING, "", "", "", "kill"),
    (Phase.KILLED, "", "", "", ""),
    (Phase.DOWN, "", "spawn2", "drop release STOPPED", ""),
    (Phase.GONE, "", "", "", ""),
]


@pytest.mark.parametrize(
    ("phase", "order", "expected"),
    [(row[0], order, row[number]) for row in TABLE for number, order in enumerate(ORDERS, 1)],
)
def test_every_order_in_every_phase(phase: Phase, order: str, expected: str) -> None:
    """Each order does in each phase what the table says, at once."""
    driven = Driven(reserves=True).at(phase)
    orders: dict[str, Any] = {
        "run": lambda: driven.slot.run("more"),
        "restart": lambda: driven.slot.restart(0, 5),
        "stop": lambda: driven.slot.stop(0, 5),
        "kill": lambda: driven.slot.kill(0),
    }
    orders[order]()
    assert driven.take() == expected


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (Phase.STARTING, "drop DIED(STARTING, killed)"),
        (Phase.IDLE, "drop DIED(IDLE, killed)"),
        (Phase.BUSY, "drop DIED(BUSY, killed)"),
        (Phase.FINISHING, "drop DIED(FINISHING, killed)"),
        (Phase.EXITING, "drop DIED(EXITING, killed)"),
    ],
)
def test_a_kill_is_answered_by_the_death(phase: Phase, expected: str) -> None:
    """In every phase with a process its owner is told of the death, and decides; one that was to stop is told that it has."""
    driven = Driven(reserves=True).at(phase)
    driven.slot.kill(0)
    driven.take()
    driven.slot.on_gone(1, Ending("killed"))
    assert driven.take() == expected
    assert driven.slot.phase is Phase.DOWN
    driven.slot.stop(0)
    assert driven.take() == "drop release STOPPED"
    if phase in (Phase.FINISHING, Phase.EXITING):
        driven = Driven().at(phase)
        driven.slot.stop(0)
        driven.slot.kill(0)
        driven.slot.on_gone(1, Ending("killed"))
        assert driven.take() == "kill drop drop STOPPED"


def test_a_kill_that_crosses_the_answer() -> None:
    """The answer is the only one, whichever comes first: nothing more is told of the death."""
    driven = Driven().at(Phase.BUSY)
    driven.slot.kill(0)
    driven.slot.on_answer(1, "done")
    driven.slot.on_gone(1, Ending("killed"))
    assert driven.take() == "kill ANSWER:done drop"
    driven.slot.restart(0)
    assert driven.take() == "spawn2"
    driven = Driven().at(Phase.BUSY)
    driven.slot.on_answer(1, "done")
    driven.slot.kill(0)
    driven.slot.restart(0)
    driven.slot.on_gone(1, Ending("killed"))
    assert driven.take() == "ANSWER:done kill drop spawn2"


def test_a_whole_life() -> None:
    """Reserved, started, run, restarted with a process that exits by itself, stopped likewise."""
    driven = Driven(reserves=True)
    slot = driven.slot
    slot.start()
    assert driven.take() == "reserve"
    slot.on_reserved()
    slot.on_up(1, 0)
    slot.on_started(1, DONE)
    assert driven.take() == "spawn1 start STARTED"
    slot.run("first")
    slot.on_answer(1, "done")
    slot.restart(0, 5)
    assert driven.take() == "send:first ANSWER:done finish prepare"
    slot.on_finished(1, 1)
    assert driven.take() == "exit"
    slot.on_gone(1, Ending("it exited"))
    assert driven.take() == "drop spawn2"
    slot.on_up(2, 2)
    slot.on_started(2, DONE)
    slot.stop(3, 5)
    slot.on_finished(2, 4)
    slot.on_gone(2, Ending("it exited"))
    assert driven.take() == "start STARTED finish exit drop drop release STOPPED"
    assert slot.phase is Phase.GONE


def test_a_stop_while_it_runs() -> None:
    """What it runs is answered first, then its session ends."""
    driven = Driven().at(Phase.BUSY)
    driven.slot.stop(0, 5)
    driven.slot.on_answer(1, "done")
    driven.slot.on_finished(1, 1)
    driven.slot.on_gone(1, Ending("it exited"))
    assert driven.take() == "finish ANSWER:done exit drop drop STOPPED"


def test_a_stop_overrides_a_restart() -> None:
    """A worker that is not needed any more while it is being replaced gets no new process, and its time ends sooner if that is said."""
    driven = Driven().at(Phase.FINISHING)
    driven.slot.stop(0, 2)
    assert driven.slot.deadline == 2
    driven.slot.on_finished(1, 1)
    driven.slot.on_gone(1, Ending("it exited"))
    assert driven.take() == "exit drop drop STOPPED"


@pytest.mark.parametrize("phase", list(Phase))
def test_what_an_older_process_says_is_refused(phase: Phase) -> None:
    """Whatever is said of another birth than the current one does nothing, in every phase."""
    driven = Driven(reserves=True).at(phase)
    stale = driven.slot.birth - 1
    before = driven.slot.phase, driven.slot.deadline
    driven.slot.on_up(stale, 99)
    driven.slot.on_started(stale, DONE)
    driven.slot.on_started(stale, FAILED)
    driven.slot.on_answer(stale, "late")
    driven.slot.on_finished(stale, 99)
    driven.slot.on_gone(stale, CRASH)
    assert (driven.take(), driven.slot.phase, driven.slot.deadline) == ("", *before)


def test_starts_are_tried_again() -> None:
    """A process that dies before its session has started is replaced, so often; then its slot is given up, with how it died."""
    driven = Driven(reserves=True).at(Phase.STARTING)
    driven.slot.on_gone(1, CRASH)
    driven.slot.on_gone(2, CRASH)
    assert driven.take() == "drop spawn2 drop spawn3"
    driven.slot.on_gone(3, Ending("killed by SIGSEGV", stacks="the stacks"))
    assert driven.take() == "drop drop release NOT-STARTED(killed by SIGSEGV\nthe stacks)"
    assert driven.slot.phase is Phase.GONE


def test_a_start_that_worked_is_forgotten() -> None:
    """Only deaths in a row count."""
    driven = Driven().at(Phase.STARTING)
    for birth in (1, 4, 7):
        driven.slot.on_gone(birth, CRASH)
        driven.slot.on_gone(birth + 1, CRASH)
        driven.slot.on_up(birth + 2, 0)
        driven.slot.on_started(birth + 2, DONE)
        driven.slot.restart(0)
        driven.slot.on_finished(birth + 2, 0)
        driven.slot.on_gone(birth + 2, Ending("it exited"))
    assert "NOT-STARTED" not in driven.take()


def test_starts_that_cannot_help() -> None:
    """What will not change is not tried again: a session that says why it cannot start, an actor that cannot be made."""
    driven = Driven(reserves=True).at(Phase.STARTING)
    driven.slot.on_started(1, FAILED)
    assert driven.take() == "drop release NOT-STARTED(SyntaxError, said itself)"
    driven = Driven(reserves=True).at(Phase.STARTING)
    driven.slot.on_gone(1, CRASH, may_retry=False)
    assert driven.take() == "drop drop release NOT-STARTED(killed by SIGSEGV)"
    driven = Driven(reserves=True).at(Phase.RESERVING)
    driven.slot.on_not_reserved("refused")
    assert driven.take() == "drop release NOT-STARTED(refused)"


def test_a_lost_node_is_no_failed_start() -> None:
    """Where the node of a process that starts is lost, its owner is told of the death: nothing is wrong with the start."""
    driven = Driven().at(Phase.STARTING)
    driven.slot.on_gone(1, Ending("its node was lost", Death.NODE_LOST))
    assert driven.take() == "drop DIED(STARTING, its node was lost)"


@pytest.mark.parametrize("phase", list(Phase))
def test_a_verdict_in_every_phase(phase: Phase) -> None:
    """It is passed on while the session carries out an order; else the trial that it is for has ended."""
    driven = Driven().at(phase) if phase is not Phase.RESERVING else Driven(reserves=True).at(phase)
    order: Any = "verdict"
    driven.slot.tell(order)
    assert driven.take() == ("tell:verdict" if phase is Phase.BUSY else "")


class TestDeadlines:
    def test_no_phase_without_one_that_could_hang(self) -> None:
        """Starting, finishing, exiting and being killed have deadlines; waiting and running are the owner's to limit."""
        found = {phase: Driven(reserves=True).at(phase).slot.deadline for phase in Phase}
        assert found == {
            Phase.RESERVING: None, Phase.STARTING: 300, Phase.IDLE: None, Phase.BUSY: None, Phase.FINISHING: 5,
            Phase.EXITING: 10, Phase.KILLED: 60, Phase.DOWN: None, Phase.GONE: None,
        }  # fmt: skip

    def test_a_start(self) -> None:
        """A session that does not start in time is killed, and not tried again."""
        driven = Driven().at(Phase.STARTING)
        driven.slot.tick(299)
        assert driven.take() == ""
        driven.slot.tick(300)
        driven.slot.on_gone(1, Ending("killed", stacks="the stacks"))
        text = "its session did not start within 5 min, and its process was ended"
        assert driven.take() == f"kill drop drop NOT-STARTED({text}\nthe stacks)"

    @pytest.mark.parametrize("then", ["restart", "stop"])
    def test_a_tear_down(self, then: str) -> None:
        """A session that does not end in time is killed; its owner is told the fixture and the stacks, then it goes on as told."""
        driven = Driven().at(Phase.IDLE)
        getattr(driven.slot, then)(0, 5)
        driven.slot.fixture = "db"
        driven.slot.tick(5)
        driven.slot.on_gone(1, Ending("killed", stacks="the stacks"))
        after = "spawn2" if then == "restart" else "drop STOPPED"
        told = driven.take().replace("finish prepare", "finish")
        assert told == f"finish kill drop OVERRUN(FINISHING, db, the stacks) {after}"

    def test_an_exit(self) -> None:
        """A process that does not exit in time is killed, and that is told."""
        driven = Driven().at(Phase.EXITING)
        driven.slot.tick(10)
        driven.slot.on_gone(1, Ending("killed", stacks="the stacks"))
        assert driven.take() == "kill drop OVERRUN(EXITING, , the stacks) spawn2"

    def test_an_order(self) -> None:
        """An order may have a deadline; where it passes, the owner is told of a death, and can see why."""
        driven = Driven().at(Phase.IDLE)
        driven.slot.run("build", 7)
        driven.slot.tick(7)
        assert driven.slot.is_overrun
        driven.slot.on_gone(1, Ending("killed"))
        assert driven.take() == "send:build kill drop DIED(BUSY, killed)"
        assert driven.slot.is_overrun

    def test_a_kill_that_does_not_end_it(self) -> None:
        """A process that cannot be killed is taken to be gone after a minute: the run goes on."""
        driven = Driven().at(Phase.KILLED)
        driven.slot.tick(60)
        assert driven.take() == "drop DIED(BUSY, it did not end within 1 min after it was killed)"

    def test_a_death_in_a_tear_down(self) -> None:
        """A process that dies while it tears down fixtures is told of, and then goes on as it was told."""
        driven = Driven().at(Phase.FINISHING)
        driven.slot.on_gone(1, CRASH)
        assert driven.take() == "drop LOST(killed by SIGSEGV) spawn2"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["up", "started", "answer", "finished", "gone", "tick", "run", "restart", "stop", "kill"]),
            st.integers(0, 2),
        )
    )
)
def test_any_history(steps: list[tuple[str, int]]) -> None:
    """Whatever comes in whichever order: a stop is answered once and for all, and nothing is sent to a process that is not there."""
    driven = Driven(reserves=True)
    slot = driven.slot
    slot.start()
    slot.on_reserved()
    now, alive, noted = 0.0, True, [driven.take()]
    was_stopped = False
    for step, age in steps:
        birth = slot.birth - age
        now += 50 * (step == "tick")
        happened: dict[str, Any] = {
            "up": lambda: slot.on_up(birth, now),  # noqa: B023
            "started": lambda: slot.on_started(birth, DONE),  # noqa: B023
            "answer": lambda: slot.on_answer(birth, "done"),  # noqa: B023
            "finished": lambda: slot.on_finished(birth, now),  # noqa: B023
            "gone": lambda: slot.on_gone(birth, CRASH),  # noqa: B023
            "tick": lambda: slot.tick(now),  # noqa: B023
            "run": lambda: slot.run("order"),
            "restart": lambda: slot.restart(now, 5),  # noqa: B023
            "stop": lambda: slot.stop(now, 5),  # noqa: B023
            "kill": lambda: slot.kill(now),  # noqa: B023
        }
        was_stopped |= step == "stop"
        happened[step]()
        noted.append(driven.take())
        for word in noted[-1].split():
            if word.startswith("spawn"):
                assert not alive or noted[-1].split()[0] == "drop", noted
                alive = True
            elif word in ("start", "finish", "exit", "kill") or word.startswith("send:"):
                assert alive, noted
            elif word == "drop":
                alive = False
    told = " ".join(noted)
    assert told.count("STOPPED") <= 1
    if was_stopped:  # It ends, as soon as its process does.
        for _ in range(4):
            slot.on_gone(slot.birth, CRASH)
        assert slot.phase is Phase.GONE
        assert (told + driven.take()).count("STOPPED") + told.count("NOT-STARTED") == 1


def test_a_driver_that_is_stopped_takes_no_time() -> None:
    """Between two looks at the clock a second passes at the most, however long the driver was stopped or busy."""
    real = [100.0]
    clock = AwakeClock(lambda: real[0])
    real[0] += 0.25
    assert clock.look() == 0.25
    real[0] += 3600
    assert clock.look() == 1.25
    assert clock.now == 1.25
