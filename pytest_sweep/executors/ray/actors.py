"""The actor that hosts a pytest session in a process of Ray's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import ray
from ray.actor import ActorHandle

from pytest_sweep.errors import ExecutorError
from pytest_sweep.executors.ray.mailbox import Mailbox
from pytest_sweep.worker.outbox import Numbered, Outbox
from pytest_sweep.worker.session import HostedSession
from pytest_sweep.worker.spec import SessionSpec
from pytest_sweep.worker.wire import PackedTask


@dataclass(frozen=True)
class CallResult:
    """How a call to a worker ended.

    Attributes:
        last: the number of the last event; the call is complete when everything up to it has arrived.
        rest: the events that have not gone through the mailbox.
        location: ``ip:pid`` of the worker.
        node: the id of the node that it is on.
        failure: why the session cannot go on, or None.
        exit: reason and status of a ``pytest.exit``, or None.
    """

    last: int
    rest: Sequence[Numbered]
    location: str
    node: str
    failure: str | None = None
    exit: tuple[str, int] | None = None


class SessionActor:
    """Hosts a pytest session. A plain synchronous actor, since only those run on the main thread of their process.

    Args:
        name: the name under which its letters go.
        spec: what the session is to be like.
        mailbox: where its letters go.
        threads: how many threads numerical libraries may use; Ray sets 1, because the actor itself holds no CPU.
    """

    def __init__(self, name: str, spec: SessionSpec, mailbox: ActorHandle[Mailbox], threads: int) -> None:
        context = ray.get_runtime_context()
        self._node = context.get_node_id()
        self._location = f"{ray.util.get_node_ip_address()}:{os.getpid()}"  # type: ignore[no-untyped-call]
        os.environ["OMP_NUM_THREADS"] = spec.environ.get("OMP_NUM_THREADS", str(threads))
        self._outbox = Outbox(lambda letters: ray.get(mailbox.put.remote((name, letters))), self._on_beat)
        self._session = HostedSession(spec, name.partition("#")[0], self._outbox.put, self._location)

    def start(self) -> CallResult:
        """Start the session, up to the point where it waits for trials."""
        failure = None
        try:
            self._session.start()
        except ExecutorError as error:
            failure = str(error)
        return self._result(failure)

    def run(self, batch: Sequence[PackedTask]) -> CallResult:
        """Run a batch of trials, one after the other."""
        self._outbox.begin_call()
        self._session.run(batch)
        return self._result(self._session.cause if self._session.ended else None)

    def finish(self) -> CallResult:
        """Tear down all fixtures and end the session."""
        self._session.finish()
        return self._result(None)

    def _result(self, failure: str | None) -> CallResult:
        last, rest = self._outbox.take()
        return CallResult(last, rest, self._location, self._node, failure, self._session.exit)

    def _on_beat(self) -> None:
        self._session.return_waiting()
