"""Brings what workers say, by mail or with the result of a call, to the engine: in order, and all of it before its end. Imports no Ray.

Lives in the conductor's thread, which gives it the mailbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_sweep import clock
from pytest_sweep.executors.ray.workers.handle import WorkerHandle, brief
from pytest_sweep.model import events
from pytest_sweep.wire.lastwords import Ending

if TYPE_CHECKING:
    from pytest_sweep.executors.ray.workers.mailbox import Message
    from pytest_sweep.wire.calls import CallResult

MAIL_SECONDS = 0.2


class Messages:
    """The mail of one run.

    Args:
        mailbox: the handle of the actor that holds the messages.
        workers: those whose messages are read.
        say: tells the engine of an event.
        when_done: has a function called, later, with the result and the error of what Ray promises, one of them None.

    Attributes:
        mailbox: the handle.
    """

    def __init__(
        self,
        mailbox: Any,
        workers: Mapping[str, WorkerHandle],
        say: Callable[[events.Event], None],
        when_done: Callable[..., None],
    ) -> None:
        self.mailbox = mailbox
        self._workers = workers
        self._say = say
        self._when_done = when_done
        self._is_open = True

    def open(self) -> None:
        """Take messages from now on, until it is closed."""
        self._when_done(self.mailbox.take.remote(MAIL_SECONDS), self._on_mail)

    def close(self) -> None:
        """Take no more messages; the mailbox may end."""
        self._is_open = False

    def pass_on(self, worker: WorkerHandle, numbered: Sequence[Any]) -> None:
        """Tell the engine what a worker has said, as far as nothing is missing before it."""
        for event in worker.inbox.put(numbered):
            self._say(event)

    def complete(self, worker: WorkerHandle, result: CallResult, then: Callable[[], None]) -> None:
        """Do `then` when everything that the worker has said during the call has been passed on."""
        self.pass_on(worker, result.rest)
        if worker.inbox.complete(result.last):
            then()
        else:
            worker.last, worker.unfinished = result.last, then

    def tell_death(self, worker: WorkerHandle, ending: Ending) -> None:
        """Tell the engine how the process of a worker has died, after what it had said by then."""
        # Two more takes: one may have begun before the death, the second one brings what had arrived by then.
        worker.death, worker.takes_to_wait = ending, 2

    def _on_mail(self, messages: list[Message] | None, error: Exception | None) -> None:
        if messages is None:
            if self._is_open:
                self._say(events.WorkerFailed("mailbox", f"the mailbox of the run has died: {brief(error)}"))
            return
        self.open()
        by_name = {worker.name: worker for worker in self._workers.values()}
        for name, numbered in messages:
            if name in by_name:
                self.pass_on(by_name[name], numbered)
        for worker in list(self._workers.values()):
            self._after_mail(worker)

    def _after_mail(self, worker: WorkerHandle) -> None:
        if worker.unfinished is not None and worker.inbox.complete(worker.last):
            then, worker.unfinished = worker.unfinished, None
            then()
        if worker.death is not None:
            worker.takes_to_wait -= 1
            if worker.takes_to_wait == 0:
                death, worker.death = worker.death, None
                cause = f"the worker died while it ran the trial: {death.cause}"
                self._say(events.WorkerDied(worker.id, cause, clock.wall(), death.kind, death.stacks))
