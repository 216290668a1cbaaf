"""The actor that hosts a pytest session in a process of Ray's."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import ray
from ray.actor import ActorHandle

import pytest_sweep.executors.ray.early  # noqa: F401 - before all others
from pytest_sweep.executors.ray.gang.gang import RayLender
from pytest_sweep.executors.ray.workers.guard import keep_connection
from pytest_sweep.executors.ray.workers.leaving import run_exit_handlers
from pytest_sweep.executors.ray.workers.listener import Listener
from pytest_sweep.executors.ray.workers.mailbox import Mailbox
from pytest_sweep.model.shared import FailedFixture, SharedFixture
from pytest_sweep.wire.calls import CallResult, LostFixture
from pytest_sweep.wire.location import own_location
from pytest_sweep.wire.outbox import Numbered, OutboxFullError, in_parts
from pytest_sweep.wire.parcel import Parcel
from pytest_sweep.wire.spec import SessionSpec
from pytest_sweep.wire.task import PackedTask
from pytest_sweep.worker.host import SessionHost


class SessionActor:
    """Hosts a pytest session. A plain synchronous actor, since only those run on the main thread of their process.

    Args:
        name: the name under which its messages go.
        spec: what the session is to be like.
        mailbox: where its messages go.
        threads: how many threads numerical libraries may use; Ray sets 1, because the actor itself holds no CPU.
    """

    def __init__(self, name: str, spec: SessionSpec, mailbox: ActorHandle[Mailbox], threads: int) -> None:
        if os.getpgrp() != os.getpid():
            # A group of its own, so that what trials start can be ended when this process cannot do it any more.
            os.setpgid(0, 0)
        keep_connection()
        self._name = name
        self._mailbox = mailbox
        self._listener: Listener | None = None
        location = own_location(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]
        self._host = SessionHost(
            name.partition("#")[0],
            spec,
            location,
            threads,
            partial(_send, mailbox, name),
            lender=RayLender(spec),
        )

    def up(self) -> tuple[int, str]:
        """Return the number of this process, and the id of the node that it is on."""
        return os.getpid(), ray.get_runtime_context().get_node_id()

    def start(self) -> CallResult:
        """Start the session, up to the point where it waits for trials."""
        return self._host.start()

    def run(self, batch: Sequence[PackedTask], offers: Mapping[str, Any]) -> CallResult:
        """Run a batch of trials, one after the other; `offers` are the shared fixtures that they use."""
        # One trial that is not judged is told nothing: in most runs whose trials are long no thread is needed.
        if self._listener is None and (len(batch) > 1 or any(packed.is_judged for packed in batch)):
            self._listener = Listener(self._mailbox, self._name, self._host.tell)
        return self._host.run(batch, offers)

    def build(
        self, fixture: SharedFixture, offers: Mapping[str, Any]
    ) -> tuple[tuple[CallResult, FailedFixture | LostFixture | None], Parcel | None]:
        """Build a shared fixture, which lives on until `finish`: return how that ended, and, for itself, the value."""
        result, built = self._host.build(fixture, offers)
        return ((result, None), built) if isinstance(built, Parcel) else ((result, built), None)

    def finish(self) -> CallResult:
        """Tear down all fixtures and end the session."""
        return self._host.finish()

    def leave(self) -> CallResult:
        """Do what Python does at its exit, and what must be done before Ray ends the children of this process."""
        if self._listener is not None:
            self._listener.close()
        return self._host.leave(run_exit_handlers)

    def exit(self) -> None:
        """End the process: Python flushes what is open. Whoever calls this is told that the actor has died."""
        ray.actor.exit_actor()  # type: ignore[no-untyped-call]


def _send(mailbox: ActorHandle[Mailbox], name: str, messages: Sequence[Numbered]) -> None:
    for part in in_parts(messages):
        if not ray.get(mailbox.put.remote((name, part))):
            raise OutboxFullError("the mailbox has no room until the driver has read what is in it")
