"""What the slots of this executor can do: processes over execnet, whose messages are told to the slot in the driver's main thread."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pytest_sweep.executors.awake import AwakeClock
from pytest_sweep.executors.lifecycle import Slot
from pytest_sweep.executors.processes.process import WorkerProcess
from pytest_sweep.executors.shared import BuildOrder
from pytest_sweep.executors.workers import Say, note
from pytest_sweep.model import commands
from pytest_sweep.wire.inbox import Inbox
from pytest_sweep.wire.lastwords import Ending
from pytest_sweep.wire.outbox import in_parts
from pytest_sweep.wire.spec import SessionSpec

NODE = "processes"

Tell = Callable[..., None]
"""Takes a function, and the process that it is about, where others are not to wait for what that says."""


class Starter:
    """Starts and ends processes in threads, since both take their time.

    Args:
        count: how many processes there are at once.
    """

    def __init__(self, count: int) -> None:
        # Each may wait for its end while another one starts in its place.
        self._threads = ThreadPoolExecutor(max_workers=2 * count + 2, thread_name_prefix="sweep-processes")
        self._spare: deque[Future[WorkerProcess]] = deque()

    def start_ahead(self, count: int) -> None:
        """Begin to start processes until `count` wait for their use."""
        while len(self._spare) < count:
            self._spare.append(self._threads.submit(WorkerProcess))

    def start_one_ahead(self) -> None:
        """Begin to start one more process than wait for their use."""
        self._spare.append(self._threads.submit(WorkerProcess))

    def start(self) -> Future[WorkerProcess]:
        """Return a process that is there, or is being started."""
        return self._spare.popleft() if self._spare else self._threads.submit(WorkerProcess)

    def do(self, what: Callable[[], object]) -> None:
        """Have something done that takes time."""
        self._threads.submit(what)

    def end_unused(self) -> None:
        """End the processes that nobody has used."""
        while self._spare:
            self._spare.popleft().add_done_callback(_end_unwanted)

    def join(self) -> None:
        """Wait until all is done."""
        self._threads.shutdown(wait=True)


class ProcessPort:
    """The process of a worker.

    Args:
        name: the name of its session.
        threads: how many threads numerical libraries may use.
        spec: what its session is to be like.
        starter: starts and ends processes.
        clock: by which limits are counted.
        tell: has a function called in the driver's main thread, in turn with those of other processes.
        say: tells the engine of an event.
    """

    nodes = (NODE,)
    unfit_nodes = ()
    """There is one machine: where a worker cannot start, none can."""

    slot: Slot

    def __init__(
        self,
        name: str,
        threads: int,
        spec: SessionSpec,
        starter: Starter,
        clock: AwakeClock,
        tell: Tell,
        say: Say,
    ) -> None:
        self._start_order = (name, spec, threads)
        self._spec = spec
        self._starter = starter
        self._clock = clock
        self._tell = tell
        self._say = say
        self._process: WorkerProcess | None = None
        self._inbox = Inbox()
        self._starting: Future[WorkerProcess] | None = None

    def sentence(self, cause: str) -> str:
        """Return why it could not be started."""
        return f"a worker did not start: {cause}"

    def reserve(self) -> None:
        """Do nothing: nothing is reserved."""

    def release(self) -> None:
        """Do nothing: nothing is reserved."""

    def prepare(self) -> None:
        """Start a process ahead, which imports what it needs while the old one ends."""
        self._starter.start_one_ahead()

    def spawn(self, birth: int) -> None:
        """Take a process that was started ahead, or start one."""
        future = self._starting = self._starter.start()
        future.add_done_callback(lambda future: self._tell(partial(self._on_process, birth, future)))

    def start(self) -> None:
        """Have it start its session."""
        self._send("start", self._start_order)

    def send(self, order: Any) -> None:
        """Hand it trials."""
        self._send(*order)

    def tell(self, order: commands.WithinCall) -> None:
        """Pass an order on while it runs trials; a thread of the process takes it."""
        self._send("tell", order)

    def finish(self) -> None:
        """Have it end its session."""
        self._send("finish", None)

    def exit(self) -> None:
        """Have it end."""
        if self._process is not None:
            self._starter.do(self._process.leave)

    def kill(self, *, shows_stacks: bool = True) -> None:
        """Kill it, after it has shown its stacks; one that is still being started as soon as it is there."""
        if self._process is not None:
            self._starter.do(partial(self._process.kill, shows_stacks=shows_stacks))
        elif self._starting is not None:
            birth = self.slot.birth
            self._drop_starting()
            self._tell(lambda: self.slot.on_gone(birth, Ending("killed while it was being started"), may_retry=False))

    def drop(self) -> None:
        """End it at once. Nobody may be there any more to take note of one that is there only after that."""
        process, self._process = self._process, None
        if process is not None:
            self._starter.do(process.end)
        self._drop_starting()

    def _drop_starting(self) -> None:
        starting, self._starting = self._starting, None
        if starting is not None:
            starting.add_done_callback(_end_unwanted)

    def _send(self, word: str, value: object) -> None:
        if self._process is not None:
            self._process.send(word, value)

    def _on_process(self, birth: int, future: Future[WorkerProcess]) -> None:
        if self._starting is not future:  # It is not wanted any more, and is ended.
            return
        self._starting = None
        error = future.exception()
        if error is not None:
            self.slot.on_gone(birth, Ending(f"a process could not be started: {error}"))
            return
        process, self._inbox = future.result(), Inbox()
        self._process = process
        process.keeps_last_words_in(self._spec.basetemp)
        process.hear_by(partial(self._on_said, birth, process))

    def _on_said(self, birth: int, process: WorkerProcess, word: str, value: Any) -> None:
        """Have the main thread hear what a process has said; what a dead one has left in parts. Called in a thread of execnet's."""
        if word == "gone":
            for part in in_parts(value.unheard):
                self._tell(partial(self._on_word, birth, process, "unheard", part), process)
            value = replace(value, unheard=())
        self._tell(partial(self._on_word, birth, process, word, value), process)

    def _on_word(self, birth: int, process: WorkerProcess, word: str, value: Any) -> None:
        if word == "events":
            process.has_read(value)
        if birth != self.slot.birth:
            return
        if word == "up":
            self.slot.on_up(birth, self._clock.now)
        elif word == "events":
            self._pass_on(pickle.loads(value))
        elif word == "unheard":
            self._pass_on(value)
        elif word == "answer":
            self._on_answer(birth, *value)
        else:
            if process.is_leaving:  # What it has started has a moment more; who waits for its end sees to that.
                self._process = None
            self.slot.on_gone(birth, value)

    def _on_answer(self, birth: int, word: str, result: Any) -> None:
        call = result[0] if word == "build" else result
        self._pass_on(call.rest)
        if word == "start":
            self.slot.on_started(birth, call)
        elif word == "finish":
            self.slot.on_finished(birth, self._clock.now)
        else:
            self.slot.on_answer(birth, result)

    def _pass_on(self, numbered: Any) -> None:
        for event in self._inbox.put(numbered):
            note(self.slot, event)
            self._say(event)


class BuilderProcessPort(ProcessPort):
    """The process of a builder of a shared fixture, whose value is in a file that workers map.

    Args:
        path: the file.
        others: as for ProcessPort.
    """

    home = ""
    address = "127.0.0.1"

    def __init__(self, path: Path, *others: Any) -> None:
        super().__init__(*others)
        self._path = path

    def send(self, order: BuildOrder) -> None:
        """Have it build the fixture."""
        self._send("build", (order.fixture, order.offers, str(self._path)))

    def value(self, built: object) -> object:
        """Return the path of the value."""
        return built

    def avoid(self, node: str) -> bool:  # noqa: ARG002 - there is no other machine
        """Return that there is no other machine."""
        return False

    def clear(self) -> None:
        """Delete the file; who has mapped it keeps what is in it."""
        self._path.unlink(missing_ok=True)


def _end_unwanted(future: Future[WorkerProcess]) -> None:
    if future.exception() is None:
        future.result().end()
