"""Brings what workers say, by mail or with the result of a call, to the engine: in order, and all of it before its end. Imports no Ray.

Verdicts for trials that run go the other way. Lives in the conductor's thread, which gives it the mailbox.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pytest_sweep.executors.ray.desk import Desk
from pytest_sweep.executors.ray.workers.errors import brief
from pytest_sweep.executors.ray.workers.process import RayProcess
from pytest_sweep.model import events
from pytest_sweep.model.commands import WithinCall
from pytest_sweep.wire.outbox import Numbered

if TYPE_CHECKING:
    from pytest_sweep.executors.ray.workers.mailbox import Message
    from pytest_sweep.wire.calls import CallResult

MAIL_SECONDS = 0.2


class Messages:
    """The mail of one run.

    Args:
        mailbox: the handle of the actor that holds the messages.
        desk: the conductor.

    Attributes:
        mailbox: the handle.
    """

    def __init__(self, mailbox: Any, desk: Desk) -> None:
        self.mailbox = mailbox
        self._desk = desk
        self._processes: dict[str, RayProcess] = {}
        self._is_open = True
        self._is_taking = False

    def open(self) -> None:
        """Take messages from now on, until it is closed; not while the driver has too many to read, until `tick` finds room."""
        if self._is_open and not self._is_taking and not self._desk.is_full:
            self._is_taking = True
            self._desk.when_done(self.mailbox.take.remote(MAIL_SECONDS), self._on_mail)

    def close(self) -> None:
        """Take no more messages; the mailbox may end."""
        self._is_open = False

    def tick(self) -> None:
        """Go on where the driver had too many messages to read, and has not any more."""
        self.open()

    def expect(self, process: RayProcess) -> None:
        """Read the messages of a process from now on."""
        self._processes[process.name] = process

    def forget(self, process: RayProcess) -> None:
        """Read no more messages of a process."""
        self._processes.pop(process.name, None)

    def tell(self, process: RayProcess, order: WithinCall) -> None:
        """Leave an order for a process in the mailbox; nothing is waited for."""
        self.mailbox.tell.remote(process.name, pickle.dumps(order))

    def pass_on(self, process: RayProcess, numbered: Sequence[Numbered]) -> None:
        """Tell the engine what a process has said, as far as nothing is missing before it."""
        size = sum(len(packed[0]) for _, packed in numbered)
        for event in process.inbox.put(numbered):
            process.note(event)
            self._desk.say(event, size)
            size = 0

    def complete(self, process: RayProcess, result: CallResult, then: Callable[[], None]) -> None:
        """Do `then` when everything that the process has said during the call has been passed on."""
        self.pass_on(process, result.rest)
        if process.inbox.complete(result.last):
            then()
        else:
            process.last, process.unfinished = result.last, then

    def after_death(self, process: RayProcess, spooled: Sequence[Numbered], then: Callable[[], None]) -> None:
        """Do `then` when all that a dead process had said has been passed on: by mail, then what only its spool has."""

        def after_mail() -> None:
            self.pass_on(process, spooled)
            then()

        # Two more takes: one may have begun before the death, the second one brings what had arrived by then.
        process.after_death, process.takes_to_wait = after_mail, 2

    def _on_mail(self, mail: tuple[list[Message], frozenset[str]] | None, error: Exception | None) -> None:
        self._is_taking = False
        if mail is None:
            if self._is_open:
                self._desk.say(events.WorkerFailed("mailbox", f"the mailbox of the run has died: {brief(error)}"))
            return
        messages, have_more = mail
        for name, numbered in messages:
            if name in self._processes:
                self.pass_on(self._processes[name], numbered)
        self.open()
        for process in list(self._processes.values()):
            self._after_mail(process, has_more=process.name in have_more)

    def _after_mail(self, process: RayProcess, *, has_more: bool) -> None:
        if process.unfinished is not None and process.inbox.complete(process.last):
            then, process.unfinished = process.unfinished, None
            then()
        if process.after_death is not None:
            process.takes_to_wait -= 1
            if process.takes_to_wait <= 0 and not has_more:
                then, process.after_death = process.after_death, None
                then()
