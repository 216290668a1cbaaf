"""The workers on Ray, without Ray: what is asked of it, and what the engine is told."""

from __future__ import annotations

import asyncio
import dataclasses
from functools import partial
from typing import Any

import pytest

from pytest_sweep.executors.phases import Limits
from pytest_sweep.executors.ray.workers.mailbox import MOST_ORDERS, Mailbox
from pytest_sweep.executors.ray.workers.ports import WorkerRayPort
from pytest_sweep.executors.workers import Workers
from pytest_sweep.model import commands, events
from pytest_sweep.model.resources import Resources
from pytest_sweep.model.study import Verdict, VerdictKind
from pytest_sweep.wire.calls import CallResult
from pytest_sweep.wire.messages import pack
from tests.support.rayless import DONE, Rayless

LIMIT = 10.0
START = commands.StartWorker("w1", Resources(cpu=1), ("node-1",))


class RaylessWorkers(Rayless):
    """Plays Ray for one worker."""

    def __init__(self) -> None:
        super().__init__()
        self.workers = Workers(self.say, partial(WorkerRayPort.of, self.tools), Limits(starts=2), reserves=True)

    def start_in_group(self, name: str, *_: Any) -> Any:
        assert name == f"w1#{len(self.actors) + 1}"
        return self.start_on_node("shared-", self.placed_on, Resources(cpu=2))

    def order(self, command: commands.WorkerCommand, now: float = 0.0) -> None:
        """Give an order."""
        self.workers.execute(command, (), {}, now)

    def started(self) -> RaylessWorkers:
        """Start the worker; forget what was said."""
        self.order(START)
        self.start()
        self.said.clear()
        return self

    def run(self, lease: int = 1) -> None:
        """Have it run a batch."""
        self.order(commands.RunTrials("w1", (), lease))


def test_a_worker_starts() -> None:
    """It is reserved, then started, and the engine hears of each, and of where it is."""
    ray = RaylessWorkers()
    ray.order(START)
    ray.start()
    assert ray.said == [
        events.WorkerStarting("w1", is_granted=False),
        events.WorkerStarting("w1", is_granted=True),
        events.WorkerStarted("w1", "10.0.0.1:77", ("node-1",)),
    ]


@pytest.mark.parametrize("how", ["session", "actor", "deaths"])
def test_a_node_on_which_it_cannot_start(how: str) -> None:
    """The engine is told the node, so that it can go on elsewhere; what was reserved there is given back."""
    ray = RaylessWorkers()
    ray.order(START)
    ray.keep("group")
    if how == "session":
        ray.keep("up-1", (77, "node-1"))
        (failed,) = ray.keep("start-1", CallResult(0, (), "10.0.0.1:77", failure="it has pytest 6"))
    elif how == "actor":
        missing = ActorDiedError(
            "raised in its creation task, ip=10.0.0.1\nModuleNotFoundError: No module named 'pytest_sweep'"
        )
        (failed,) = ray.keep("up-1", None, missing)
    else:
        assert ray.keep("up-1", None, ActorDiedError("it died")) == []
        (failed,) = ray.keep("up-2", None, ActorDiedError("it died"))
    assert isinstance(failed, events.WorkerFailed)
    assert (failed.worker, failed.nodes, ray.held) == ("w1", ("node-1",), [])
    words = {"session": "it has pytest 6", "actor": "No module named 'pytest_sweep'", "deaths": "killed or crashed"}
    assert words[how] in failed.cause
    ray.order(commands.StopWorker("w1"))
    assert ray.said[-1] == events.WorkerStopped("w1")


def test_a_batch_ends_when_all_of_it_has_arrived() -> None:
    """The engine hears of a batch's end, with its lease, after every event of it, whichever way that came."""
    ray = RaylessWorkers().started()
    ray.run(lease=7)
    first, second = (events.OutputWritten(None, text) for text in ("first", "second"))
    assert ray.keep("run-1", CallResult(2, [(2, pack(second))], "10.0.0.1:77")) == []
    assert ray.keep("mail", ([("w1#1", [(1, pack(first))])], frozenset())) == [first, second, events.BatchDone("w1", 7)]


def test_what_an_older_process_says_is_not_heard() -> None:
    """Neither its mail nor its answers, when a new process has taken its place."""
    ray = RaylessWorkers().started()
    ray.run()
    (died,) = ray.die("run-1")
    assert isinstance(died, events.WorkerDied)
    ray.order(commands.RestartWorker("w1"))
    ray.keep("up-2", (78, "node-1"))
    ray.keep("start-2", DONE)
    late = events.OutputWritten(None, "late")
    assert ray.keep("mail", ([("w1#1", [(1, pack(late))])], frozenset())) == []


def test_a_kill_of_a_worker_that_has_nothing_to_answer() -> None:
    """One that is killed while it exits has no call that could fail: it is looked after all the same."""
    ray = RaylessWorkers().started()
    ray.order(commands.StopWorker("w1", 5.0))
    ray.keep("finish-1", DONE)
    ray.order(commands.KillWorker("w1"))
    ray.keep("mail", ([], frozenset()))
    ray.keep("mail", ([], frozenset()))
    assert ray.said == [events.WorkerStopped("w1")]
    assert (ray.killed, ray.held) == ({1}, [])


def test_mail_that_is_still_there_of_a_dead_process() -> None:
    """Its death is told when all of its mail has been taken, in however many parts."""
    ray = RaylessWorkers().started()
    ray.order(commands.StopWorker("w1", 5.0))
    ray.keep("finish-1", DONE)
    ray.order(commands.KillWorker("w1"))
    for _ in range(4):
        ray.keep("mail", ([], frozenset({"w1#1"})))
        assert ray.said == []
    ray.keep("mail", ([], frozenset({"w2#1"})))
    assert ray.said == [events.WorkerStopped("w1")]


def test_mail_waits_where_the_driver_does_not_keep_up() -> None:
    """No more mail is fetched while too much of it waits to be read; then it goes on."""
    ray = RaylessWorkers().started()
    ray.is_full = True
    ray.keep("mail", ([], frozenset()))
    assert "mail" not in ray.promises
    ray.messages.tick()
    assert "mail" not in ray.promises
    ray.is_full = False
    ray.messages.tick()
    assert "mail" in ray.promises


def test_a_verdict_goes_to_the_process_that_runs_the_trial() -> None:
    """It is left in the mailbox for that process; for a worker that has nothing to do, has died or is unknown it is lost."""
    ray = RaylessWorkers().started()
    verdict = commands.Tell("w1", "k", 1, 1, 3, Verdict(VerdictKind.STOP))
    ray.order(verdict)
    ray.order(dataclasses.replace(verdict, worker="w2"))
    assert ray.told == []
    ray.run()
    ray.order(verdict)
    ray.order(commands.ReturnTrials("w1", 1))
    assert ray.told == [("w1#1", verdict), ("w1#1", commands.ReturnTrials("w1", 1))]
    ray.die("run-1")
    ray.order(verdict)
    assert len(ray.told) == 2


class TestMailbox:
    """The actor between workers and driver, without Ray."""

    def test_orders(self) -> None:
        """Each process gets its own orders, in order and once; who asks early waits."""

        async def talk() -> None:
            mailbox = Mailbox()
            await mailbox.tell("a", b"1")
            await mailbox.tell("a", b"2")
            assert await mailbox.listen("b", 0.01) == []
            assert await mailbox.listen("a", LIMIT) == [b"1", b"2"]
            asked = asyncio.ensure_future(mailbox.listen("a", LIMIT))
            await asyncio.sleep(0)
            await mailbox.tell("a", b"3")
            assert await asked == [b"3"]

        asyncio.run(talk())

    def test_a_process_that_never_asks(self) -> None:
        """The newest orders of one are kept, and not more and more."""

        async def talk() -> list[bytes]:
            mailbox = Mailbox()
            for number in range(3 * MOST_ORDERS):
                await mailbox.tell("a", b"%d" % number)
            return await mailbox.listen("a", LIMIT)

        orders = asyncio.run(talk())
        assert (len(orders), orders[-1]) == (MOST_ORDERS, b"%d" % (3 * MOST_ORDERS - 1))


class ActorDiedError(Exception):
    """Called as Ray's own."""
